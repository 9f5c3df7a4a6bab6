// The order of events tells whether an event can come after those that were already seen of a
// packet.
#pragma once

#include "timeline/sighting.hpp"
#include "verdict/live.hpp"

namespace dptrace {

/// True when the event, of bytes in `range`, may be one of this packet: these bytes have not made
/// the same crossing before, and they are not back at their sender.
bool may_follow(const Live& live, const Sighting& seen, const Range& range);

/// True when any byte of `range` has already crossed this device at this point. With a lower TTL
/// the crossing is a new one: the next round of a loop.
bool has_crossed(const Live& live, const Sighting& seen, const Range& range);

/// The crossing to be kept for has_crossed().
Crossing crossing_of(const Sighting& seen, const Range& range);

}  // namespace dptrace
