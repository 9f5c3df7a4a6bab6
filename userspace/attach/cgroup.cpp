#include "attach/cgroup.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <thread>

namespace dptrace {

namespace {

Result<OwnedFd> failed(const char* step) {
  return failure(fmt::format("mounting cgroup2 ({}): {} (needs CAP_SYS_ADMIN and CONFIG_CGROUPS)",
                             step, std::strerror(errno)));
}

// Mounts the root as the calling thread's cgroup namespace has it.
Result<OwnedFd> mount_root() {
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

// kHierarchyRoot is the inode number of the hierarchy's root (kernfs gives it first), whatever
// namespace shows it.
constexpr ino_t kHierarchyRoot = 1;
// kFirstNamespace is the inode number of the namespace that the kernel starts with
// (PROC_CGROUP_INIT_INO).
constexpr ino_t kFirstNamespace = 0xEFFFFFFB;

bool is_hierarchy_root(const OwnedFd& directory) {
  struct stat status {};
  return fstat(directory.get(), &status) == 0 && status.st_ino == kHierarchyRoot;
}

ino_t namespace_of(const std::string& process) {
  struct stat status {};
  return stat(fmt::format("/proc/{}/ns/cgroup", process).c_str(), &status) == 0 ? status.st_ino : 0;
}

// Returns whether the calling thread's own cgroup lies below the root of the namespace it is in. If
// not, the path of the cgroup leads up from that root.
bool is_inside() {
  std::ifstream file("/proc/thread-self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::")) return !line.starts_with("0::/..");
  }
  return false;
}

// Mounts the root as the namespace of `process` has it. A thread of its own does that, so that the
// process stays where it is.
Result<OwnedFd> mount_as(const std::string& process) {
  Result<OwnedFd> root = failure("nothing was mounted");
  std::thread([&] {
    const OwnedFd space(
        open(fmt::format("/proc/{}/ns/cgroup", process).c_str(), O_RDONLY | O_CLOEXEC));
    if (!space || setns(space.get(), CLONE_NEWCGROUP) != 0) {
      root = failure(fmt::format("entering the cgroup namespace of process {}: {}", process,
                                 std::strerror(errno)));
    } else if (!is_inside()) {
      root = failure(fmt::format("process {} is in another part of the cgroups", process));
    } else {
      root = mount_root();
    }
  }).join();
  return root;
}

// Returns any process of the first namespace, kernel threads among them; empty: none can be seen.
std::string process_of_first_namespace() {
  std::error_code error;
  std::filesystem::directory_iterator entry("/proc", error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    auto name = entry->path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos &&
        namespace_of(name) == kFirstNamespace)
      return name;
  }
  return {};
}

}  // namespace

Result<CgroupRoot> open_cgroup_root() {
  auto own = mount_root();
  if (!own) return tl::unexpected(own.error());
  if (is_hierarchy_root(*own)) return CgroupRoot{std::move(*own), {}};
  if (const auto process = process_of_first_namespace(); !process.empty()) {
    if (auto root = mount_as(process); root && is_hierarchy_root(*root))
      return CgroupRoot{std::move(*root), {}};
  }
  // Where the node is a container itself, the cgroups that its first process booted are all of it.
  if (const auto first = namespace_of("1"); first != 0 && first != namespace_of("self")) {
    if (auto root = mount_as("1"); root) return CgroupRoot{std::move(*root), {}};
  }
  return CgroupRoot{
      std::move(*own),
      "only sockets of this container are seen: it has a cgroup namespace of its own, "
      "and no process outside of it can be entered (Kubernetes: hostPID: true, with "
      "CAP_SYS_ADMIN and CAP_SYS_PTRACE, without AppArmor's profile)"};
}

}  // namespace dptrace
