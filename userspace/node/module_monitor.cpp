#include "node/module_monitor.hpp"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace dptrace {

namespace {

// The kernel sends its messages to this group; udev sends to the second group what it has made of
// them.
constexpr unsigned kKernelGroup = 1;
constexpr std::string_view kLoaded = "add@/module/";

}  // namespace

ModuleMonitor::ModuleMonitor()
    : socket_(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT)) {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kKernelGroup;
  if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    socket_ = OwnedFd();
}

bool ModuleMonitor::drain() {
  std::array<char, kLoaded.size()> begin{};
  bool any = false;
  for (;;) {
    const ssize_t length = recv(socket_.get(), begin.data(), begin.size(), 0);
    if (length < 0 && errno == EINTR) continue;
    // Messages were lost, and any of them may have been about a module.
    if (length < 0 && errno == ENOBUFS) {
      any = true;
      continue;
    }
    if (length < 0) return any;
    any |= std::string_view(begin.data(), static_cast<std::size_t>(length)) == kLoaded;
  }
}

}  // namespace dptrace
