// A sighting is an event together with the facts that the timeline needs repeatedly.
#pragma once

#include "model/tuple.hpp"
#include "verdict/extent.hpp"

namespace dptrace {

struct Sighting {
  const dpt_hop& hop;
  Tuple tuple;
  Extent extent;
  bool is_crossing = false;  ///< the event is a transmit or a receive of a device
  bool is_free = false;
  /// The skb has not left the netns that made it: nothing received it here, and no tunnel is around
  /// it.
  bool at_sender = false;
  bool to_many = false;  ///< a multicast or broadcast
  bool has_flow =
      true;  ///< false: the event has no headers, or is a hook's drop, recorded after the free
};

Sighting sighting_of(const dpt_hop& hop);
Sighting sighting_of(const dpt_netfilter& record);

}  // namespace dptrace
