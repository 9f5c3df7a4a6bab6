#include "capture/cgroup.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mount.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

namespace dptrace {

namespace {

Result<OwnedFd> failed(const char* step) {
  return failure(fmt::format("mounting cgroup2 ({}): {} (needs CAP_SYS_ADMIN and CONFIG_CGROUPS)",
                             step, std::strerror(errno)));
}

}  // namespace

Result<OwnedFd> open_cgroup_root() {
  const OwnedFd context(static_cast<int>(syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC)));
  if (!context) return failed("fsopen");
  if (syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return failed("fsconfig");
  }
  const OwnedFd mount(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
  if (!mount) return failed("fsmount");
  OwnedFd root(openat(mount.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return failed("open");
  return root;
}

}  // namespace dptrace
