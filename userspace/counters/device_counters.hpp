// Network devices and their qdiscs count losses, which rtnetlink tells.
#pragma once

#include <libmnl/libmnl.h>

#include <vector>

#include "counters/counter_reading.hpp"
#include "model/result.hpp"

namespace dptrace {

/// Reads `rx_dropped`, `tx_dropped`, `rx_errors`, `tx_errors`, `rx_missed_errors`, `rx_over_errors`
/// and `rx_fifo_errors` of each device of the calling thread's netns, but of no more than `most`
/// devices. Drivers may count one packet in two of these.
Result<std::vector<CounterReading>> read_device_counters(std::size_t most = SIZE_MAX);

/// Reads `drops` of each device's root qdisc, in which those of its classes are counted, and
/// `ingress drops` of what has the place of the ingress qdisc (tc actions and programs). No more
/// than `most` qdiscs are looked at.
Result<std::vector<CounterReading>> read_qdisc_counters(std::size_t most = SIZE_MAX);

/// Append the readings of one message of these dumps.
void parse_device_counters(const nlmsghdr* message, std::vector<CounterReading>& readings);
void parse_qdisc_counters(const nlmsghdr* message, std::vector<CounterReading>& readings);

}  // namespace dptrace
