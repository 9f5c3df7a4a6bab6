// Who a client is, as far as bounds are concerned: an IPv4 address, or the /64 of an IPv6 one, of
// which whoever has one address has all.
#pragma once

#include <array>
#include <cstdint>

namespace dptrace {

using Peer = std::array<std::uint8_t, 16>;

}  // namespace dptrace
