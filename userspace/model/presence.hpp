// Presence lists what exists on a node at a time, for those who may forget what has ended.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "model/interface.hpp"

namespace dptrace {

struct Presence {
  std::uint32_t home_netns = 0;
  std::set<std::uint32_t> home_devices;  ///< by index
  std::set<std::uint32_t> netns;         ///< those that a name or a process leads to
  bool has_all_netns = false;            ///< false: others' processes could not be looked at
  std::set<std::string> pods;            ///< `namespace/name`

  /// False also for a place without a netns (0), and where it cannot be told.
  bool is_over(InterfaceId place) const {
    if (place.netns == 0 || home_netns == 0) return false;
    if (place.netns != home_netns) return has_all_netns && !netns.contains(place.netns);
    return place.index != 0 && !home_devices.empty() && !home_devices.contains(place.index);
  }
};

}  // namespace dptrace
