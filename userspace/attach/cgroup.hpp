// The root of the cgroup2 hierarchy, wherever it is mounted, if at all.
#pragma once

#include <string>

#include "model/result.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

struct CgroupRoot {
  OwnedFd directory;
  /// Empty: all sockets of the node are below it. Else which ones are, and what to do about it.
  std::string narrower;
};

/// A mount of our own that no other process sees and that goes with the descriptor: `ip netns exec`
/// and containers hide /sys/fs/cgroup. A container has a cgroup namespace of its own, whose root is
/// the container's cgroup: then a process outside lends its namespace, where one can be seen.
Result<CgroupRoot> open_cgroup_root();

}  // namespace dptrace
