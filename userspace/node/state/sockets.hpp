// The sockets of the calling thread's network namespace, as /proc/net tells them. The sock_diag
// family of netlink would load modules into the kernel for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/address.hpp"

namespace dptrace {

struct BoundSocket {
  Address address{};          ///< all zero (of its family): any
  bool any = false;           ///< it takes what comes for any address of its family
  bool ipv6 = false;          ///< it stands in the table of IPv6, and may take IPv4, too
  std::uint64_t waiting = 0;  ///< bytes that wait to be read (UDP)
  std::uint64_t drops = 0;    ///< packets it had no room for (UDP)
  std::uint64_t inode = 0;    ///< by which a process has it open; 0: none has it any more
};

/// The sockets that take what comes for a port: of TCP those that listen. `protocol` is IPPROTO_TCP
/// or IPPROTO_UDP. Nothing when the tables cannot be read whole.
std::optional<std::vector<BoundSocket>> sockets_of_port(std::uint8_t protocol, std::uint16_t port);

/// Appends what a table of /proc/net says of the port.
void parse_sockets(std::string_view table, bool tcp, bool ipv6, std::uint16_t port,
                   std::vector<BoundSocket>& sockets);

}  // namespace dptrace
