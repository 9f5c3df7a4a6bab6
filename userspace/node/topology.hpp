// NetnsTopology has the facts of a network namespace that tell the roles of its devices: links,
// their addresses, and where routes leave.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "model/address.hpp"
#include "model/result.hpp"
#include "node/links.hpp"

namespace dptrace {

struct InterfaceAddress {
  std::uint32_t index = 0;
  Address address;
  std::uint8_t prefix_length = 0;  ///< bits, of the address in its own family
};

/// A next hop is where a unicast route of the main table leads.
struct NextHop {
  std::uint32_t index = 0;
  std::optional<Address> gateway;
  bool is_default = false;  ///< it belongs to the route to 0.0.0.0/0 or ::/0
};

struct NetnsTopology {
  std::vector<Link> links;
  std::vector<InterfaceAddress> addresses;
  std::vector<NextHop> next_hops;  ///< without duplicates

  /// The link with this index; null when there is none.
  const Link* link(std::uint32_t index) const;
};

/// Appends what a message of the kernel says, when the message is whole.
void parse_address(const nlmsghdr* message, std::vector<InterfaceAddress>& addresses);
void parse_next_hops(const nlmsghdr* message, std::vector<NextHop>& next_hops);

/// The addresses of the calling thread's netns, or of the netns that it numbers `nsid`.
Result<std::vector<InterfaceAddress>> read_addresses(std::size_t most = SIZE_MAX,
                                                     std::int32_t nsid = kHere);
Result<std::vector<NextHop>> read_next_hops(std::size_t most = SIZE_MAX);
/// The links, addresses and next hops of the calling thread's netns; of each the first `most` that
/// the kernel tells.
Result<NetnsTopology> read_topology(std::size_t most = SIZE_MAX);

/// The indices of the devices with a default route, IPv4 or IPv6.
std::set<std::uint32_t> default_route_interfaces(const std::vector<NextHop>& next_hops);

}  // namespace dptrace
