// A peer is a client to which bounds apply: an IPv4 address, or the /64 of an IPv6 address, since a
// client that has one address of a /64 has all of them.
#pragma once

#include <array>
#include <cstdint>

namespace dptrace {

using Peer = std::array<std::uint8_t, 16>;

}  // namespace dptrace
