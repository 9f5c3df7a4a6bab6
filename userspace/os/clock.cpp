#include "os/clock.hpp"

namespace dptrace {

std::int64_t clock_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return nanoseconds(time);
}

std::uint64_t monotonic_ns() { return static_cast<std::uint64_t>(clock_ns(CLOCK_MONOTONIC)); }

// The process may lose the processor between reading one clock and the other, so the closest of
// several pairs of readings is taken.
std::int64_t wall_clock_offset_ns() {
  constexpr std::int64_t kCloseEnough = 10'000;
  constexpr int kTries = 5;
  std::int64_t closest = INT64_MAX;
  std::int64_t offset = 0;
  for (int i = 0; i < kTries && closest > kCloseEnough; ++i) {
    const std::int64_t before = clock_ns(CLOCK_MONOTONIC);
    const std::int64_t wall = clock_ns(CLOCK_REALTIME);
    const std::int64_t took = clock_ns(CLOCK_MONOTONIC) - before;
    if (took >= closest) continue;
    closest = took;
    offset = wall - before - took / 2;
  }
  return offset;
}

}  // namespace dptrace
