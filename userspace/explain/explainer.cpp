#include "explain/explainer.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "explain/cause.hpp"
#include "os/clock.hpp"

namespace dptrace {

namespace {

// Packets wait so long for their explanation. What is not answered by then stays unexplained.
constexpr std::uint64_t kAwaitNs = 500'000'000;
// The state that an answer was read from is believed so long: not everything in it tells when it
// changes.
constexpr std::uint64_t kBelieveNs = 50'000'000;
// No packet waits longer than this to be told after its drop.
constexpr std::uint64_t kKeepNs = 300'000'000'000;
constexpr std::chrono::milliseconds kLookAgain{2};
// Whoever has packets dropped in ever new ways gets no more room than this.
constexpr std::size_t kQuestions = 64;
constexpr std::size_t kAnswers = 4096;
constexpr std::size_t kMostDrops = 100'000;

NamingTime::Clock::time_point time_of(std::uint64_t ns) {
  return NamingTime::Clock::time_point(std::chrono::nanoseconds(ns));
}

}  // namespace

void Explainer::see(const dpt_drop& drop) {
  DropFacts facts = drop_facts(drop, names_);
  if (facts.netns == 0) return;
  const DropId id{drop.hop.event.time_ns, drop.hop.netns, drop.hop.ifindex};
  if (!may_have_cause(facts)) {
    if (names_.explanations.size() < kMostDrops) names_.explanations[id] = unexplained();
    return;
  }
  const std::uint64_t now = monotonic_ns();
  const auto answered = answers_.find(facts);
  if (answered != answers_.end() && now < answered->second.asked_ns + kBelieveNs) {
    if (names_.explanations.size() < kMostDrops)
      names_.explanations[id] = answered->second.explanation;
    return;
  }
  const auto asked = std::find_if(questions_.begin(), questions_.end(),
                                  [&](const Question& one) { return one.facts == facts; });
  if (asked != questions_.end()) {
    if (asked->drops.size() < kMostDrops) asked->drops.push_back(id);
    asked->since_ns = std::min(asked->since_ns, id.time_ns);
    return;
  }
  if (questions_.size() >= kQuestions) return;
  questions_.push_back({std::move(facts), {id}, id.time_ns, now, {}});
  try_to_begin(questions_.back());
}

// Anybody may have packets dropped in another netns than dptrace's own all the time.
bool Explainer::try_to_begin(Question& question) {
  const std::uint32_t netns = question.facts.netns;
  const std::uint64_t now = monotonic_ns();
  if (netns != names_.home_netns && !time_.allows(netns, true, time_of(now))) return false;
  auto inquiry = begin_(question.facts);
  if (!inquiry) return false;
  question.begun_ns = now;
  question.inquiry.emplace(std::move(*inquiry));
  return true;
}

void Explainer::tell(const Question& question, const Explanation& explanation) {
  for (const DropId& id : question.drops) {
    if (names_.explanations.size() >= kMostDrops) return;
    names_.explanations[id] = explanation;
  }
}

void Explainer::collect() {
  const std::uint64_t now = monotonic_ns();
  for (auto question = questions_.begin(); question != questions_.end();) {
    if (!question->inquiry && now < question->begun_ns + kAwaitNs) try_to_begin(*question);
    std::optional<Result<Explanation>> answer;
    if (question->inquiry) answer = question->inquiry->within(std::chrono::milliseconds(0));
    if (!answer && now < question->begun_ns + kAwaitNs) {
      ++question;
      continue;
    }
    const Question done = std::move(*question);
    question = questions_.erase(question);
    if (!answer || !*answer) continue;
    if (done.facts.netns != names_.home_netns)
      time_.took(done.facts.netns, true, time_of(done.begun_ns), time_of(monotonic_ns()));
    tell(done, **answer);
    if (answers_.size() < kAnswers) answers_[done.facts] = {std::move(**answer), done.begun_ns};
  }
  forget(now);
}

void Explainer::forget(std::uint64_t now) {
  time_.forget(time_of(now));
  std::erase_if(answers_,
                [&](const auto& entry) { return now >= entry.second.asked_ns + kBelieveNs; });
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
  for (const Question& question : questions_) {
    if (now < question.begun_ns + kAwaitNs) since = std::min(since, question.since_ns);
  }
  return since;
}

}  // namespace dptrace
