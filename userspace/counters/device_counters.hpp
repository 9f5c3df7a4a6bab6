// Losses that network devices and their qdiscs count, as rtnetlink tells them.
#pragma once

#include <libmnl/libmnl.h>

#include <vector>

#include "counters/counter_reading.hpp"
#include "model/result.hpp"

namespace dptrace {

/// `rx_dropped`, `tx_dropped`, `rx_errors`, `tx_errors`, `rx_missed_errors`, `rx_over_errors` and
/// `rx_fifo_errors` of each device of the calling thread's netns. Drivers may count one packet in
/// two.
Result<std::vector<CounterReading>> read_device_counters(std::size_t most = SIZE_MAX);

/// `drops` of each device's root qdisc, in which those of its classes are counted, and
/// `ingress drops` of what has the place of the ingress qdisc (tc actions and programs).
Result<std::vector<CounterReading>> read_qdisc_counters(std::size_t most = SIZE_MAX);

/// Of one message of these dumps.
void parse_device_counters(const nlmsghdr* message, std::vector<CounterReading>& readings);
void parse_qdisc_counters(const nlmsghdr* message, std::vector<CounterReading>& readings);

}  // namespace dptrace
