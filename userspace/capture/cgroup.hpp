// The root of the cgroup2 hierarchy, wherever it is mounted, if at all.
#pragma once

#include "model/result.hpp"
#include "node/owned_fd.hpp"

namespace dptrace {

/// A mount of our own that no other process sees and that goes with the descriptor: `ip netns exec`
/// and containers hide /sys/fs/cgroup.
Result<OwnedFd> open_cgroup_root();

}  // namespace dptrace
