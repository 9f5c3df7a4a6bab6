// The figures at the end of a trace.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "model/packet.hpp"

namespace dptrace {

struct Summary {
  std::array<std::uint64_t, kVerdicts> packets{};  ///< shown packets by verdict
  std::map<std::string, std::uint64_t> drops;  ///< by reason name (by function where there is none)
  std::uint64_t events = 0;
  std::uint64_t events_lost = 0;
  std::uint64_t forgotten = 0;  ///< packets ended early because too many were being followed
  std::uint64_t duration_ns = 0;

  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const auto count : packets) sum += count;
    return sum;
  }
};

}  // namespace dptrace
