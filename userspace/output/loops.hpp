// A loop is the way of a packet that goes round in circles: the same lines again and again, with a
// falling TTL.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "model/packet.hpp"

namespace dptrace {

/// The hops that one line tells.
struct HopLine {
  std::size_t first = 0;
  std::size_t count = 1;
};

struct Loop {
  std::size_t lines = 0;    ///< lines of one round
  std::size_t repeats = 0;  ///< how often the lines come again, at least twice
  std::uint8_t first_ttl = 0;
  std::uint8_t last_ttl = 0;
  bool translated = false;  ///< NAT gave the packet another tuple in each round
};

/// The loop with which these lines begin, if the first of them come again, each time with a smaller
/// TTL. Parts and copies that cross a device after each other have the same TTL and are no loop.
std::optional<Loop> loop_at(std::span<const Hop> hops, std::span<const HopLine> lines);

}  // namespace dptrace
