#include "drops/kind_causes.hpp"

#include <algorithm>
#include <utility>

#include "explain/cause.hpp"
#include "os/clock.hpp"

namespace dptrace {

namespace {

// What the explainer has not answered by then, it answers no more.
constexpr std::uint64_t kAwaitNs = 3'000'000'000;
constexpr std::uint64_t kForgetEveryNs = 1'000'000'000;

bool is_older(std::uint64_t time_ns, std::uint64_t age_ns, std::uint64_t now_ns) {
  return time_ns + age_ns <= now_ns;
}

}  // namespace

KindCauses::KindCauses(Names& names, Explainer::Begin begin)
    : names_(names),
      explainer_(names, std::move(begin)),
      unknown_(std::make_shared<const Explanation>(unexplained())) {}

void KindCauses::see(const dpt_drop& sample) {
  const DropId drop{sample.hop.event.time_ns, sample.hop.netns, sample.hop.ifindex};
  DropFacts facts = drop_facts(sample, names_);
  if (facts.netns == 0) return;
  const auto kind = kinds_.find(sample.hop.key);
  const std::size_t room = explainer_.is_strangers(facts.netns) ? kKinds / 2 : kKinds;
  if (kind == kinds_.end() && kinds_.size() >= room) return;
  auto& questions = kind != kinds_.end() ? kind->second : kinds_[sample.hop.key];
  const auto same = std::ranges::find_if(
      questions, [&](const Question& question) { return question.facts == facts; });
  if (same != questions.end()) {
    const bool is_open = same->answered_ns != same->drop.time_ns;
    if (is_open || !is_older(same->answered_ns, kAgainNs, drop.time_ns)) return;
    // The answer stands until there is a newer one.
    same->drop = drop;
  } else if (questions.size() < kQuestions) {
    questions.push_back({std::move(facts), drop});
  } else {
    const auto oldest = std::ranges::min_element(questions, {}, &Question::drop);
    if (!is_older(oldest->drop.time_ns, kAgainNs, drop.time_ns)) return;
    *oldest = {std::move(facts), drop};
  }
  open_.push_back({sample.hop.key, drop});
  explainer_.see(sample);
}

void KindCauses::collect() {
  const std::uint64_t now_ns = monotonic_ns();
  explainer_.collect();
  take_answers(now_ns);
  if (now_ns < next_forget_ns_) return;
  next_forget_ns_ = now_ns + kForgetEveryNs;
  forget(now_ns);
}

void KindCauses::finish() {
  explainer_.finish();
  take_answers(monotonic_ns());
}

void KindCauses::take_answers(std::uint64_t now_ns) {
  auto& answers = names_.explanations;
  std::erase_if(open_, [&](const Open& open) {
    const auto answer = answers.find(open.drop);
    if (answer == answers.end() && !is_older(open.drop.time_ns, kAwaitNs, now_ns)) return false;
    if (const auto kind = kinds_.find(open.kind); kind != kinds_.end()) {
      auto& questions = kind->second;
      const auto asked = std::ranges::find(questions, open.drop, &Question::drop);
      if (asked != questions.end() && answer != answers.end()) {
        asked->answer = *answer->second == *unknown_ ? unknown_ : answer->second;
        asked->answered_ns = open.drop.time_ns;
      } else if (asked != questions.end() && asked->answer) {
        // The next sample asks again.
        asked->drop.time_ns = asked->answered_ns;
      } else if (asked != questions.end()) {
        questions.erase(asked);
      }
    }
    // Nobody else looks for it, and there is no bound to the samples of a long watch.
    if (answer != answers.end()) answers.erase(answer);
    return true;
  });
}

void KindCauses::forget(std::uint64_t now_ns) {
  std::erase_if(kinds_, [&](const auto& kind) {
    return std::ranges::all_of(kind.second, [&](const Question& question) {
      return is_older(question.drop.time_ns, kKeepNs, now_ns);
    });
  });
}

void KindCauses::explain(DropRow& row) const {
  const Question* newest = nullptr;
  bool agree = true;
  const auto look_at = [&](std::uint64_t id) {
    const auto kind = kinds_.find(id);
    if (kind == kinds_.end()) return;
    for (const Question& question : kind->second) {
      if (!question.answer || is_older(question.answered_ns, kKeepNs, row.last_ns)) continue;
      if (newest != nullptr && newest->answer->cause != question.answer->cause) agree = false;
      if (newest == nullptr || newest->answered_ns < question.answered_ns) newest = &question;
    }
  };
  look_at(row.id);
  for (const std::uint64_t id : row.more_ids) look_at(id);
  if (newest != nullptr) {
    row.explanation = agree ? newest->answer : unknown_;
  } else if (row.interval.packets != 0 || row.explanation == nullptr) {
    row.explanation = unknown_;
  }
}

}  // namespace dptrace
