// DropCounts has the counts of one interval, as they were read from the kernel.
#pragma once

#include <cstdint>
#include <vector>

#include "drops/drop_table.hpp"

namespace dptrace {

struct KindCount {
  DropKind kind;
  std::uint64_t id = 0;  ///< the number that DropRow::id has
  DropCount count;
};

struct DropCounts {
  std::uint64_t begin_ns = 0;  ///< CLOCK_MONOTONIC
  std::uint64_t end_ns = 0;
  std::vector<KindCount> kinds;
  DropCount other;                    ///< drops that could not be told apart
  std::uint64_t samples_lost = 0;     ///< samples that found no room in this interval
  std::uint64_t not_examined = 0;     ///< drops in this interval that the program was not shown
  std::vector<LossCounter> counters;  ///< as DropTable has them
};

}  // namespace dptrace
