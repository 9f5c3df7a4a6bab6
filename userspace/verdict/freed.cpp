#include "verdict/freed.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "model/flow.hpp"
#include "verdict/drop_stack.hpp"

namespace dptrace {

namespace {

// A device of one of these kinds receives only what was sent to it: a tunnel's remote end chose it,
// and a veth whose other end is no port of a bridge has one neighbour. Devices of other kinds are
// on a segment where a switch may flood.
constexpr std::array<std::string_view, 17> kAloneKinds = {
    "bridge",    "veth", "netkit", "vxlan", "geneve", "ipip",    "gre",  "gretap",   "ip6gre",
    "ip6gretap", "sit",  "ip6tnl", "vti",   "vti6",   "bareudp", "xfrm", "wireguard"};

}  // namespace

bool is_flooded(bool told, const Interface* interface) {
  return told || interface == nullptr ||
         std::find(kAloneKinds.begin(), kAloneKinds.end(), interface->kind) == kAloneKinds.end();
}

std::string reason_for_rules(std::optional<std::uint32_t> reason, const Names& names) {
  if (!reason) return "NOT_SPECIFIED";
  const auto found = names.reasons.find(*reason);
  return found == names.reasons.end() ? std::string("unknown") : found->second;
}

Freed freed_of(const Drop& drop, const dpt_hop& hop, const Names& names) {
  Freed freed;
  freed.function = names.function(freeing_location(drop, names));
  freed.reason = reason_for_rules(drop.reason, names);
  freed.has_reason = drop.reason.has_value();
  freed.family = hop.flow.family;
  freed.protocol = hop.flow.protocol;
  freed.icmp_type = hop.flow.l4.icmp.type;
  freed.segment = static_cast<dpt_segment>(dpt_segment_of(&hop.flow));
  freed.packet_type = hop.packet_type;
  freed.multicast = is_multicast(hop.flow);
  freed.followed = true;
  freed.sockets_seen = !names.sockets_unseen;
  freed.flooded = is_flooded((hop.flags & DPT_HOP_FLOODED) != 0,
                             names.interface({hop.netns, hop.ifindex}, hop.event.time_ns));
  return freed;
}

}  // namespace dptrace
