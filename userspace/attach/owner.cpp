#include "attach/owner.hpp"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

namespace dptrace {

namespace {

// The group is that of nfacct's quotas: hardly anything is ever said in it.
constexpr std::uint32_t kGroup = 1U << 7;
constexpr const char* kSockets = "/proc/net/netlink";

std::uint32_t random_owner() {
  std::uint32_t number = 0;
  while (getrandom(&number, sizeof number, 0) != sizeof number || (number & kMaxOwner) == 0) {
  }
  return number & kMaxOwner;
}

}  // namespace

Result<OwnerClaim> OwnerClaim::make() {
  // Another process's socket may have the number by chance.
  for (int tries = 0; tries < 64; ++tries) {
    OwnedFd socket_fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_pid = random_owner();
    address.nl_groups = kGroup;
    if (socket_fd &&
        bind(socket_fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
      return OwnerClaim(std::move(socket_fd), address.nl_pid);
    if (errno != EADDRINUSE) break;
  }
  return failure(
      fmt::format("claiming tc filters by a netfilter netlink socket: {}", std::strerror(errno)));
}

// Each line of the text is a socket: `sk Eth Pid Groups Rmem ...`.
std::set<std::uint32_t> parse_living_owners(std::string_view text) {
  std::set<std::uint32_t> owners;
  std::istringstream lines{std::string(text)};
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string address;
    int protocol = 0;
    std::uint32_t port = 0;
    std::uint32_t groups = 0;
    if (!(words >> address >> protocol >> port >> std::hex >> groups)) continue;
    if (protocol == NETLINK_NETFILTER && (groups & kGroup) != 0 && port <= kMaxOwner)
      owners.insert(port);
  }
  return owners;
}

Result<std::set<std::uint32_t>> living_owners() {
  std::ifstream file(kSockets);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  // The file has a line even without sockets.
  if (text.empty())
    return failure(fmt::format("reading {}: which tc filters are used is not known", kSockets));
  return parse_living_owners(text);
}

}  // namespace dptrace
