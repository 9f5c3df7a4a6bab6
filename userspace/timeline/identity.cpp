#include "timeline/identity.hpp"

#include <netinet/in.h>
#include <netinet/ip.h>

#include <algorithm>
#include <cstring>

namespace dptrace {

namespace {

// How many packets of equal key are looked at: with more, they are told apart by their skbs alone.
constexpr std::size_t kLookBack = 8;
// A datagram shorter than the smallest MTU that IPv4 hosts must accept is not fragmented in
// practice.
constexpr std::uint32_t kTcpOptions = 40;  // at most
constexpr std::uint32_t kFragmentable = 576;

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
  return hash ^ (hash >> 29);
}

std::uint64_t mix(std::uint64_t hash, const dpt_address& address) {
  std::uint64_t words[2];
  std::memcpy(words, address.bytes, sizeof words);
  return mix(mix(hash, words[0]), words[1]);
}

std::uint64_t place_of(const dpt_hop& hop) { return mix(hop.key, hop.skb); }

std::uint64_t stream_of(const dpt_flow& flow) {
  const std::uint64_t ports = std::uint64_t{flow.l4.port.source} << 16 | flow.l4.port.destination;
  return mix(mix(mix(1, flow.source), flow.destination), ports);
}

bool is_fragment(const dpt_flow& flow) { return (flow.fragment & (IP_MF | IP_OFFMASK)) != 0; }

// 0: not part of a datagram that could be in fragments.
std::uint64_t datagram_of(const dpt_flow& flow) {
  if (flow.family == 0 || flow.protocol == IPPROTO_TCP) return 0;
  if (!is_fragment(flow) && (flow.ip_id == 0 || flow.length < kFragmentable)) return 0;
  const std::uint64_t id = std::uint64_t{flow.protocol} << 16 | flow.ip_id;
  return mix(mix(mix(2, flow.source), flow.destination), id) | 1;
}

bool is_crossing(const dpt_hop& hop) {
  return hop.point == DPT_POINT_TC_INGRESS || hop.point == DPT_POINT_TC_EGRESS ||
         hop.point == DPT_POINT_DEVICE_RECEIVE || hop.point == DPT_POINT_DEVICE_TRANSMIT;
}

bool same_address(const dpt_address& a, const dpt_address& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

bool has_ports(const dpt_flow& flow) {
  const bool is_later_fragment = (flow.fragment & IP_OFFMASK) != 0;
  return (flow.protocol == IPPROTO_TCP || flow.protocol == IPPROTO_UDP) && !is_later_fragment;
}

// Equal content, yet another packet: an answer that repeats the question, or the same datagram from
// another port. NAT changes addresses, and ports only along with them.
bool is_of_other_flow(const dpt_flow& before, const dpt_flow& now) {
  if (before.family == 0 || now.family == 0) return false;
  const bool same_source = same_address(before.source, now.source);
  const bool same_destination = same_address(before.destination, now.destination);
  if (same_source && same_destination) {
    return has_ports(before) && has_ports(now) &&
           (before.l4.port.source != now.l4.port.source ||
            before.l4.port.destination != now.l4.port.destination);
  }
  return same_address(before.source, now.destination) &&
         same_address(before.destination, now.source);
}

// May this event be one of the packet's?
bool fits(const Packet& packet, const dpt_hop& hop) {
  if (packet.hops.empty()) return true;
  if (is_of_other_flow(packet.hops.back().flow, hop.flow)) return false;
  return !is_crossing(hop) || !has_crossed(packet, hop);
}

bool was_taken(const Packet& packet) {
  return std::any_of(packet.hops.begin(), packet.hops.end(),
                     [](const Hop& hop) { return hop.point == DPT_POINT_SOCKET; });
}

template <typename Map, typename Value>
void erase_from(Map& map, std::uint64_t key, Value* value) {
  const auto found = map.find(key);
  if (found == map.end()) return;
  std::erase(found->second, value);
  if (found->second.empty()) map.erase(found);
}

}  // namespace

std::uint32_t tcp_payload(const dpt_hop& hop) {
  // How many bytes are options is not on the wire: a pure acknowledgment has nothing else.
  if (hop.flow.protocol != IPPROTO_TCP || hop.flow.family == 0) return 0;
  const std::uint32_t headers = (hop.flow.family == 4 ? 20 : 40) + 20;
  return hop.flow.length > headers + kTcpOptions ? hop.flow.length - headers : 0;
}

bool has_crossed(const Packet& packet, const dpt_hop& hop) {
  return std::any_of(packet.hops.begin(), packet.hops.end(), [&](const Hop& earlier) {
    return earlier.point == hop.point && earlier.interface.index == hop.ifindex &&
           earlier.interface.netns == hop.netns && earlier.flow.ttl == hop.flow.ttl;
  });
}

Identity::Found Identity::find(const dpt_hop& hop) {
  const auto same_skb = places_.find(place_of(hop));
  if (same_skb != places_.end()) {
    Live* live = same_skb->second;
    // A part crosses where another part did.
    if (live->packet.segments != 0 || fits(live->packet, hop)) return {live, Relation::kSame};
    // Else the address was recycled for an equal packet.
  }
  if (Live* live = by_content(hop)) return {live, Relation::kSame};
  if (Live* live = by_datagram(hop)) return {live, Relation::kPart};
  if (Live* live = by_stream(hop)) return {live, Relation::kPart};
  return {};
}

Live* Identity::by_content(const dpt_hop& hop) const {
  const auto chain = keys_.find(hop.key);
  if (chain == keys_.end()) return nullptr;
  const auto& candidates = chain->second;
  // Oldest first: of equal packets the one ahead arrives first.
  const std::size_t first = candidates.size() > kLookBack ? candidates.size() - kLookBack : 0;
  for (std::size_t i = first; i < candidates.size(); ++i) {
    const Packet& packet = candidates[i]->packet;
    if (fits(packet, hop) && !(is_crossing(hop) && was_taken(packet))) return candidates[i];
  }
  return nullptr;
}

Live* Identity::by_stream(const dpt_hop& hop) const {
  const std::uint32_t payload = tcp_payload(hop);
  if (payload == 0) return nullptr;
  const auto chain = streams_.find(stream_of(hop.flow));
  if (chain == streams_.end()) return nullptr;
  for (Live* live : chain->second) {
    // Unsigned differences: sequence numbers wrap.
    const std::uint32_t offset = hop.flow.sequence - live->first_sequence;
    if (offset > 0 && offset < live->payload && payload <= live->payload - offset) return live;
  }
  return nullptr;
}

Live* Identity::by_datagram(const dpt_hop& hop) const {
  const std::uint64_t datagram = datagram_of(hop.flow);
  if (datagram == 0) return nullptr;
  const auto found = datagrams_.find(datagram);
  if (found == datagrams_.end()) return nullptr;
  // Two whole datagrams of one id are two packets; a fragment and its whole are one.
  const bool whole_was_seen = !is_fragment(found->second->packet.flow());
  return is_fragment(hop.flow) || !whole_was_seen ? found->second : nullptr;
}

void Identity::enter(Live& live, const dpt_hop& hop) {
  const std::uint64_t place = place_of(hop);
  Live*& here = places_[place];
  if (here != &live) {
    here = &live;
    live.places.push_back(place);
  }
  if (std::find(live.keys.begin(), live.keys.end(), hop.key) == live.keys.end()) {
    live.keys.push_back(hop.key);
    keys_[hop.key].push_back(&live);
  }
  const std::uint32_t payload = tcp_payload(hop);
  if (payload != 0 && live.stream == 0) {
    live.stream = stream_of(hop.flow);
    live.first_sequence = hop.flow.sequence;
    live.payload = payload;
    streams_[live.stream].push_back(&live);
  }
  const std::uint64_t datagram = datagram_of(hop.flow);
  if (datagram != 0 && live.datagram == 0) {
    live.datagram = datagram;
    datagrams_[datagram] = &live;
  }
}

std::vector<Live*> Identity::absorbed_by(const Live& live, std::uint32_t payload) const {
  std::vector<Live*> absorbed;
  const auto chain = streams_.find(live.stream);
  if (live.stream == 0 || chain == streams_.end()) return absorbed;
  for (Live* other : chain->second) {
    const std::uint32_t offset = other->first_sequence - live.first_sequence;
    // What counts as payload may be options up to their length.
    if (other != &live && offset != 0 && offset + kTcpOptions >= live.payload && offset < payload) {
      absorbed.push_back(other);
    }
  }
  return absorbed;
}

void Identity::leave(Live& live) {
  for (const auto key : live.keys) erase_from(keys_, key, &live);
  for (const auto place : live.places) {
    const auto found = places_.find(place);
    if (found != places_.end() && found->second == &live) places_.erase(found);
  }
  if (live.stream != 0) erase_from(streams_, live.stream, &live);
  const auto found = datagrams_.find(live.datagram);
  if (found != datagrams_.end() && found->second == &live) datagrams_.erase(found);
}

}  // namespace dptrace
