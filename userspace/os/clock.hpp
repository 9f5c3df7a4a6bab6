// The clocks in nanoseconds: the monotonic one, which events have, and the wall clock beside it.
#pragma once

#include <cstdint>
#include <ctime>

namespace dptrace {

constexpr std::int64_t nanoseconds(const timespec& time) {
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

/// A signal handler may call it, as the next.
std::int64_t clock_ns(clockid_t clock);

/// CLOCK_MONOTONIC.
std::uint64_t monotonic_ns();

/// CLOCK_REALTIME minus CLOCK_MONOTONIC, now.
std::int64_t wall_clock_offset_ns();

/// The offset to go on with. Steps are followed, and what a slow correction has become in the end;
/// not each nanosecond of it.
constexpr std::int64_t followed_offset_ns(std::int64_t known, std::int64_t now) {
  constexpr std::int64_t kEnough = 1'000'000;
  return now - known >= kEnough || known - now >= kEnough ? now : known;
}

}  // namespace dptrace
