#include "verdict/mirror.hpp"

#include <algorithm>

namespace dptrace {

namespace {

std::uint32_t master_of(InterfaceId id, const Names& names) {
  const Interface* interface = names.interface(id);
  return interface == nullptr ? 0 : interface->master;
}

// True when the devices are ports of one bridge or datapath, a port and its bridge, or the same
// device.
bool are_of_one_bridge(InterfaceId a, InterfaceId b, const Names& names) {
  if (a == b) return true;
  if (a.netns != b.netns) return false;
  const std::uint32_t of_a = master_of(a, names), of_b = master_of(b, names);
  return (of_a != 0 && (of_a == of_b || of_a == b.index)) || (of_b != 0 && of_b == a.index);
}

bool was_sent(std::uint8_t point) {
  return point == DPT_POINT_TC_EGRESS || point == DPT_POINT_DEVICE_TRANSMIT;
}

// True when the original goes elsewhere by itself. Where the original and the copy leave by ports
// of one bridge, the bridge has made the copy.
bool is_forked_off(const Live& live, const Branch& copy, const Names& names) {
  const Branch& original = live.branches[copy.parent];
  if (!was_sent(copy.first_point) || copy.range != original.range) return false;
  bool goes_on = original.fate == Fate::kLost;
  for (const Hop& hop : live.packet.hops) {
    if (hop.branch != copy.parent || hop.time_ns < copy.first_ns) continue;
    if (was_sent(hop.point) && are_of_one_bridge(hop.interface, copy.first, names)) return false;
    // A bridge's own hooks drop packets on their way to a port.
    const std::uint32_t bridge = master_of(hop.interface, names);
    const bool to_port = bridge != 0 && bridge == master_of(copy.first, names);
    if (hop.point == DPT_POINT_DROP && to_port && hop.interface.netns == copy.first.netns)
      return false;
    goes_on |= hop.point != DPT_POINT_DROP;
  }
  return goes_on;
}

}  // namespace

bool is_mirror(const Live& live, std::size_t branch, const Names& names) {
  if (live.to_many) return false;
  // The loop ends, because a parent is always older than its copies.
  for (std::size_t i = branch; live.branches[i].parent != kNoParent; i = live.branches[i].parent) {
    if (is_forked_off(live, live.branches[i], names)) return true;
  }
  return false;
}

}  // namespace dptrace
