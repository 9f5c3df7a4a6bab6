// A counter of losses that the kernel keeps itself, with what it rose by.
#pragma once

#include <cstdint>
#include <string>

#include "model/interface.hpp"

namespace dptrace {

/// A counter of the kernel's that rises with losses that free no packet the watch can see.
struct LossCounter {
  std::string group;           ///< `device`, `qdisc`, `softnet`, `conntrack`, `tcp`, `udp`
  std::string name;            ///< as the kernel calls it: `rx_dropped`, `ListenOverflows`
  InterfaceId interface;       ///< index 0: of the netns, netns 0: of the machine
  std::uint64_t total = 0;     ///< since the watch began
  std::uint64_t interval = 0;  ///< in this interval
};

}  // namespace dptrace
