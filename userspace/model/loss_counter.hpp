// A loss counter is one that the kernel keeps itself.
#pragma once

#include <cstdint>
#include <string>

#include "model/interface.hpp"

namespace dptrace {

/// The counter rises with losses that free no packet which the watch can see.
struct LossCounter {
  std::string group;           ///< `device`, `qdisc`, `softnet`, `conntrack`, `tcp`, `udp`
  std::string name;            ///< as the kernel calls it: `rx_dropped`, `ListenOverflows`
  InterfaceId interface;       ///< index 0: it counts for the netns, netns 0: for the machine
  std::uint64_t total = 0;     ///< rise since the watch began
  std::uint64_t interval = 0;  ///< rise in this interval
};

}  // namespace dptrace
