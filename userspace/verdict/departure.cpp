#include "verdict/departure.hpp"

namespace dptrace {

const Explanation* departure_of(const Packet& packet, const Names& names) {
  if (packet.hops.empty()) return nullptr;
  const Hop& last = packet.hops.back();
  if (last.point != DPT_POINT_DEVICE_TRANSMIT && last.point != DPT_POINT_TC_EGRESS) return nullptr;
  return names.explanation({last.time_ns, last.interface.netns, last.interface.index});
}

Refutation refutation_of(const Explanation& departure) {
  if (departure.cause == "asymmetric-route") return Refutation::kNothing;
  return departure.cause == "not-masqueraded" ? Refutation::kAnyAnswer : Refutation::kAnswer;
}

}  // namespace dptrace
