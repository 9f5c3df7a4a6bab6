#include "timeline/timeline.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "model/losses.hpp"
#include "timeline/verdict.hpp"

namespace dptrace {

namespace {

constexpr std::uint64_t kStepNs = 10'000'000;

Hop hop_of(const dpt_hop& wire) {
  Hop hop;
  hop.time_ns = wire.event.time_ns;
  hop.skb = wire.skb;
  hop.cpu = wire.event.cpu;
  hop.length = wire.length;
  hop.point = wire.point;
  hop.interface = {wire.netns, wire.ifindex};
  hop.flow = wire.flow;
  if (wire.tunnel.kind != DPT_TUNNEL_NONE) hop.tunnel = wire.tunnel;
  return hop;
}

bool same_tuple(const dpt_flow& a, const dpt_flow& b) {
  return std::memcmp(&a.source, &b.source, sizeof a.source) == 0 &&
         std::memcmp(&a.destination, &b.destination, sizeof a.destination) == 0 &&
         a.l4.port.source == b.l4.port.source && a.l4.port.destination == b.l4.port.destination;
}

bool is_later_fragment(const dpt_flow& flow) { return (flow.fragment & 0x1fff) != 0; }

// Hops come nearly in order; a netfilter verdict is told after the free it led to, with the time of
// the free.
void put_in_order(Packet& packet) {
  std::stable_sort(packet.hops.begin(), packet.hops.end(), [](const Hop& a, const Hop& b) {
    if (a.time_ns != b.time_ns) return a.time_ns < b.time_ns;
    return a.point != DPT_POINT_DROP && b.point == DPT_POINT_DROP;
  });
}

// What copies of the packet did beside it: each raw socket gets one, the original is freed when
// they are served; and a full receive buffer undoes what the socket's hop said.
void leave_out_copies(Packet& packet) {
  bool taken = false;
  std::erase_if(packet.hops, [&](const Hop& hop) {
    if (hop.point == DPT_POINT_DROP) return packet.verdict != Verdict::kDropped;
    if (hop.point != DPT_POINT_SOCKET) return false;
    return packet.verdict == Verdict::kDropped || std::exchange(taken, true);
  });
}

// What a record could not tell, the hop before tells.
void complete(Packet& packet) {
  const Hop* before = nullptr;
  for (auto& hop : packet.hops) {
    if (before != nullptr) {
      if (hop.flow.family == 0) hop.flow = before->flow;
      // A socket's hop has no device when TCP has let go of it.
      if (hop.interface.netns == 0) hop.interface = before->interface;
      hop.new_flow = !is_later_fragment(hop.flow) && !is_later_fragment(before->flow) &&
                     !same_tuple(hop.flow, before->flow);
    }
    before = &hop;
  }
}

}  // namespace

void Timeline::add(const Event& event) {
  if (const auto* hop = std::get_if<dpt_hop>(&event)) add_hop(*hop);
  if (const auto* drop = std::get_if<dpt_drop>(&event)) add_drop(*drop);
  if (const auto* netfilter = std::get_if<dpt_netfilter>(&event)) add_netfilter(*netfilter);
}

Live* Timeline::live_of(const dpt_hop& hop, bool may_begin) {
  const auto found = identity_.find(hop);
  Live* live = found.live;
  if (live == nullptr) {
    if (!may_begin) return nullptr;
    if (live_.size() >= limits_.packets) {
      identity_.leave(live_.front());
      displaced_.splice(displaced_.end(), live_, live_.begin());
      ++forgotten_;
    }
    live = &live_.emplace_back();
    live->packet.id = next_id_++;
    live->packet.hops.reserve(usual_hops_);
    received_.note(hop.flow);
  }
  if (found.relation == Identity::Relation::kPart) ++live->packet.segments;
  live->last_ns = std::max<std::uint64_t>(live->last_ns, hop.event.time_ns);
  live->unsettled = true;
  identity_.enter(*live, hop);
  return live;
}

void Timeline::add_hop(const dpt_hop& wire) {
  Live* live = live_of(wire, true);
  auto& packet = live->packet;
  // Parts cross where the first of them did: told once.
  if (packet.segments != 0 && has_crossed(packet, wire)) return;
  note_growth(*live, wire);
  packet.hops.push_back(hop_of(wire));
}

// A packet that has become longer is one that GRO merged others into.
void Timeline::note_growth(Live& live, const dpt_hop& hop) {
  const std::uint32_t payload = tcp_payload(hop);
  if (live.stream == 0 || payload <= live.payload || hop.flow.sequence != live.first_sequence)
    return;
  for (Live* other : identity_.absorbed_by(live, payload)) {
    other->packet.merged_into = live.packet.id;
    other->unsettled = true;
  }
  live.payload = payload;
}

// An old time stamp (PAWS) is no sign of what was lost: a retransmission that was overtaken has
// one, and so has a segment that nothing else has carried. The destination's acknowledgments tell.
bool Timeline::is_repetition(const Drop& drop, const dpt_flow& flow) const {
  if (!drop.reason) return false;
  const auto reason = names_.reasons.find(*drop.reason);
  return reason != names_.reasons.end() && reason->second == "TCP_RFC7323_PAWS" &&
         received_.had(flow);
}

void Timeline::add_drop(const dpt_drop& wire) {
  Drop drop;
  drop.time_ns = wire.hop.event.time_ns;
  drop.location = wire.location;
  if (wire.has_reason) drop.reason = wire.reason;
  drop.interface = {wire.hop.netns, wire.hop.ifindex};
  drop.stack.assign(wire.stack, wire.stack + wire.stack_depth);
  End end = limits_.every_end ? End::kLoss : end_of(drop, wire.hop.flow, names_);
  const bool was_taken =
      is_repetition(drop, wire.hop.flow) ||
      (received_.meets_time_wait(wire.hop.flow) && may_be_time_wait(drop, names_));
  if (!limits_.every_end && was_taken) end = End::kTaken;
  drop.loss = end == End::kLoss;

  // A harmless free of a packet that was told long ago begins nothing.
  Live* live = live_of(wire.hop, drop.loss);
  if (live == nullptr) return;
  if (end != End::kNothing) {
    Hop hop = hop_of(wire.hop);
    hop.point = drop.loss ? DPT_POINT_DROP : DPT_POINT_SOCKET;
    hop.function = wire.location;
    live->packet.hops.push_back(std::move(hop));
  }
  live->drops.push_back({std::move(drop), wire.hop.skb});
}

void Timeline::add_netfilter(const dpt_netfilter& wire) {
  Live* live = live_of(wire.hop, wire.hop.flow.family != 0);
  if (live == nullptr) return;
  Hop hop = hop_of(wire.hop);
  hop.function = wire.function;
  hop.netfilter = NetfilterVerdict{wire.family, wire.hook, wire.result, wire.function};
  live->packet.hops.push_back(std::move(hop));
}

bool Timeline::is_due(Live& live, std::uint64_t now_ns) const {
  if (now_ns < live.last_ns + limits_.settle_ns) return false;
  if (now_ns >= live.last_ns + limits_.age_ns) return true;
  if (!live.unsettled) return false;
  live.unsettled = false;
  put_in_order(live.packet);
  const auto verdict = judge(live, names_).verdict;
  // What was queued to user space may come back.
  return verdict != Verdict::kUnfinished &&
         (verdict != Verdict::kStolen || live.packet.merged_into != 0);
}

void Timeline::advance(std::uint64_t now_ns, const Receiver& receive) {
  const std::uint64_t steps = now_ns / kStepNs;
  if (steps_ >= steps) return;
  // After so many steps without events nothing is left but what claims to be from the future.
  const std::uint64_t last = std::min(steps, steps_ + limits_.age_ns / kStepNs + 2);
  while (steps_ < last && !empty()) step(++steps_ * kStepNs, receive);
  if (steps_ < steps && !live_.empty()) step(steps * kStepNs, receive);
  steps_ = steps;
}

void Timeline::step(std::uint64_t now_ns, const Receiver& receive) {
  std::list<Live> due = std::move(displaced_);
  displaced_.clear();
  for (auto live = live_.begin(); live != live_.end();) {
    const auto next = std::next(live);
    if (is_due(*live, now_ns)) {
      identity_.leave(*live);
      due.splice(due.end(), live_, live);
    }
    live = next;
  }
  hand_over(due, receive);
}

void Timeline::finish(const Receiver& receive) {
  displaced_.splice(displaced_.end(), live_);
  identity_ = {};
  std::list<Live> due = std::move(displaced_);
  displaced_.clear();
  hand_over(due, receive);
}

void Timeline::hand_over(std::list<Live>& due, const Receiver& receive) {
  std::erase_if(due, [](const Live& live) { return live.packet.hops.empty(); });
  for (auto& live : due) put_in_order(live.packet);
  due.sort([](const Live& a, const Live& b) { return a.packet.start_ns() < b.packet.start_ns(); });
  for (auto& live : due) {
    auto& packet = live.packet;
    complete(packet);
    const auto judgement = judge(live, names_);
    packet.verdict = judgement.verdict;
    if (judgement.drop != nullptr) packet.drop = *judgement.drop;
    usual_hops_ = packet.hops.size();
    if (!limits_.every_end) leave_out_copies(packet);
    receive(std::move(packet));
  }
}

}  // namespace dptrace
