// Presence lists what exists on a node at a time, for code that may forget what has ended.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "model/interface.hpp"

namespace dptrace {

struct Presence {
  std::uint32_t home_netns = 0;
  std::set<std::uint32_t> home_devices;  ///< indices
  std::set<std::uint32_t> netns;         ///< inodes of those to which a name or a process leads
  bool has_all_netns = false;            ///< false: not all processes could be looked at
  std::set<std::string> pods;            ///< `namespace/name`

  /// True when the place has ended. False also for a place without a netns (0), and when it is not
  /// known.
  bool is_over(InterfaceId place) const {
    if (place.netns == 0 || home_netns == 0) return false;
    if (place.netns != home_netns) return has_all_netns && !netns.contains(place.netns);
    return place.index != 0 && !home_devices.empty() && !home_devices.contains(place.index);
  }
};

}  // namespace dptrace
