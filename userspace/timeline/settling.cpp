// A packet settles, and is told, once no more events of it are expected.
#include <algorithm>
#include <utility>

#include "timeline/order.hpp"
#include "timeline/ours.hpp"
#include "timeline/timeline.hpp"
#include "verdict/departure.hpp"
#include "verdict/telling.hpp"
#include "verdict/verdict.hpp"

namespace dptrace {

namespace {

constexpr std::uint64_t kStepNs = 10'000'000;
constexpr std::size_t kTold = 1024;

}  // namespace

bool Timeline::is_waiting(const Live& live) const {
  if (live.kind == Part::Kind::kFragment && live.in_parts && !live.gso_datagrams) return true;
  return std::any_of(live.branches.begin(), live.branches.end(),
                     [](const Branch& branch) { return branch.fate == Fate::kKept; });
}

// A listener whose queue is full frees the request for a connection as if it had taken it, so only
// an answer shows that it did. The kernel makes the answer while it handles the request, so the
// answer is seen before the request is told.
void Timeline::ask_listeners(Live& live) const {
  for (auto& branch : live.branches) {
    if (branch.fate != Fate::kAsked) continue;
    dpt_flow request = live.packet.flow();
    request.source = branch.tuple.source;
    request.destination = branch.tuple.destination;
    request.l4.port = {branch.tuple.source_port, branch.tuple.destination_port};
    if (connections_.has_answered(request)) branch.fate = Fate::kTaken;
    live.unsettled = true;
  }
}

// One answer to the address of a pod shows for all of them that the network outside routes them:
// what is not answered then has another cause.
bool Timeline::is_answered_or_unheard(Live& live, std::uint64_t now_ns) {
  const Hop& left = live.packet.hops.back();
  bool& answers = outside_answers_[left.flow.family == 6];
  answers |= live.awaits == Refutation::kAnyAnswer && heard_.reaches(left.flow);
  if (answers && live.awaits == Refutation::kAnyAnswer) return true;
  if (heard_.has_answered(left.flow, left.time_ns)) return true;
  live.unheard = now_ns >= live.last_ns + limits_.answer_ns;
  return live.unheard;
}

bool Timeline::is_due(Live& live, std::uint64_t now_ns) {
  if (now_ns < live.last_ns + limits_.settle_ns) return false;
  ask_listeners(live);
  const bool waits = now_ns < live.last_ns + limits_.patience_ns && is_waiting(live);
  if (!waits && now_ns >= live.last_ns + limits_.age_ns) return true;
  const auto is_without_key = [&] { return now_ns >= live.last_ns + limits_.key_ns; };
  if (!live.unsettled) {
    return (live.encrypted && is_without_key()) ||
           (live.awaits != Refutation::kNothing && is_answered_or_unheard(live, now_ns));
  }
  live.unsettled = false;
  put_in_order(live.packet);
  const auto judgement = judge(live, names_);
  live.encrypted =
      judgement.verdict == Verdict::kStolen && live.packet.merged_into == 0 && !is_waiting(live);
  if (live.encrypted) return is_without_key();
  if (judgement.nobody_wanted) return true;
  // No answer will come: the listener makes it at once, or never.
  if (judgement.unanswered && live.packet.full_listener) return true;
  if (judgement.verdict == Verdict::kUnfinished) return false;
  const bool has_left = judgement.verdict == Verdict::kLeftNode;
  const Explanation* departure = has_left ? departure_of(live.packet, names_) : nullptr;
  live.awaits = departure == nullptr ? Refutation::kNothing : refutation_of(*departure);
  if (live.awaits != Refutation::kNothing) return is_answered_or_unheard(live, now_ns);
  // A packet that was queued to user space may come back.
  return judgement.verdict != Verdict::kStolen || !is_waiting(live);
}

void Timeline::advance(std::uint64_t now_ns, const Receiver& receive) {
  const std::uint64_t steps = now_ns / kStepNs;
  if (steps_ >= steps) return;
  // After patience_ns without an event, only packets whose times are in the future are left, and
  // one last step is enough for them.
  const std::uint64_t last = std::min(steps, steps_ + limits_.patience_ns / kStepNs + 2);
  while (steps_ < last && !empty()) step(++steps_ * kStepNs, receive);
  if (steps_ < steps && !live_.empty()) step(steps * kStepNs, receive);
  steps_ = steps;
}

void Timeline::displace_oldest() {
  if (live_.empty()) return;
  identity_.leave(live_.front());
  all_hops_ -= live_.front().packet.hops.size();
  displaced_.splice(displaced_.end(), live_, live_.begin());
  ++forgotten_;
}

void Timeline::step(std::uint64_t now_ns, const Receiver& receive) {
  std::list<Live> due = std::move(displaced_);
  displaced_.clear();
  for (auto live = live_.begin(); live != live_.end();) {
    const auto next = std::next(live);
    if (is_due(*live, now_ns)) {
      all_hops_ -= live->packet.hops.size();
      due.splice(due.end(), live_, live);
    }
    live = next;
  }
  hand_over(due, receive);
  while (!told_.empty() &&
         (told_.size() > kTold || now_ns >= told_.front().last_ns + limits_.patience_ns)) {
    identity_.leave(told_.front());
    told_.pop_front();
  }
}

void Timeline::finish(const Receiver& receive) {
  displaced_.splice(displaced_.end(), live_);
  all_hops_ = 0;
  std::list<Live> due = std::move(displaced_);
  displaced_.clear();
  hand_over(due, receive);
  told_.clear();
  identity_ = {};
}

void Timeline::hand_over(std::list<Live>& due, const Receiver& receive) {
  for (auto& live : due) {
    put_in_order(live.packet);
    ask_listeners(live);
  }
  due.sort([](const Live& a, const Live& b) {
    const auto start = [](const Live& live) {
      return live.packet.hops.empty() ? live.last_ns : live.packet.start_ns();
    };
    return start(a) < start(b);
  });
  for (auto& live : due) {
    if (live.packet.hops.empty()) continue;
    make_ready(live, names_, limits_.every_end);
    if (live.packet.hops.empty()) continue;  // only the ends of copies were seen
    if (!is_ours(live, live.packet.verdict)) continue;
    usual_hops_ = live.packet.hops.size();
    receive(std::move(live.packet));
    live.packet.hops.clear();
    live.told = true;
  }
  remember(due);
}

// The kernel still has the other fragments of a datagram that was told as dropped, and gives them
// up later. The datagram is kept so that these frees do not begin a new packet.
void Timeline::remember(std::list<Live>& told) {
  for (auto live = told.begin(); live != told.end();) {
    const auto next = std::next(live);
    const bool in_fragments =
        live->in_parts && live->kind == Part::Kind::kFragment && !live->gso_datagrams;
    if (in_fragments) {
      told_.splice(told_.end(), told, live);
    } else {
      identity_.leave(*live);
    }
    live = next;
  }
}

}  // namespace dptrace
