// A gear says which families of probes are attached. Each has all that the ones before it have.
#pragma once

#include <cstdint>

namespace dptrace {

enum class Gear : std::uint8_t {
  kAlways,    ///< drops, which cost nothing while there are none
  kWatching,  ///< what devices of every netns receive and send
  kArmed,     ///< all
};

}  // namespace dptrace
