// The BPF programs and the kernel count the events that could not be told.
#pragma once

#include <cstdint>

struct bpf_object;

namespace dptrace {

/// Returns how many records found no room in the ring: of all kinds and CPUs, since the programs
/// were loaded. `counts` is the descriptor of the map of that name.
std::uint64_t lost_events(int counts);

/// Returns how many runs of a program the kernel left out because the same program was running on
/// that CPU. The kernel counts these runs since 5.12 for fentry and fexit, and since 6.1 for
/// tracepoints too. `program` is a descriptor.
std::uint64_t missed_runs(int program);

/// Returns the sum of these runs for all programs of the object that are loaded.
std::uint64_t missed_runs(const bpf_object& object);

}  // namespace dptrace
