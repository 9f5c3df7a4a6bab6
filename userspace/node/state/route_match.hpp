// The kernel says which of its routes it takes, in the calling thread's network namespace.
#pragma once

#include <cstdint>
#include <optional>

#include "node/state/route.hpp"

namespace dptrace {

struct RouteMatch {
  std::uint8_t length = 0;   ///< of the route's prefix in bits; 0: it is the default route
  std::uint32_t output = 0;  ///< index of the device; 0: none, or one of several
};

/// The route by which the kernel would send a packet without a mark. Nothing when it has none that
/// leads on, or does not say which.
std::optional<RouteMatch> match_route(const RouteQuestion& question);

}  // namespace dptrace
