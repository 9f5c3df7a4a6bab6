// Made-up kinds of drops on the node of sample_packets.hpp.
#pragma once

#include "drops/drop_counts.hpp"
#include "support/sample_packets.hpp"

namespace dptrace::sample {

inline constexpr std::uint64_t kSecond = 1'000'000'000;

inline DropKind kind(std::uint32_t reason = 9, std::uint64_t location = kIpError,
                     std::uint8_t protocol = 17) {
  DropKind kind;
  kind.reason = reason;
  kind.location = location;
  kind.interface = kCni0;
  kind.family = 4;
  kind.protocol = protocol;
  return kind;
}

/// Of the second number `interval` of a watch.
inline DropCounts counts(std::uint64_t interval, std::vector<KindCount> kinds = {}) {
  DropCounts counts;
  counts.begin_ns = kStart + interval * kSecond;
  counts.end_ns = counts.begin_ns + kSecond;
  counts.kinds = std::move(kinds);
  return counts;
}

inline DropSample drop_sample(std::uint64_t offset_ns = 0) {
  DropSample sample;
  sample.drop.time_ns = kStart + offset_ns;
  sample.drop.reason = 9;
  sample.drop.location = kIpError;
  sample.drop.interface = kCni0;
  sample.drop.stack = {kIpError, kIpRcv};
  sample.flow = flow("10.244.1.2", "10.244.6.3", 17);
  sample.flow.l4.port.source = 4000;
  sample.flow.l4.port.destination = 53;
  sample.length = 84;
  return sample;
}

}  // namespace dptrace::sample
