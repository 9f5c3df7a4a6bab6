// The neighbour table of the calling thread's network namespace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/address.hpp"
#include "model/result.hpp"

namespace dptrace {

struct Neighbour {
  std::uint32_t device = 0;
  std::uint16_t state = 0;   ///< NUD_*
  std::string mac{};         ///< `22:47:9a:ce:70:88`; empty: none
  std::uint32_t probes = 0;  ///< how often it was asked in its present state
};

/// The entries of an address; only those of the device, where one is given.
Result<std::vector<Neighbour>> find_neighbours(const Address& address, std::uint32_t device = 0);

/// The entry of an address on a device; nothing when there is none.
std::optional<Neighbour> find_neighbour(const Address& address, std::uint32_t device);

/// `FAILED`, `INCOMPLETE`, `REACHABLE`, as `ip neigh` calls it.
std::string neighbour_state(std::uint16_t state);

}  // namespace dptrace
