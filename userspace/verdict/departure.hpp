// A departure is the last hop of a packet at the device by which it left the node.
#pragma once

#include "model/names.hpp"
#include "model/packet.hpp"

namespace dptrace {

/// What the node says of the packet's departure, if it may have left in vain; else null. The hops
/// are in order.
const Explanation* departure_of(const Packet& packet, const Names& names);

/// What shows that a packet did not leave in vain.
enum class Refutation : std::uint8_t {
  kNothing,   ///< it was shown before the packet left
  kAnswer,    ///< an answer to it
  kAnyAnswer  ///< any answer to a pod's own address: the network outside knows them
};
Refutation refutation_of(const Explanation& departure);

}  // namespace dptrace
