#include "timeline/identity.hpp"

#include <netinet/in.h>
#include <netinet/ip.h>

#include <algorithm>
#include <optional>

#include "timeline/order.hpp"

namespace dptrace {

namespace {

// by_content() looks at this many packets of equal content, the newest. When there are more, their
// skbs tell them apart.
constexpr std::size_t kLookBack = 8;
// A datagram shorter than the smallest MTU that IPv4 hosts must accept is not fragmented in
// practice.
constexpr std::uint32_t kFragmentable = 576;
constexpr std::uint64_t kSoonNs = 200'000'000;

std::uint64_t content_of(std::uint64_t key, const Tuple& tuple) { return mix(key, tuple); }

std::uint64_t stream_of(const dpt_flow& flow, const Tuple& tuple) {
  return mix(flow.protocol, tuple);
}

bool may_be_in_fragments(const dpt_flow& flow) {
  if (flow.family == 0 || flow.protocol == IPPROTO_TCP) return false;
  return is_fragment(flow) || (flow.ip_id != 0 && flow.length >= kFragmentable);
}

std::uint64_t datagram_of(const dpt_flow& flow, const Tuple& tuple) {
  const Tuple addresses{tuple.source, tuple.destination, 0, 0};
  return mix(mix(2, addresses), std::uint64_t{flow.protocol} << 32 | flow.ip_id);
}

// An IPv6 datagram has no id once it is whole again: what its first fragment tells has to do.
std::uint64_t reassembled_of(const dpt_flow& flow, const Tuple& tuple) {
  return mix(mix(3, tuple), std::uint64_t{flow.protocol} << 32 | flow.sequence);
}

bool tells_reassembled(const dpt_flow& flow) {
  return flow.family == 6 && is_fragment(flow) && !is_later_fragment(flow);
}

bool is_gso_datagrams(const dpt_hop& hop) {
  return (hop.flags & DPT_HOP_GSO) != 0 && hop.flow.protocol == IPPROTO_UDP &&
         !is_fragment(hop.flow);
}

// The range of the packet that the event's bytes are; nothing when they lie outside the packet. A
// fragment has no upper bound here, because only the last fragment tells where the datagram ends.
std::optional<Range> range_in(const Live& live, const Extent& extent) {
  // An skb that stands for several datagrams has no such range: its content alone tells whether it
  // is whole.
  if (extent.kind != live.kind || live.gso_datagrams) return std::nullopt;
  const std::uint32_t begin = extent.begin - live.base;  // sequence numbers wrap
  if (live.kind == Part::Kind::kFragment) return Range{begin, begin + extent.length};
  if (begin > live.length || extent.length > live.length - begin) return std::nullopt;
  return Range{begin, begin + extent.length};
}

// A segment that the kernel cut has the IP id of the whole packet, or that id plus the segment's
// number.
bool has_id_of_segment(const Live& live, const dpt_flow& flow) {
  if (flow.family != 4) return true;
  const dpt_flow& whole = live.packet.flow();
  const std::uint32_t segments = live.length / std::max(1U, extent_of(flow).length) + 1;
  return static_cast<std::uint16_t>(flow.ip_id - whole.ip_id) <= segments;
}

// The range of a datagram that the kernel cut out of an skb that stood for several; nothing when
// the range is not known.
std::optional<Range> range_of_gso_datagram(const Live& live, const Sighting& seen) {
  const dpt_flow& flow = seen.hop.flow;
  const std::uint32_t payload = udp_payload(flow);
  if (payload == 0) return std::nullopt;
  std::uint32_t begin = live.segmented;
  if (flow.family == 4) {
    const auto number = static_cast<std::uint16_t>(flow.ip_id - live.packet.flow().ip_id);
    // The last datagram may be shorter than the others, so only the first one tells their length.
    if (number != 0 && live.segment == 0) return std::nullopt;
    begin = number * live.segment;
  }
  if (begin > live.length || payload > live.length - begin) return std::nullopt;
  return Range{begin, begin + payload};
}

// True when the skb was last seen in the netns of the event, or on its way out of another one:
// where only tc is watched, its arrival is not seen.
bool may_be_here(const Branch& branch, const Sighting& seen) {
  if (seen.hop.netns == 0 || branch.last.netns == 0 || branch.last.netns == seen.hop.netns)
    return true;
  return branch.last_point == DPT_POINT_TC_EGRESS || branch.last_point == DPT_POINT_DEVICE_TRANSMIT;
}

// True when the skb has another key because the kernel has made one datagram of its fragments, or
// has cut it. Both happen within a netns: elsewhere the skb's address is in use again.
bool is_recut(const Branch& branch, const Live& live, const Sighting& seen) {
  const dpt_flow& flow = seen.hop.flow;
  if (live.kind != Part::Kind::kFragment || flow.protocol != live.packet.flow().protocol)
    return false;
  if (!may_be_here(branch, seen)) return false;
  const bool was_part = branch.range != live.whole() || live.in_parts;
  return same_addresses(branch.tuple, seen.tuple) && (was_part || is_fragment(flow));
}

bool may_go_on(const Live& live) {
  return std::any_of(live.branches.begin(), live.branches.end(),
                     [](const Branch& branch) { return branch.may_go_on(); });
}

bool was_taken(const Live& live) {
  return std::any_of(live.branches.begin(), live.branches.end(),
                     [](const Branch& branch) { return has_arrived(branch.fate); });
}

// The newest branch with this content that may go on in another skb. An skb that is first seen at
// its end is a clone of the branch, for example one in a socket's error queue, and the branch may
// have ended before.
std::uint16_t branch_with(const Live& live, const Sighting& seen) {
  const bool is_end = seen.hop.point == DPT_POINT_SOCKET || (seen.is_free && !seen.at_sender);
  for (std::size_t i = live.branches.size(); i-- > 0;) {
    const Branch& branch = live.branches[i];
    // The kernel gives the sender its own copy of a multicast before it sends the packet, so that
    // copy may have ended already.
    const bool is_own_copy = branch.looped && seen.at_sender;
    if (!branch.may_go_on() && !is_end && !is_own_copy) continue;
    if (branch.key == seen.hop.key && same(branch.tuple, seen.tuple))
      return static_cast<std::uint16_t>(i);
  }
  return kNoParent;
}

// A socket cuts the datagrams of one skb apart. Where their content is not known, only their order
// tells them apart over IPv6, which has no IP id: after one datagram has ended, the next one
// follows.
bool is_next_datagram(const Live& live, const Branch& like, const Sighting& seen) {
  const bool is_end = seen.hop.point == DPT_POINT_SOCKET || seen.is_free;
  return live.gso_datagrams && is_end && seen.hop.flow.family == 6 && like.has_ended() &&
         like.skb != seen.hop.skb && like.range != live.whole() &&
         range_of_gso_datagram(live, seen).has_value();
}

template <typename Chains>
void erase_from(Chains& chains, const std::vector<std::uint64_t>& keys, const Live* live) {
  for (const auto key : keys) {
    const auto found = chains.find(key);
    if (found == chains.end()) continue;
    std::erase(found->second, live);
    if (found->second.empty()) chains.erase(found);
  }
}

template <typename Chains>
void enter_in(Chains& chains, std::vector<std::uint64_t>& keys, std::uint64_t key, Live* live) {
  if (std::find(keys.begin(), keys.end(), key) != keys.end()) return;
  keys.push_back(key);
  chains[key].push_back(live);
}

}  // namespace

Identity::Found Identity::find(const Sighting& seen) const {
  if (auto found = by_skb(seen); found.live != nullptr) return found;
  if (!seen.has_flow) return {};
  if (auto found = by_content(seen); found.live != nullptr) return found;
  if (auto found = by_datagram(seen); found.live != nullptr) return found;
  if (auto found = by_reassembled(seen); found.live != nullptr) return found;
  return by_stream(seen);
}

Identity::Found Identity::find(std::uint64_t skb, std::uint64_t key) const {
  const Found found = find_ended(skb, key);
  if (found.live == nullptr || found.live->branches[found.branch].has_ended()) return {};
  return found;
}

Identity::Found Identity::find_ended(std::uint64_t skb, std::uint64_t key) const {
  const auto found = skbs_.find(skb);
  if (found == skbs_.end()) return {};
  const auto [live, index] = found->second;
  const Branch& branch = live->branches[index];
  if (branch.key != key) return {};
  return {Relation::kSameSkb, live, index, branch.range};
}

Identity::Found Identity::by_skb(const Sighting& seen) const {
  const auto place = skbs_.find(seen.hop.skb);
  if (place == skbs_.end()) return {};
  const auto [live, index] = place->second;
  const Branch& branch = live->branches[index];
  Found found{Relation::kSameSkb, live, index, branch.range};
  const bool same_key = branch.key == seen.hop.key;
  if (!seen.has_flow) return same_key ? found : Found{};
  // An skb that has ended may still be freed from a socket's queue, or be taken by another socket.
  const bool is_end = seen.is_free || seen.hop.point == DPT_POINT_SOCKET;
  if (branch.has_ended() && !(has_arrived(branch.fate) && is_end && same_key)) {
    const bool is_piece = branch.fate == Fate::kMerged && is_recut(branch, *live, seen);
    if (!is_piece) return {};
  }
  if (!same_key && !is_recut(branch, *live, seen)) return {};
  if (reversed(branch.tuple, seen.tuple) && !same(branch.tuple, seen.tuple)) return {};
  if (const auto range = range_in(*live, seen.extent);
      range && (live->kind == Part::Kind::kFragment || range->size() != 0)) {
    found.range = *range;
  }
  return may_follow(*live, seen, found.range) ? found : Found{};
}

Identity::Found Identity::by_content(const Sighting& seen) const {
  const auto chain = contents_.find(content_of(seen.hop.key, seen.tuple));
  if (chain == contents_.end()) return {};
  const auto& candidates = chain->second;
  // The candidates are in order of age, the oldest first.
  const std::size_t first = candidates.size() > kLookBack ? candidates.size() - kLookBack : 0;
  const std::uint64_t now = seen.hop.event.time_ns;
  Found best;
  for (std::size_t i = first; i < candidates.size(); ++i) {
    Live* live = candidates[i];
    const std::uint16_t branch = branch_with(*live, seen);
    if (branch == kNoParent || is_next_datagram(*live, live->branches[branch], seen)) continue;
    // The first segment of a GSO packet has the same key as the whole packet, so its own extent is
    // asked first.
    const Range range = range_in(*live, seen.extent).value_or(live->branches[branch].range);
    if (!may_follow(*live, seen, range)) continue;
    const bool is_late = seen.is_crossing && was_taken(*live);
    if (is_late && !live->to_many && !live->in_parts) continue;
    best = {Relation::kCopy, live, branch, range};
    // A queue keeps its order, so of equal packets that are under way the oldest crosses a device
    // first. A clone is freed or taken soon after it was made, so it is a clone of the newest.
    if (seen.is_crossing && now < live->branches[branch].last_ns + kSoonNs) break;
  }
  return best;
}

Identity::Found Identity::by_datagram(const Sighting& seen) const {
  if (!may_be_in_fragments(seen.hop.flow)) return {};
  const auto chain = datagrams_.find(datagram_of(seen.hop.flow, seen.tuple));
  if (chain == datagrams_.end()) return {};
  for (Live* live : chain->second) {
    // Two whole datagrams with the same IP id are two packets; a fragment and the whole datagram
    // are one packet.
    if (!is_fragment(seen.hop.flow) && !live->in_parts) continue;
    const auto range = range_in(*live, seen.extent);
    if (range && may_follow(*live, seen, *range)) return {Relation::kPart, live, kNoParent, *range};
  }
  return {};
}

// IPv6 loses the id of a datagram that it puts together. Then a raw socket may get a clone of it,
// an skb of which nothing was seen; or a router cuts it again, into fragments with another id. Both
// happen in the netns that the datagram was last seen in.
Identity::Found Identity::by_reassembled(const Sighting& seen) const {
  const dpt_flow& flow = seen.hop.flow;
  const bool is_clone = flow.family == 6 && !is_fragment(flow) && flow.ip_id == 0 &&
                        (seen.hop.point == DPT_POINT_SOCKET || seen.is_free);
  const bool is_cut_again = tells_reassembled(flow);
  if (!is_clone && !is_cut_again) return {};
  const auto chain = datagrams_.find(reassembled_of(flow, seen.tuple));
  if (chain == datagrams_.end()) return {};
  const auto fits = [&](const Live& live, const Branch& branch) {
    if (!may_be_here(branch, seen)) return false;
    return is_clone || (branch.range == live.whole() && branch.may_go_on());
  };
  Found only;
  for (Live* live : chain->second) {
    if (!live->in_parts || (is_clone && live->length != seen.extent.length)) continue;
    if (std::ranges::none_of(live->branches, [&](const Branch& one) { return fits(*live, one); }))
      continue;
    const auto range = range_in(*live, seen.extent);
    if (!range || !may_follow(*live, seen, *range)) continue;
    // Of several that it may be, none is known to be the one.
    if (only.live != nullptr) return {};
    only = {Relation::kPart, live, kNoParent, *range};
  }
  return only;
}

Identity::Found Identity::by_stream(const Sighting& seen) const {
  const dpt_flow& flow = seen.hop.flow;
  const bool is_tcp = flow.protocol == IPPROTO_TCP && seen.extent.length != 0;
  if (!is_tcp && (flow.protocol != IPPROTO_UDP || is_fragment(flow))) return {};
  const auto chain = streams_.find(stream_of(flow, seen.tuple));
  if (chain == streams_.end()) return {};
  for (Live* live : chain->second) {
    if (!may_go_on(*live)) continue;
    const auto range =
        live->gso_datagrams ? range_of_gso_datagram(*live, seen) : range_in(*live, seen.extent);
    if (!range || (is_tcp && !has_id_of_segment(*live, flow))) continue;
    if (may_follow(*live, seen, *range)) return {Relation::kPart, live, kNoParent, *range};
  }
  return {};
}

void Identity::enter(Live& live, std::uint16_t branch, const Sighting& seen) {
  skbs_[seen.hop.skb] = {&live, branch};
  if (!seen.has_flow) return;
  const dpt_flow& flow = seen.hop.flow;
  enter_in(contents_, live.contents, content_of(seen.hop.key, seen.tuple), &live);
  if (may_be_in_fragments(flow))
    enter_in(datagrams_, live.datagrams, datagram_of(flow, seen.tuple), &live);
  if (tells_reassembled(flow))
    enter_in(datagrams_, live.datagrams, reassembled_of(flow, seen.tuple), &live);
  if (is_gso_datagrams(seen.hop) || tcp_payload(flow) != 0)
    enter_in(streams_, live.streams, stream_of(flow, seen.tuple), &live);
}

std::vector<Live*> Identity::merged_into(const Live& live, std::uint32_t length) const {
  std::vector<Live*> merged;
  for (const auto stream : live.streams) {
    const auto chain = streams_.find(stream);
    if (chain == streams_.end()) continue;
    for (Live* other : chain->second) {
      const std::uint32_t offset = other->base - live.base;  // sequence numbers wrap
      if (other == &live || offset == 0 || offset >= length) continue;
      // A packet that begins before the end of `live` repeats some of its bytes and does not follow
      // it.
      if (offset + kTcpOptions < live.length) continue;
      if (std::find(merged.begin(), merged.end(), other) == merged.end()) merged.push_back(other);
    }
  }
  return merged;
}

void Identity::leave(Live& live) {
  for (const auto& branch : live.branches) {
    const auto found = skbs_.find(branch.skb);
    if (found != skbs_.end() && found->second.live == &live) skbs_.erase(found);
  }
  erase_from(contents_, live.contents, &live);
  erase_from(streams_, live.streams, &live);
  erase_from(datagrams_, live.datagrams, &live);
}

}  // namespace dptrace
