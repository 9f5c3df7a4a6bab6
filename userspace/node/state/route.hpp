// These functions ask the kernel where a packet would go, in the calling thread's network
// namespace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/address.hpp"
#include "model/result.hpp"

namespace dptrace {

struct RouteQuestion {
  Address destination;
  std::optional<Address> source{};
  std::uint32_t input = 0;  ///< index of the device it came in by; 0: it is made here
  std::uint32_t mark = 0;   ///< skb->mark, by which rules may choose the table
};

struct Route {
  /// An errno, with which the kernel refuses the packet: ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL
  /// (blackhole), EXDEV (reverse path); 0: it has a way.
  int error = 0;
  std::uint8_t type = 0;     ///< RTN_*
  std::uint32_t output = 0;  ///< index of the device; 0: none
  std::optional<Address> gateway{};
  std::uint32_t table = 0;  ///< that has the route; 0: not told
};

/// The way of a packet.
Result<Route> look_up_route(const RouteQuestion& question);

struct RouteMatch {
  std::uint8_t length = 0;   ///< of the route's prefix in bits; 0: it is the default route
  std::uint32_t output = 0;  ///< index of the device; 0: none, or one of several
};

/// The route in a table by which the kernel would send the packet. Nothing when it has none that
/// leads on, or does not say which.
std::optional<RouteMatch> match_route(const RouteQuestion& question);

/// A route as it stands in a table.
struct TableRoute {
  std::uint8_t type = 0;  ///< RTN_*
  Address prefix{};       ///< all zero with .length 0: the default route
  std::uint8_t length = 0;
  std::uint32_t table = 0;
  std::uint8_t protocol = 0;  ///< RTPROT_*
  std::uint32_t output = 0;   ///< index of the device; 0: none, or several
  std::optional<Address> gateway{};
};

/// The routes of that type (RTN_UNICAST, RTN_BLACKHOLE, ...) of all tables.
Result<std::vector<TableRoute>> read_routes(std::uint8_t family, std::uint8_t type);

/// True when the address is in the prefix; `length` in bits of the address's own family.
bool is_in_prefix(const Address& address, const Address& prefix, std::uint8_t length);

/// `static`, `bird`, `kernel`; empty for a protocol without a well-known name.
std::string_view route_protocol(std::uint8_t protocol);

/// `blackhole`, `unreachable`, `prohibit`; empty for types that let packets pass.
std::string_view barrier_name(std::uint8_t type);

/// `default`, `10.244.6.0/24`.
std::string prefix_text(const Address& prefix, std::uint8_t length);

/// The number of leading bits in which two addresses of a family agree.
std::uint8_t common_bits(const Address& a, const Address& b);

}  // namespace dptrace
