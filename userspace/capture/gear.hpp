// A gear says which families of probes are attached. Each gear also has the families of all gears
// before it.
#pragma once

#include <cstdint>

namespace dptrace {

enum class Gear : std::uint8_t {
  kAlways,    ///< the probe of drops, which costs nothing while there are none
  kWatching,  ///< probes of what devices of every netns receive and send
  kArmed,     ///< all families
};

}  // namespace dptrace
