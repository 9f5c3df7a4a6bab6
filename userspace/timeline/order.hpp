// The order of events says whether one can come after those that were seen of a packet.
#pragma once

#include "timeline/sighting.hpp"
#include "verdict/live.hpp"

namespace dptrace {

/// The event may be one of this packet's, of bytes in `range`: it has not crossed there before, and
/// it is not back where it was made.
bool may_follow(const Live& live, const Sighting& seen, const Range& range);

/// Has anything of `range` crossed this device at this point already? With a lower TTL it is the
/// next round of a loop.
bool has_crossed(const Live& live, const Sighting& seen, const Range& range);

/// The crossing to be kept for has_crossed().
Crossing crossing_of(const Sighting& seen, const Range& range);

}  // namespace dptrace
