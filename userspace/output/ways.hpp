// The ways that TCP packets went of late, so that a retransmission by the same one need not repeat
// it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/packet.hpp"

namespace dptrace {

/// Bounded: a newer packet takes the place of an older one.
class Ways {
 public:
  /// When the packet began that this one repeats, if that one went by the same points, devices,
  /// hooks, tunnels and addresses. Whichever has to be printed in full is remembered.
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
