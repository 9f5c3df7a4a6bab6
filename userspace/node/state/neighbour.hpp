// The neighbour table of the calling thread's network namespace.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "model/address.hpp"
#include "model/result.hpp"

namespace dptrace {

struct Neighbour {
  std::uint16_t state = 0;  ///< NUD_*
  /// Its MAC address; nothing when it is not known, or no Ethernet's.
  std::optional<std::array<std::uint8_t, 6>> mac{};
};

/// The entry of an address on a device; nothing: there is none.
Result<std::optional<Neighbour>> find_neighbour(const Address& address, std::uint32_t device);

/// `FAILED`, `INCOMPLETE`, `REACHABLE`, as `ip neigh` calls it.
std::string neighbour_state(std::uint16_t state);

}  // namespace dptrace
