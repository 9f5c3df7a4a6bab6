#include "os/wall_clock.hpp"

#include <ctime>

namespace dptrace {

namespace {

std::int64_t read(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

// Between two looks the process may lose the processor: of some readings the closest is taken.
std::int64_t wall_clock_offset_ns() {
  constexpr std::int64_t kCloseEnough = 10'000;
  constexpr int kTries = 5;
  std::int64_t closest = INT64_MAX;
  std::int64_t offset = 0;
  for (int i = 0; i < kTries && closest > kCloseEnough; ++i) {
    const std::int64_t before = read(CLOCK_MONOTONIC);
    const std::int64_t wall = read(CLOCK_REALTIME);
    const std::int64_t took = read(CLOCK_MONOTONIC) - before;
    if (took >= closest) continue;
    closest = took;
    offset = wall - before - took / 2;
  }
  return offset;
}

}  // namespace dptrace
