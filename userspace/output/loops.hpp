// Packets that go round in circles: the same lines again and again, with a falling TTL.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "model/packet.hpp"

namespace dptrace {

/// Hops that one line tells.
struct HopLine {
  std::size_t first = 0;
  std::size_t count = 1;
};

struct Loop {
  std::size_t lines = 0;    ///< of one round
  std::size_t repeats = 0;  ///< how often they come again, at least twice
  std::uint8_t first_ttl = 0;
  std::uint8_t last_ttl = 0;
  bool translated = false;  ///< NAT gave it another tuple in each round
};

/// Do the first of these lines come again, each time with a smaller TTL? Parts and copies that
/// cross a device after each other have one TTL and are no loop.
std::optional<Loop> loop_at(std::span<const Hop> hops, std::span<const HopLine> lines);

}  // namespace dptrace
