// open_cgroup_root() finds the root of the cgroup2 hierarchy, wherever it is mounted, if at all.
#pragma once

#include <string>

#include "model/result.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

struct CgroupRoot {
  OwnedFd directory;
  /// Says which sockets of the node are below the directory, and what to do about it. Empty: all
  /// are.
  std::string narrower;
};

/// Opens the root in a mount of our own that no other process sees and that goes with the
/// descriptor: `ip netns exec` and containers hide /sys/fs/cgroup. A container has a cgroup
/// namespace of its own, whose root is the container's cgroup: then the namespace of a process
/// outside is entered, where one can be seen.
Result<CgroupRoot> open_cgroup_root();

}  // namespace dptrace
