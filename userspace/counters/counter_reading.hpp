// A reading is one value of one of the kernel's counters of losses.
#pragma once

#include <cstdint>
#include <string_view>

namespace dptrace {

/// The counters of a source are read in one go, which succeeds or fails as one.
enum class CounterSource : std::uint8_t {
  kDevice,
  kQdisc,
  kSoftnet,
  kConntrack,
  kTcp,
  kUdp,
};

/// Returns the name that LossCounter::group has for the source.
std::string_view group_name(CounterSource source);

struct CounterReading {
  std::string_view name;    ///< name in static storage
  std::uint32_t index = 0;  ///< ifindex of the device; 0: of the netns or of the machine
  std::uint32_t cpu = 0;    ///< the readings of all CPUs are one counter
  /// The handle of the qdisc that counts; a qdisc with another handle began at 0.
  std::uint32_t generation = 0;
  std::uint64_t value = 0;
  /// The counter wraps at 2^32; if false, at 2^64, which is never.
  bool is_32_bit = false;
};

}  // namespace dptrace
