#include "verdict/telling.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <utility>

namespace dptrace {

namespace {

bool same_tuple(const dpt_flow& a, const dpt_flow& b) {
  return std::memcmp(&a.source, &b.source, sizeof a.source) == 0 &&
         std::memcmp(&a.destination, &b.destination, sizeof a.destination) == 0 &&
         a.l4.port.source == b.l4.port.source && a.l4.port.destination == b.l4.port.destination;
}

/// Gives a hop that lacks facts those of the last hop of the same skb, or of the skb that it was
/// copied or cut from, or else of the hop before.
void fill_gaps(Live& live) {
  auto& hops = live.packet.hops;
  std::vector<const Hop*> last(live.branches.size(), nullptr);
  const Hop* before_all = nullptr;
  for (auto& hop : hops) {
    const Hop* before = nullptr;
    for (std::uint16_t i = hop.branch; i != kNoParent && before == nullptr;
         i = live.branches[i].parent) {
      before = last[i];
    }
    if (before == nullptr) before = before_all;
    if (before != nullptr) {
      if (hop.flow.family == 0) hop.flow = before->flow;
      // A hop at a socket has no device when TCP has already taken the device from the skb.
      if (hop.interface.netns == 0) hop.interface = before->interface;
      hop.new_flow = !is_later_fragment(hop.flow) && !is_later_fragment(before->flow) &&
                     !same_tuple(hop.flow, before->flow);
    }
    last[hop.branch] = before_all = &hop;
  }
}

/// The loss of a copy is told when the packet was meant for many, or when no other copy is known to
/// have arrived.
bool is_told(const Live& live, const LiveDrop& drop) {
  if (live.branches[drop.branch].fate != Fate::kLost) return false;
  const Verdict verdict = live.packet.verdict;
  return live.to_many || (verdict != Verdict::kDelivered && verdict != Verdict::kLeftNode);
}

/// Leaves out frees that decided nothing. When several sockets of a netns took a copy, one of them
/// is told.
void leave_out_copies(Live& live, const LiveDrop* decided) {
  std::set<std::uint32_t> took;
  std::set<std::uint16_t> lost;
  if (decided != nullptr) lost.insert(decided->branch);
  for (const auto& drop : live.drops) {
    if (!live.in_parts && is_told(live, drop)) lost.insert(drop.branch);
  }
  std::erase_if(live.packet.hops, [&](const Hop& hop) {
    const Fate fate = live.branches[hop.branch].fate;
    if (hop.point == DPT_POINT_DROP) return !lost.contains(hop.branch);
    if (hop.point != DPT_POINT_SOCKET) return false;
    // A socket that took the packet and then dropped it had a full receive buffer; only the drop is
    // told.
    return (!has_arrived(fate) && fate != Fate::kAsked) || !took.insert(hop.interface.netns).second;
  });
}

Part part_of(const Live& live, const Range& range) {
  const Part::Kind kind = live.gso_datagrams ? Part::Kind::kSegment : live.kind;
  return {kind, live.base + range.begin, range.size()};
}

bool is_part(const Live& live, const Branch& branch) {
  return live.in_parts && branch.range.size() != 0 && branch.range != live.whole();
}

/// Tells the losses: those of the packet when it is dropped, or else those of copies while other
/// copies arrived.
void tell_drops(Live& live, const Judgement& judgement) {
  Packet& packet = live.packet;
  for (auto& lost : live.drops) {
    const Branch& branch = live.branches[lost.branch];
    const bool decided = &lost == judgement.drop;
    if (!decided && !is_told(live, lost)) continue;
    lost.drop.loss = true;
    if (is_part(live, branch)) lost.drop.part = part_of(live, branch.range);
    lost.drop.copy = !decided && !lost.drop.part;
    packet.drops.push_back(lost.drop);
    if (decided) std::swap(packet.drops.front(), packet.drops.back());
  }
  if (judgement.drop != nullptr) {
    packet.drop = packet.drops.front();
    if (packet.drops.size() == 1) packet.drops.clear();
  }
}

/// Tells how each copy of a packet to many has ended.
void tell_copies(Live& live, const Names& names) {
  if (!live.to_many) return;
  for (const auto& branch : live.branches) {
    const Verdict verdict = verdict_of(branch, names);
    if (verdict != Verdict::kUnfinished) live.packet.copies.push_back({branch.last, verdict});
  }
  if (live.packet.copies.size() < 2) live.packet.copies.clear();
}

/// Counts the parts at the device that saw the most of them.
void count_parts(Live& live) {
  if (!live.in_parts) return;
  std::map<std::pair<InterfaceId, std::uint8_t>, std::uint32_t> parts;
  std::uint32_t most = 0;
  for (const auto& crossing : live.crossings) {
    if (crossing.range == live.whole()) continue;
    most = std::max(most, ++parts[{crossing.interface, crossing.point}]);
  }
  live.packet.segments = most;
  const bool cut_here = live.kind == Part::Kind::kSegment || live.gso_datagrams;
  live.packet.part_kind = cut_here ? Part::Kind::kSegment : Part::Kind::kFragment;
}

/// Tells an end that is no loss (--all) when the packet has no other end.
void tell_harmless_end(Live& live) {
  if (live.packet.drop || live.drops.empty()) return;
  live.packet.drop = live.drops.back().drop;
  live.packet.drop->loss = false;
}

}  // namespace

void put_in_order(Packet& packet) {
  std::stable_sort(packet.hops.begin(), packet.hops.end(), [](const Hop& a, const Hop& b) {
    if (a.time_ns != b.time_ns) return a.time_ns < b.time_ns;
    return a.point != DPT_POINT_DROP && b.point == DPT_POINT_DROP;
  });
}

void make_ready(Live& live, const Names& names, bool every_end) {
  fill_gaps(live);
  const auto judgement = judge(live, names);
  live.packet.verdict = judgement.verdict;
  live.packet.nobody_wanted = judgement.nobody_wanted;
  live.packet.unanswered = judgement.unanswered || live.unheard;
  live.packet.reader_closed = judgement.reader_closed;
  tell_drops(live, judgement);
  tell_copies(live, names);
  count_parts(live);
  if (every_end) {
    tell_harmless_end(live);
  } else {
    leave_out_copies(live, judgement.drop);
  }
}

}  // namespace dptrace
