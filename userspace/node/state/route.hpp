// These functions ask the kernel where a packet would go, in the calling thread's network
// namespace.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/address.hpp"
#include "model/result.hpp"

namespace dptrace {

struct RouteQuestion {
  Address destination;
  std::optional<Address> source{};
  std::uint32_t input = 0;  ///< index of the device it came in by; 0: it is made here
};

struct Route {
  /// An errno, with which the kernel refuses the packet: ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL
  /// (blackhole), EXDEV (reverse path); 0: it has a way.
  int error = 0;
  std::uint8_t type = 0;     ///< RTN_*
  std::uint32_t output = 0;  ///< index of the device; 0: none
  std::optional<Address> gateway{};
};

/// The way of a packet without a mark.
Result<Route> look_up_route(const RouteQuestion& question);

/// A route that lets nothing pass.
struct Barrier {
  std::uint8_t type = 0;  ///< RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT
  Address prefix{};       ///< all zero with .length 0: the default route
  std::uint8_t length = 0;
  std::uint32_t table = 0;
  std::uint8_t protocol = 0;  ///< RTPROT_*
};

/// The routes of that type of all tables.
Result<std::vector<Barrier>> read_barriers(std::uint8_t family, std::uint8_t type);

/// True when the address is in the prefix; `length` in bits of the address's own family.
bool is_in_prefix(const Address& address, const Address& prefix, std::uint8_t length);

/// `static`, `bird`, `kernel`; empty for a protocol without a well-known name.
std::string_view route_protocol(std::uint8_t protocol);

/// `blackhole`, `unreachable`, `prohibit`; empty for other types.
std::string_view barrier_name(std::uint8_t type);

}  // namespace dptrace
