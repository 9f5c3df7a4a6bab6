#include "metrics/listening_socket.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace dptrace {

namespace {

constexpr int kBacklog = 64;

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

std::string remedy(int error, const ListenAddress& address) {
  switch (error) {
    case EADDRINUSE:
      return fmt::format(
          " (another program listens there, 'ss -ltnp sport = :{}' names it: stop it, or give "
          "another port)",
          address.port);
    case EADDRNOTAVAIL:
      return " (no device of this network namespace has this address: 'ip address' lists them)";
    case EACCES:
      return " (a port below 1024 needs CAP_NET_BIND_SERVICE: give a higher one)";
    case EAFNOSUPPORT:
      return " (this kernel runs without IPv6: give an IPv4 address)";
    default:
      return {};
  }
}

int bind_to(int fd, const ListenAddress& address) {
  SocketAddress wire{};
  const auto* bytes = address.ip.bytes.bytes;
  if (address.ip.is_ipv4()) {
    wire.v4.sin_family = AF_INET;
    wire.v4.sin_port = htons(address.port);
    std::memcpy(&wire.v4.sin_addr, bytes + 12, sizeof wire.v4.sin_addr);
    return bind(fd, &wire.any, sizeof wire.v4);
  }
  wire.v6.sin6_family = AF_INET6;
  wire.v6.sin6_port = htons(address.port);
  std::memcpy(&wire.v6.sin6_addr, bytes, sizeof wire.v6.sin6_addr);
  return bind(fd, &wire.any, sizeof wire.v6);
}

bool listens_at(int fd, const ListenAddress& address) {
  SocketAddress wire{};
  socklen_t length = sizeof wire;
  if (getsockname(fd, &wire.any, &length) != 0) return false;
  const auto* bytes = address.ip.bytes.bytes;
  if (address.ip.is_ipv4()) {
    return wire.any.sa_family == AF_INET && ntohs(wire.v4.sin_port) == address.port &&
           std::memcmp(&wire.v4.sin_addr, bytes + 12, sizeof wire.v4.sin_addr) == 0;
  }
  return wire.any.sa_family == AF_INET6 && ntohs(wire.v6.sin6_port) == address.port &&
         std::memcmp(&wire.v6.sin6_addr, bytes, sizeof wire.v6.sin6_addr) == 0;
}

// The number in an environment variable; 0 when it is not a number.
int number_in(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : std::atoi(text);
}

// The socket that a service manager has passed (sd_listen_fds(3)) and that listens at `address`.
std::optional<OwnedFd> passed_socket(const ListenAddress& address) {
  constexpr int kFirst = 3;
  if (number_in("LISTEN_PID") != getpid()) return std::nullopt;
  for (int fd = kFirst; fd < kFirst + number_in("LISTEN_FDS"); ++fd) {
    if (!listens_at(fd, address)) continue;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return OwnedFd(fd);
  }
  return std::nullopt;
}

}  // namespace

Result<OwnedFd> listen_on(const ListenAddress& address) {
  if (auto passed = passed_socket(address)) return std::move(*passed);
  const auto failed = [&address] {
    const int error = errno;
    return failure(fmt::format("listening on {}: {}{}", address.text(), std::strerror(error),
                               remedy(error, address)));
  };
  const bool is_ipv4 = address.ip.is_ipv4();
  OwnedFd fd(socket(is_ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return failed();
  const int yes = 1;
  // With SO_REUSEADDR the port of a process that has just ended can be used at once.
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (!is_ipv4) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  if (bind_to(fd.get(), address) != 0 || listen(fd.get(), kBacklog) != 0) return failed();
  return fd;
}

std::uint16_t port_of(const OwnedFd& socket) {
  SocketAddress wire{};
  socklen_t length = sizeof wire;
  if (getsockname(socket.get(), &wire.any, &length) != 0) return 0;
  return ntohs(wire.any.sa_family == AF_INET ? wire.v4.sin_port : wire.v6.sin6_port);
}

}  // namespace dptrace
