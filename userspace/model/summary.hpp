// Summary has the figures at the end of a trace.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "model/names.hpp"
#include "model/packet.hpp"

namespace dptrace {

struct Summary {
  std::array<std::uint64_t, kVerdicts> packets{};  ///< shown packets by verdict
  /// Shown packets that were not dropped, but one of whose receivers lost its copy.
  std::uint64_t lost_copies = 0;
  /// The number of packets that lost anything, by the name of the reason, or of the function where
  /// there is none.
  std::map<std::string, std::uint64_t> drops;
  std::uint64_t events = 0;
  std::uint64_t events_lost = 0;
  std::uint64_t forgotten = 0;  ///< packets told early because too many were being followed
  std::uint64_t duration_ns = 0;
  /// CLOCK_MONOTONIC: packets that were due by then were told while the trace went on; 0: not
  /// known.
  std::uint64_t told_until_ns = 0;

  /// Counts a shown packet.
  void count(const Packet& packet, const Names& names);
  /// True when anything of a shown packet was lost.
  bool lost_anything() const {
    return packets[static_cast<std::size_t>(Verdict::kDropped)] != 0 || lost_copies != 0;
  }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const auto count : packets) sum += count;
    return sum;
  }
};

}  // namespace dptrace
