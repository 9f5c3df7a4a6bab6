#include "explain/explainer.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "explain/cause.hpp"
#include "os/clock.hpp"

namespace dptrace {

namespace {

// Packets wait so long for their explanation. What is not answered by then stays unexplained.
constexpr std::uint64_t kAwaitNs = 500'000'000;
// The node is not asked the same more often: drops that come meanwhile are explained together, by
// what is read after them. What takes long to read is read for a part of the time only.
constexpr std::uint64_t kPauseNs = 50'000'000;
constexpr std::uint64_t kShare = 4;
// No packet waits longer than this to be told after its drop.
constexpr std::uint64_t kKeepNs = 300'000'000'000;
constexpr std::chrono::milliseconds kLookAgain{2};
// Whoever has packets dropped in ever new ways gets no more room than this.
constexpr std::size_t kQuestions = 256;
// The oldest drops are forgotten first: their packets have been told.
constexpr std::size_t kMostDrops = 20'000;

NamingTime::Clock::time_point time_of(std::uint64_t ns) {
  return NamingTime::Clock::time_point(std::chrono::nanoseconds(ns));
}

}  // namespace

void Explainer::see(const dpt_drop& drop) {
  const DropFacts facts = drop_facts(drop, names_);
  if (facts.netns == 0) return;
  const DropId id{drop.hop.event.time_ns, drop.hop.netns, drop.hop.ifindex};
  if (!may_have_cause(facts)) {
    static const auto unknown = std::make_shared<const Explanation>(unexplained());
    return tell(id, unknown);
  }
  if (!questions_.contains(facts) && questions_.size() >= kQuestions) return;
  Question& question = questions_[facts];
  if (question.waiting.size() < kMostDrops) question.waiting.push_back(id);
  begin(facts, question);
}

void Explainer::begin(const DropFacts& facts, Question& question) {
  const std::uint64_t now = monotonic_ns();
  if (question.inquiry || question.waiting.empty() || now < question.next_ns ||
      NetnsVisit::under_way() >= NetnsVisit::kMost)
    return;
  // Anybody may have packets dropped in another netns than dptrace's own all the time.
  if (facts.netns != names_.home_netns && !time_.allows(facts.netns, true, time_of(now))) return;
  auto inquiry = begin_(facts);
  if (!inquiry) return;
  question.inquiry.emplace(std::move(*inquiry));
  question.asked = std::exchange(question.waiting, {});
  question.begun_ns = now;
}

void Explainer::take(const DropFacts& facts, Question& question, Result<Explanation> answer) {
  const std::uint64_t now = monotonic_ns(), took = now - question.begun_ns;
  if (facts.netns != names_.home_netns)
    time_.took(facts.netns, true, time_of(question.begun_ns), time_of(now));
  question.next_ns = question.begun_ns + std::max(kPauseNs, kShare * took);
  question.inquiry.reset();
  const auto drops = std::exchange(question.asked, {});
  if (!answer) return;
  const auto explanation = std::make_shared<const Explanation>(std::move(*answer));
  for (const DropId& drop : drops) tell(drop, explanation);
}

void Explainer::tell(const DropId& drop, std::shared_ptr<const Explanation> explanation) {
  auto& all = names_.explanations;
  if (all.size() >= kMostDrops) all.erase(all.begin());
  all[drop] = std::move(explanation);
}

void Explainer::collect() {
  for (auto& [facts, question] : questions_) {
    if (question.inquiry) {
      if (auto answer = question.inquiry->within(std::chrono::milliseconds(0)))
        take(facts, question, std::move(*answer));
    }
    begin(facts, question);
  }
  forget(monotonic_ns());
}

void Explainer::forget(std::uint64_t now) {
  time_.forget(time_of(now));
  // The packets of those that have waited in vain have been told without.
  for (auto& [facts, question] : questions_)
    std::erase_if(question.waiting,
                  [&](const DropId& drop) { return now >= drop.time_ns + kAwaitNs; });
  std::erase_if(questions_, [&](const auto& entry) {
    const Question& question = entry.second;
    return !question.inquiry && question.waiting.empty() && now >= question.next_ns;
  });
  // The key begins with the time.
  const std::uint64_t before = now > kKeepNs ? now - kKeepNs : 0;
  names_.explanations.erase(names_.explanations.begin(),
                            names_.explanations.lower_bound(DropId{before, 0, 0}));
}

void Explainer::finish() {
  while (awaited_since() != kLatest) {
    std::this_thread::sleep_for(kLookAgain);
    collect();
  }
}

std::uint64_t Explainer::awaited_since() const {
  std::uint64_t since = kLatest;
  const std::uint64_t now = monotonic_ns();
  for (const auto& [facts, question] : questions_) {
    // The first is the oldest, or as good as that: each CPU's records come in their order.
    for (const auto* drops : {&question.asked, &question.waiting}) {
      if (!drops->empty() && now < drops->front().time_ns + kAwaitNs)
        since = std::min(since, drops->front().time_ns);
    }
  }
  return since;
}

}  // namespace dptrace
