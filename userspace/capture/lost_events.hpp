// Records that found no room in the ring, as the BPF programs count them.
#pragma once

#include <cstdint>

namespace dptrace {

/// Of all kinds and CPUs, since the programs were loaded. `counts` is the map of that name.
std::uint64_t lost_events(int counts);

}  // namespace dptrace
