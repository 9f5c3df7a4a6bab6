// These functions read the counters of losses of one network namespace.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "counters/counter_reading.hpp"
#include "model/result.hpp"

namespace dptrace {

/// SourceReading has the counters of one source, or says why it could not be read.
struct SourceReading {
  CounterSource source;
  Result<std::vector<CounterReading>> readings;
};

/// Reads all sources of the calling thread's netns, but kSoftnet, which is the machine's. Loads no
/// module into the kernel: conntrack has no counters where its module is not loaded. Of devices and
/// qdiscs the first `most_devices` are told.
std::vector<SourceReading> read_netns_counters(std::size_t most_devices);

SourceReading read_softnet_counters();

/// Returns how many packets all CPUs of the machine have received, a count that wraps around; 0: it
/// cannot be read.
std::uint32_t packets_received();

}  // namespace dptrace
