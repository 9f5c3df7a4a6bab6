// The clocks are read in nanoseconds: the monotonic one, which events have, and the wall clock.
#pragma once

#include <cstdint>
#include <ctime>

namespace dptrace {

constexpr std::int64_t nanoseconds(const timespec& time) {
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

/// The time of `clock`; a signal handler may call clock_ns() and monotonic_ns().
std::int64_t clock_ns(clockid_t clock);

/// The time of CLOCK_MONOTONIC.
std::uint64_t monotonic_ns();

/// The time of CLOCK_REALTIME minus that of CLOCK_MONOTONIC, now.
std::int64_t wall_clock_offset_ns();

/// The offset to use from now on. It changes when the clock was set by 1 ms or more, at once or by
/// a slow correction in the end; it does not follow each nanosecond of a correction.
constexpr std::int64_t followed_offset_ns(std::int64_t known, std::int64_t now) {
  constexpr std::int64_t kEnough = 1'000'000;
  return now - known >= kEnough || known - now >= kEnough ? now : known;
}

}  // namespace dptrace
