// Ways remembers the ways that TCP packets went lately, so that a retransmission by the same way
// need not repeat it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/packet.hpp"

namespace dptrace {

/// The memory is bounded: a newer packet takes the place of an older one.
class Ways {
 public:
  /// The time (CLOCK_MONOTONIC, ns) when the packet began that this one repeats, if that went by
  /// the same points, devices, hooks, tunnels and addresses. Otherwise this packet, which has to be
  /// printed in full, is remembered.
  std::optional<std::uint64_t> same_before(const Packet& packet);

 private:
  struct Slot {
    std::array<std::uint8_t, 40> data{};  ///< addresses, ports and sequence number
    std::uint64_t way = 0;
    std::uint64_t start_ns = 0;  ///< CLOCK_MONOTONIC; 0: empty
  };

  std::vector<Slot> slots_;
};

}  // namespace dptrace
