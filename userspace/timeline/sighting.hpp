// A sighting is an event with the facts that the timeline asks for again and again.
#pragma once

#include "model/tuple.hpp"
#include "verdict/extent.hpp"

namespace dptrace {

struct Sighting {
  const dpt_hop& hop;
  Tuple tuple;
  Extent extent;
  bool is_crossing = false;  ///< of a device
  bool is_free = false;
  /// The skb has not left the netns that made it: nothing received it here, and no tunnel is around
  /// it.
  bool at_sender = false;
  bool to_many = false;  ///< a multicast or broadcast
  bool has_flow = true;  ///< false: it comes behind the packet's free, to which it led
};

Sighting sighting_of(const dpt_hop& hop);
Sighting sighting_of(const dpt_netfilter& record);

}  // namespace dptrace
