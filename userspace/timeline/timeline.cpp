#include "timeline/timeline.hpp"

#include <linux/if_packet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "timeline/order.hpp"
#include "verdict/drop_stack.hpp"
#include "verdict/losses.hpp"
#include "verdict/quiet_end.hpp"
#include "verdict/verdict.hpp"

namespace dptrace {

namespace {

// Crossings tell packets apart, so more of them than of hops are kept for each packet.
constexpr std::size_t kCrossings = 4096;

Hop hop_of(const dpt_hop& wire, std::uint16_t branch) {
  Hop hop;
  hop.time_ns = wire.event.time_ns;
  hop.skb = wire.skb;
  hop.cpu = wire.event.cpu;
  hop.length = wire.length;
  hop.point = wire.point;
  hop.branch = branch;
  hop.interface = {wire.netns, wire.ifindex};
  hop.flow = wire.flow;
  if (wire.tunnel.kind != DPT_TUNNEL_NONE) hop.tunnel = wire.tunnel;
  return hop;
}

bool is_receive(std::uint8_t point) {
  return point == DPT_POINT_TC_INGRESS || point == DPT_POINT_DEVICE_RECEIVE;
}

Fate fate_of(End end) {
  switch (end) {
    case End::kLoss:
      return Fate::kLost;
    case End::kTaken:
      return Fate::kTaken;
    case End::kClosed:
      return Fate::kClosed;
    case End::kUnwanted:
      return Fate::kUnwanted;
    case End::kCopy:
      break;
  }
  return Fate::kFreed;
}

Drop drop_of(const dpt_drop& wire) {
  Drop drop;
  drop.time_ns = wire.hop.event.time_ns;
  drop.location = wire.location;
  if (wire.has_reason) drop.reason = wire.reason;
  drop.interface = {wire.hop.netns, wire.hop.ifindex};
  drop.stack.assign(wire.stack, wire.stack + wire.stack_depth);
  if (wire.hop.tunnel.kind != DPT_TUNNEL_NONE) drop.tunnel = wire.hop.tunnel;
  return drop;
}

// The drop of the packet at `time_ns`, to which a hook led; null when there is none.
Drop* drop_at(Live& live, std::uint64_t time_ns) {
  const auto died = std::find_if(live.drops.rbegin(), live.drops.rend(),
                                 [&](const LiveDrop& one) { return one.drop.time_ns == time_ns; });
  return died == live.drops.rend() ? nullptr : &died->drop;
}

// The hook function that dropped the packet, from the stack of the free at `time_ns` to which the
// hook led; 0 when there is no such free, or its stack does not name the function.
std::uint64_t decider_of(Live& live, std::uint64_t time_ns, const Names& names) {
  const Drop* drop = drop_at(live, time_ns);
  return drop == nullptr ? 0 : deciding_location(*drop, names);
}

}  // namespace

void Timeline::add(const Event& event) {
  if (const auto* hop = std::get_if<dpt_hop>(&event)) add_hop(*hop);
  if (const auto* drop = std::get_if<dpt_drop>(&event)) add_drop(*drop);
  if (const auto* netfilter = std::get_if<dpt_netfilter>(&event)) add_netfilter(*netfilter);
  if (const auto* end = std::get_if<dpt_end>(&event)) add_end(*end);
  if (const auto* lost = std::get_if<dpt_lost>(&event)) add_lost(*lost);
  if (const auto* rule = std::get_if<dpt_rule>(&event)) add_rule(*rule);
  if (const auto* full = std::get_if<dpt_full_listener>(&event)) add_full_listener(*full);
}

Timeline::Place Timeline::begin(const Sighting& seen) {
  if (live_.size() >= limits_.packets || all_hops_ >= limits_.all_hops) displace_oldest();
  Live& live = live_.emplace_back();
  const dpt_flow& flow = seen.hop.flow;
  live.packet.id = next_id_++;
  live.packet.hops.reserve(usual_hops_);
  live.packet.retransmission = connections_.is_retransmission(flow);
  if (seen.hop.event.time_ns <= lossy_until_) live.packet.incomplete = lossy_why_;
  live.kind = seen.extent.kind;
  live.in_parts = is_fragment(flow);
  live.base = live.in_parts ? 0 : seen.extent.begin;
  live.length = seen.extent.begin - live.base + seen.extent.length;
  live.gso_datagrams =
      flow.protocol == IPPROTO_UDP && !live.in_parts && (seen.hop.flags & DPT_HOP_GSO) != 0;
  if (live.gso_datagrams) live.length = udp_payload(flow);
  if (seen.at_sender) {
    live.sender = seen.hop.netns;
    owners_.note(flow.source, seen.hop.netns);
  }
  live.owner = owners_.of(flow.destination);
  live.branches.push_back({});
  const Place place{&live, 0};
  place->range = {seen.extent.begin - live.base, live.length};
  place->first_ns = seen.hop.event.time_ns;
  place->first = {seen.hop.netns, seen.hop.ifindex};
  place->first_point = seen.hop.point;
  return place;
}

Timeline::Place Timeline::fork(const Identity::Found& found, const Sighting& seen) {
  Live& live = *found.live;
  if (live.branches.size() >= limits_.branches) {
    ++live.packet.left_out;
    return {};
  }
  const Place place{&live, static_cast<std::uint16_t>(live.branches.size())};
  std::uint16_t parent = found.branch;
  // The parent of a part is the newest skb that carries its bytes.
  for (std::uint16_t i = 0; parent == kNoParent && i < place.branch; ++i) {
    const Branch& other = live.branches[place.branch - 1 - i];
    if (other.may_go_on() && other.range.covers(found.range)) parent = place.branch - 1 - i;
  }
  live.branches.push_back({});
  place->parent = parent;
  place->range = found.range;
  place->first_ns = seen.hop.event.time_ns;
  place->first = {seen.hop.netns, seen.hop.ifindex};
  place->first_point = seen.hop.point;
  if (live.sender == 0 && seen.at_sender) live.sender = seen.hop.netns;
  if (found.range != live.whole()) live.in_parts = true;
  if (live.gso_datagrams && found.relation == Identity::Relation::kPart) {
    if (live.segment == 0) live.segment = found.range.size();
    live.segmented = std::max(live.segmented, found.range.end);
  }
  return place;
}

Timeline::Place Timeline::place_of(const Sighting& seen, bool may_begin) {
  const auto found = identity_.find(seen);
  if (found.live != nullptr && found.live->told) return {};
  Place place{found.live, found.branch};
  if (found.relation == Identity::Relation::kNone) {
    if (!may_begin) return {};
    place = begin(seen);
  } else if (found.relation != Identity::Relation::kSameSkb) {
    place = fork(found, seen);
    if (place.live == nullptr) return {};
  }
  const bool is_new = place->last_ns == 0;
  // The addresses on each side of NAT are a connection of their own, so the packet is noted once on
  // each side.
  if (seen.has_flow && (place.live->branches.size() == 1 || !is_new) &&
      (is_new || !same(place->tuple, seen.tuple))) {
    connections_.note(seen.hop.flow);
    heard_.note(seen.hop.flow, seen.hop.event.time_ns, is_new && is_receive(seen.hop.point));
  }
  update(place, seen, is_new ? place->range : found.range);
  return place;
}

void Timeline::update(Place place, const Sighting& seen, const Range& range) {
  Live& live = *place.live;
  const dpt_hop& hop = seen.hop;
  place->skb = hop.skb;
  place->key = hop.key;
  place->last_ns = std::max<std::uint64_t>(place->last_ns, hop.event.time_ns);
  if (hop.ifindex != 0) place->last = {hop.netns, hop.ifindex};
  place->last_point = hop.point;
  place->looped |= hop.packet_type == PACKET_LOOPBACK;
  live.last_ns = std::max<std::uint64_t>(live.last_ns, hop.event.time_ns);
  live.unsettled = true;
  live.matched |= (hop.flags & DPT_HOP_MATCHES) != 0;
  live.to_many |= seen.to_many;
  if (live.sender != 0 && hop.netns != 0 && hop.netns != live.sender) live.has_left_sender = true;
  if (seen.has_flow) {
    place->tuple = seen.tuple;
    live.gso_datagrams |=
        hop.flow.protocol == IPPROTO_UDP && !live.in_parts && (hop.flags & DPT_HOP_GSO) != 0;
    if (live.kind == Part::Kind::kFragment && !live.gso_datagrams) {
      live.length = std::max(live.length, range.end);
      live.in_parts |= is_fragment(hop.flow);
    }
    const bool grew = range.size() > place->range.size();
    place->range = range;
    if (grew || place.branch != 0) merge_covered(place);
    merge_streams(place, seen);
  }
  if (place->fate == Fate::kKept || place->fate == Fate::kSealed || place->fate == Fate::kMerged)
    place->fate = Fate::kOpen;
  identity_.enter(live, place.branch, seen);
  if (seen.is_crossing && live.crossings.size() < kCrossings)
    live.crossings.push_back(crossing_of(seen, place->range));
}

// Reassembly and GRO have put the bytes of the covered skbs into this one.
void Timeline::merge_covered(Place place) {
  for (auto& other : place.live->branches) {
    if (&other == &*place.operator->() || other.has_ended()) continue;
    if (other.range != place->range && place->range.covers(other.range)) other.fate = Fate::kMerged;
  }
}

// A TCP skb that has grown beyond its packet contains the packets behind it, which GRO merged into
// it.
void Timeline::merge_streams(Place place, const Sighting& seen) {
  Live& live = *place.live;
  if (seen.hop.flow.protocol != IPPROTO_TCP) return;
  const std::uint32_t begin = seen.extent.begin - live.base;
  const std::uint32_t end = begin + seen.extent.length;
  if (seen.extent.length == 0 || begin >= live.length || end <= live.length) return;
  place->range = {begin, live.length};
  if (begin != 0) live.in_parts = true;
  merge_covered(place);
  for (Live* other : identity_.merged_into(live, end)) {
    other->packet.merged_into = live.packet.id;
    other->unsettled = true;
  }
}

bool Timeline::push(Live& live, Hop hop) {
  if (live.packet.hops.size() >= limits_.hops) {
    ++live.packet.left_out;
    return false;
  }
  live.packet.hops.push_back(std::move(hop));
  ++all_hops_;
  return true;
}

void Timeline::add_hop(const dpt_hop& wire) {
  const Sighting seen = sighting_of(wire);
  const auto has_hop_here = [&](const Live& live) {
    return std::any_of(live.packet.hops.begin(), live.packet.hops.end(), [&](const Hop& hop) {
      return hop.point == wire.point && hop.interface == InterfaceId{wire.netns, wire.ifindex} &&
             hop.flow.ttl == wire.flow.ttl;
    });
  };
  const Place place = place_of(seen, true);
  if (place.live == nullptr) return;
  if (wire.point == DPT_POINT_SOCKET)
    place->fate = Connections::is_request(wire.flow) ? Fate::kAsked : Fate::kTaken;
  if (wire.point == DPT_POINT_ENCAPSULATE) place->fate = Fate::kSealed;
  // Several parts of a packet cross the same point, which is told once.
  if (place.live->in_parts && has_hop_here(*place.live)) return;
  push(*place.live, hop_of(wire, place.branch));
}

// TCP refuses segments that bring nothing: repetitions, and segments of a connection that is over.
// Such a refusal is no loss.
bool Timeline::brings_nothing(const Drop& drop, const dpt_flow& flow) const {
  if (flow.protocol != IPPROTO_TCP) return false;
  const auto reason = drop.reason ? names_.reasons.find(*drop.reason) : names_.reasons.end();
  const bool by_tcp = names_.function(dropping_location(drop, names_)).starts_with("tcp_") ||
                      (reason != names_.reasons.end() && reason->second.starts_with("TCP_"));
  if (!by_tcp) return false;
  if (connections_.meets_time_wait(flow) && may_be_time_wait(drop, names_)) return true;
  return connections_.had(flow) || connections_.is_afterword(flow) ||
         connections_.resets_known(flow);
}

void Timeline::add_drop(const dpt_drop& wire) {
  Drop drop = drop_of(wire);
  Freed freed = freed_of(drop, wire.hop, names_);
  freed.over = connections_.receiver_has_left(wire.hop.flow);
  End end = end_of(freed);
  if (end == End::kLoss && brings_nothing(drop, wire.hop.flow)) end = End::kTaken;
  drop.loss = end == End::kLoss;

  // A free that is no loss begins no packet, because its packet may have been told long ago.
  const Place place = place_of(sighting_of(wire.hop), drop.loss || limits_.every_end);
  if (place.live == nullptr) return;
  const bool had_arrived = has_arrived(place->fate);
  const Fate fate = fate_of(end);
  // After a socket has taken the packet, only a loss changes its fate: the kernel also frees the
  // socket's copy when it was read, and empties the queue of a closed socket.
  if (!(had_arrived && fate != Fate::kLost)) place->fate = fate;
  if (place.live->drops.size() >= limits_.drops) {
    ++place.live->packet.left_out;
    return;
  }
  Hop hop = hop_of(wire.hop, place.branch);
  hop.point = has_arrived(fate) ? DPT_POINT_SOCKET : DPT_POINT_DROP;
  hop.function = wire.location;
  push(*place.live, std::move(hop));
  place.live->drops.push_back({std::move(drop), place.branch});
}

void Timeline::add_netfilter(const dpt_netfilter& wire) {
  const Sighting seen = sighting_of(wire);
  const Place place = place_of(seen, seen.has_flow);
  if (place.live == nullptr) return;
  if (wire.result == 0 && !place->has_ended()) place->fate = Fate::kKept;
  Hop hop = hop_of(wire.hop, place.branch);
  hop.function = wire.function;
  if (wire.result < 0 && wire.function == 0)
    hop.function = decider_of(*place.live, wire.hop.event.time_ns, names_);
  hop.netfilter = NetfilterVerdict{wire.family, wire.hook, wire.result, hop.function};
  push(*place.live, std::move(hop));
}

void Timeline::add_end(const dpt_end& wire) {
  const auto found = identity_.find(wire.skb, wire.key);
  if (found.live == nullptr || found.live->drops.size() >= limits_.drops) return;
  const Place place{found.live, found.branch};
  const QuietEnd end = quiet_end_of(names_.function(wire.location));
  place.live->unsettled = true;
  if (end == QuietEnd::kTaken) {
    place->fate = Fate::kTaken;
    Hop hop;
    hop.time_ns = wire.event.time_ns;
    hop.skb = wire.skb;
    hop.cpu = wire.event.cpu;
    hop.point = DPT_POINT_SOCKET;
    hop.branch = place.branch;
    hop.interface = place->last;
    push(*place.live, std::move(hop));
    return;
  }
  place->fate = Fate::kConsumed;
  if (end != QuietEnd::kDiscarded) return;
  Drop drop;
  drop.time_ns = wire.event.time_ns;
  drop.location = wire.location;
  drop.interface = place->last;
  place.live->drops.push_back({std::move(drop), place.branch});
}

void Timeline::add_rule(const dpt_rule& wire) {
  const auto found = identity_.find_ended(wire.skb, wire.key);
  if (found.live == nullptr) return;
  if (Drop* drop = drop_at(*found.live, wire.event.time_ns)) drop->rule = deciding_rule(wire);
}

void Timeline::add_full_listener(const dpt_full_listener& wire) {
  const auto found = identity_.find_ended(wire.skb, wire.key);
  if (found.live == nullptr) return;
  found.live->packet.full_listener = ListenQueue{wire.waiting, wire.limit, wire.somaxconn};
  found.live->unsettled = true;
}

void Timeline::add_lost(const dpt_lost& wire) {
  lossy_until_ = std::max<std::uint64_t>(lossy_until_, wire.event.time_ns);
  lossy_why_ = wire.records == 0 ? Incomplete::kNotArmed : Incomplete::kEventsLost;
  for (auto& live : live_) {
    live.packet.incomplete = lossy_why_;
    live.unsettled = true;
  }
}

}  // namespace dptrace
