#include "os/privileges.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace dptrace {

namespace {

using Sets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

// These system calls serve HTTP over epoll, memory and locks of libc, and the end of a thread.
constexpr auto kServing = std::to_array<int>({SCMP_SYS(accept4),
                                              SCMP_SYS(brk),
                                              SCMP_SYS(clock_gettime),
                                              SCMP_SYS(close),
                                              SCMP_SYS(epoll_ctl),
                                              SCMP_SYS(epoll_pwait),
                                              SCMP_SYS(epoll_wait),
                                              SCMP_SYS(exit),
                                              SCMP_SYS(exit_group),
                                              SCMP_SYS(fcntl),
                                              SCMP_SYS(futex),
                                              SCMP_SYS(getpeername),
                                              SCMP_SYS(getpid),
                                              SCMP_SYS(getrandom),
                                              SCMP_SYS(getsockname),
                                              SCMP_SYS(getsockopt),
                                              SCMP_SYS(gettid),
                                              SCMP_SYS(gettimeofday),
                                              SCMP_SYS(madvise),
                                              SCMP_SYS(mremap),
                                              SCMP_SYS(munmap),
                                              SCMP_SYS(nanosleep),
                                              SCMP_SYS(poll),
                                              SCMP_SYS(read),
                                              SCMP_SYS(readv),
                                              SCMP_SYS(recvfrom),
                                              SCMP_SYS(recvmsg),
                                              SCMP_SYS(restart_syscall),
                                              SCMP_SYS(rt_sigprocmask),
                                              SCMP_SYS(rt_sigreturn),
                                              SCMP_SYS(sched_yield),
                                              SCMP_SYS(sendmsg),
                                              SCMP_SYS(sendto),
                                              SCMP_SYS(setsockopt),
                                              SCMP_SYS(shutdown),
                                              SCMP_SYS(sigaltstack),
                                              SCMP_SYS(timerfd_settime),
                                              SCMP_SYS(write),
                                              SCMP_SYS(writev)});

// These system calls give memory, but none into which code could be put and run.
constexpr auto kMapping = std::to_array<int>({SCMP_SYS(mmap), SCMP_SYS(mprotect)});

Result<> refused(const char* what, int error) {
  return failure(fmt::format("giving up {}: {}", what, std::strerror(error)));
}

}  // namespace

Result<> keep_capabilities(std::initializer_list<std::uint8_t> kept) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  Sets sets{};
  if (syscall(SYS_capget, &header, sets.data()) != 0) return refused("capabilities", errno);
  Sets wanted{};
  for (const auto capability : kept)
    wanted[CAP_TO_INDEX(capability)].permitted |= CAP_TO_MASK(capability);
  for (std::size_t i = 0; i < sets.size(); ++i) {
    sets[i].permitted &= wanted[i].permitted;
    sets[i].effective &= wanted[i].permitted;
    sets[i].inheritable = 0;  // so nothing is ambient either
  }
  if (syscall(SYS_capset, &header, sets.data()) != 0) return refused("capabilities", errno);
  return {};
}

Result<> confine_to_serving() {
  if (auto given_up = keep_capabilities({}); !given_up) return given_up;
  const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!filter) return refused("system calls", ENOMEM);
  int error = 0;
  for (const int call : kServing) {
    if (error == 0) error = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
  }
  for (const int call : kMapping) {
    if (error != 0) break;
    error = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  }
  if (error == 0) {
    error = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                             SCMP_A1(SCMP_CMP_EQ, FIONREAD));
  }
  // The filter is for this thread only: the others go on attaching and looking up names. Loading it
  // also sets no_new_privs.
  if (error == 0) error = seccomp_load(filter.get());
  if (error != 0) return refused("system calls", -error);
  return {};
}

}  // namespace dptrace
