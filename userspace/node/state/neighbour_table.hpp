// The neighbour tables of the kernel, one for IPv4 and one for IPv6, which all network namespaces
// share.
#pragma once

#include <cstdint>

#include "model/result.hpp"

namespace dptrace {

struct NeighbourTable {
  std::uint32_t entries = 0;     ///< of all network namespaces, permanent ones included
  std::uint32_t most = 0;        ///< gc_thresh3; permanent entries do not count towards it
  std::uint64_t times_full = 0;  ///< how often an entry found no room since the kernel started
};

/// `family` is AF_INET or AF_INET6.
Result<NeighbourTable> read_neighbour_table(std::uint8_t family);

}  // namespace dptrace
