#include "timeline/order.hpp"

#include <linux/if_packet.h>

#include <algorithm>

namespace dptrace {

namespace {

std::uint32_t outer_of(const dpt_hop& hop) {
  if (hop.tunnel.kind == DPT_TUNNEL_NONE) return 0;
  const Tuple outer{hop.tunnel.source, hop.tunnel.destination, 0, 0};
  return static_cast<std::uint32_t>(mix(hop.tunnel.id, outer)) | 1;
}

}  // namespace

Crossing crossing_of(const Sighting& seen, const Range& range) {
  const dpt_hop& hop = seen.hop;
  return {{hop.netns, hop.ifindex},          range, outer_of(hop), hop.point, hop.flow.ttl,
          hop.packet_type == PACKET_LOOPBACK};
}

bool has_crossed(const Live& live, const Sighting& seen, const Range& range) {
  const Crossing now = crossing_of(seen, range);
  return std::any_of(live.crossings.begin(), live.crossings.end(), [&](const Crossing& before) {
    return before.point == now.point && before.interface == now.interface &&
           before.ttl == now.ttl && before.outer == now.outer && before.looped == now.looped &&
           before.range.meets(now.range);
  });
}

bool may_follow(const Live& live, const Sighting& seen, const Range& range) {
  if (seen.at_sender && live.sender == seen.hop.netns && live.has_left_sender) {
    // One fragment of a datagram may have left its sender long before the next fragment is sent.
    const bool is_again =
        std::any_of(live.branches.begin(), live.branches.end(),
                    [&](const Branch& branch) { return branch.range.meets(range); });
    if (is_again) return false;
  }
  return !seen.is_crossing || !has_crossed(live, seen, range);
}

}  // namespace dptrace
