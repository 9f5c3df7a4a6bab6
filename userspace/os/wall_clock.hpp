// The wall clock beside the monotonic one, which events have.
#pragma once

#include <cstdint>

namespace dptrace {

/// CLOCK_REALTIME minus CLOCK_MONOTONIC, now.
std::int64_t wall_clock_offset_ns();

/// The offset to go on with. Steps are followed, and what a slow correction has become in the end;
/// not each nanosecond of it.
constexpr std::int64_t followed_offset_ns(std::int64_t known, std::int64_t now) {
  constexpr std::int64_t kEnough = 1'000'000;
  return now - known >= kEnough || known - now >= kEnough ? now : known;
}

}  // namespace dptrace
