#include "explain/explainer.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "explain/cause.hpp"
#include "explain/departures.hpp"
#include "explain/way_back.hpp"
#include "os/clock.hpp"
#include "verdict/drop_stack.hpp"

namespace dptrace {

namespace {

// Packets wait so long for their explanation. What is not answered by then stays unexplained.
constexpr std::uint64_t kAwaitNs = 1'000'000'000;
// A netns is not asked more often: drops that come meanwhile are explained together, by what is
// read after them. What takes long to read is read for a part of the time only.
constexpr std::uint64_t kPauseNs = 50'000'000;
constexpr std::uint64_t kShare = 3;
// No packet waits longer than this to be told after its drop.
constexpr std::uint64_t kKeepNs = 300'000'000'000;
constexpr std::uint64_t kCollectNs = 10'000'000;
constexpr std::chrono::milliseconds kLookAgain{2};
// Whoever has packets dropped in ever new ways, and places, gets no more room than this.
constexpr std::size_t kQuestions = 256;
constexpr std::size_t kDesks = 256;
// The oldest drops are forgotten first: their packets have been told.
constexpr std::size_t kMostDrops = 20'000;

DropId id_of(const dpt_drop& drop) {
  return {drop.hop.event.time_ns, drop.hop.netns, drop.hop.ifindex};
}

NamingTime::Clock::time_point time_of(std::uint64_t ns) {
  return NamingTime::Clock::time_point(std::chrono::nanoseconds(ns));
}

}  // namespace

void Explainer::see(const dpt_drop& drop) { ask_drop(id_of(drop), drop_facts(drop, names_)); }

void Explainer::follow(const dpt_drop& drop) {
  DropFacts facts = drop_facts(drop, names_);
  add_ends(facts, drop);
  facts.asked_by = ways_.asked_by(drop.hop);
  // The record of the hook comes behind that of the drop, mostly at once.
  if (is_by_hook(facts) && held_.has_room())
    return held_.hold(drop.hop.skb,
                      {std::move(facts), id_of(drop), monotonic_ns() + HeldDrops::kPatienceNs});
  ask_drop(id_of(drop), std::move(facts));
}

void Explainer::see(const dpt_netfilter& record) {
  if (record.result >= 0) return;
  auto drop = held_.take(record.hop.event.time_ns, record.hop.skb);
  if (!drop) return;
  drop->facts.decided_by = source_name(names_.function(record.function));
  ask_drop(drop->id, std::move(drop->facts));
}

void Explainer::ask_overdue(std::uint64_t now_ns) {
  while (auto drop = held_.take_overdue(now_ns)) ask_drop(drop->id, std::move(drop->facts));
}

void Explainer::ask_drop(const DropId& id, DropFacts facts) {
  if (facts.netns == 0) return;
  leave_out_ends(facts);
  if (!may_have_cause(facts)) {
    static const auto unknown = std::make_shared<const Explanation>(unexplained());
    return tell(id, unknown);
  }
  ask(id, std::move(facts));
}

bool Explainer::see(const dpt_hop& hop) {
  auto facts = departure_facts(hop, names_, ways_);
  if (!facts) return false;
  ask({hop.event.time_ns, hop.netns, hop.ifindex}, std::move(*facts));
  return true;
}

void Explainer::ask(const DropId& id, DropFacts facts) {
  const std::uint32_t netns = facts.netns;
  if (!desks_.contains(netns) && desks_.size() >= kDesks) return;
  Desk& desk = desks_[netns];
  Batch& batch = desk.waiting;
  // Whoever sends requests to ever new hosts leaves room for drops.
  const std::size_t room = facts.departed != Departed::kNo ? kQuestions / 2 : kQuestions;
  if (!batch.drops.contains(facts) && batch.drops.size() >= room) return;
  if (batch.drops.empty()) batch.until_ns = monotonic_ns() + kAwaitNs;
  auto& drops = batch.drops[std::move(facts)];
  if (drops.size() < kMostDrops) drops.push_back(id);
  batch.since_ns = std::min(batch.since_ns, id.time_ns);
  begin(netns, desk);
  // A reader that has much to catch up with comes to its own collect() too late.
  if (monotonic_ns() >= next_collect_ns_) collect();
}

bool Explainer::is_strangers(std::uint32_t netns) const {
  if (netns == names_.home_netns) return false;
  const auto known = names_.netns.find(netns);
  return known == names_.netns.end() || (known->second.name.empty() && known->second.pod.empty());
}

void Explainer::begin(std::uint32_t netns, Desk& desk) {
  const std::uint64_t now = monotonic_ns();
  const bool strange = is_strangers(netns);
  const int most = strange ? NetnsVisit::kMostOfStrangers : NetnsVisit::kMost;
  if (desk.inquiry || desk.waiting.drops.empty() || now < desk.next_ns ||
      NetnsVisit::under_way() >= most)
    return;
  if (strange && !time_.allows(netns, true, time_of(now))) return;
  Questions questions;
  for (const auto& [facts, drops] : desk.waiting.drops) questions.push_back(facts);
  auto inquiry = begin_(netns, std::move(questions));
  if (!inquiry) return;
  desk.inquiry.emplace(std::move(*inquiry));
  desk.asked = std::exchange(desk.waiting, {});
  desk.next_ns = now + kPauseNs;
}

void Explainer::take(std::uint32_t netns, Desk& desk, const Result<Answers>& answers) {
  const std::uint64_t now = monotonic_ns();
  desk.inquiry.reset();
  const auto asked = std::exchange(desk.asked, {}).drops;
  if (!answers || answers->explanations.size() != asked.size()) return;
  desk.next_ns = std::max(desk.next_ns, now + (kShare - 1) * answers->took_ns);
  if (is_strangers(netns)) time_.took(netns, true, time_of(now - answers->took_ns), time_of(now));
  auto answer = answers->explanations.begin();
  for (const auto& [facts, drops] : asked) {
    const auto explanation = std::make_shared<const Explanation>(*answer++);
    // Most packets that leave are no loss.
    if (facts.departed != Departed::kNo && *explanation == unexplained()) continue;
    for (const DropId& drop : drops) tell(drop, explanation);
  }
}

void Explainer::tell(const DropId& drop, std::shared_ptr<const Explanation> explanation) {
  auto& all = names_.explanations;
  if (all.size() >= kMostDrops) all.erase(all.begin());
  all[drop] = std::move(explanation);
}

void Explainer::collect() {
  next_collect_ns_ = monotonic_ns() + kCollectNs;
  ask_overdue(monotonic_ns());
  for (auto& [netns, desk] : desks_) {
    if (desk.inquiry) {
      if (const auto answers = desk.inquiry->within(std::chrono::milliseconds(0)))
        take(netns, desk, *answers);
    }
    begin(netns, desk);
  }
  forget(monotonic_ns());
}

void Explainer::forget(std::uint64_t now) {
  time_.forget(time_of(now));
  for (auto& [netns, desk] : desks_) {
    // Packets that have waited in vain have been told without.
    if (now >= desk.waiting.until_ns) desk.waiting = {};
  }
  std::erase_if(desks_, [&](const auto& entry) {
    const Desk& desk = entry.second;
    return !desk.inquiry && desk.waiting.drops.empty() && now >= desk.next_ns;
  });
  // The key begins with the time.
  const std::uint64_t before = now > kKeepNs ? now - kKeepNs : 0;
  names_.explanations.erase(names_.explanations.begin(),
                            names_.explanations.lower_bound(DropId{before, 0, 0}));
}

void Explainer::finish() {
  ask_overdue(kLatest);
  while (awaited_since() != kLatest) {
    std::this_thread::sleep_for(kLookAgain);
    collect();
  }
}

std::uint64_t Explainer::awaited_since() const {
  std::uint64_t since = held_.since();
  const std::uint64_t now = monotonic_ns();
  for (const auto& [netns, desk] : desks_) {
    for (const Batch* batch : {&desk.asked, &desk.waiting}) {
      if (now < batch->until_ns) since = std::min(since, batch->since_ns);
    }
  }
  return since;
}

Result<Explainer::Answers> answer_here(const Explainer::Questions& questions) {
  const std::uint64_t begun = monotonic_ns();
  Explainer::Answers answers;
  for (const DropFacts& facts : questions) {
    if (facts.departed != Departed::kNo) {
      answers.explanations.push_back(explain_departure_here(facts).value_or(unexplained()));
      continue;
    }
    Explanation explanation = explain_here(facts);
    if (explanation != unexplained()) add_way_back(facts, explanation);
    answers.explanations.push_back(std::move(explanation));
  }
  answers.took_ns = monotonic_ns() - begun;
  return answers;
}

}  // namespace dptrace
