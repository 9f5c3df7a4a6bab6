// A peer is the client that bounds apply to: an IPv4 address, or the /64 of an IPv6 one, since a
// client that has one address of it has all.
#pragma once

#include <array>
#include <cstdint>

namespace dptrace {

using Peer = std::array<std::uint8_t, 16>;

}  // namespace dptrace
