// The counters of losses of one network namespace.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "counters/counter_reading.hpp"
#include "model/result.hpp"

namespace dptrace {

/// The counters of one source, or why it could not be read.
struct SourceReading {
  CounterSource source;
  Result<std::vector<CounterReading>> readings;
};

/// Of the calling thread's netns: all sources but kSoftnet, which is the machine's. Loads no module
/// into the kernel: conntrack's counters are none where it is not.
std::vector<SourceReading> read_netns_counters(std::size_t most_devices);

SourceReading read_softnet_counters();

/// By all CPUs of the machine, a count that wraps around; 0: it cannot be read.
std::uint32_t packets_received();

/// Tells this netns from one that had its inode number before; 0 before 5.14, which cannot.
std::uint64_t netns_cookie();

}  // namespace dptrace
