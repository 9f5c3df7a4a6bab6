// Events that the BPF programs could not tell are counted by them and by the kernel.
#pragma once

#include <cstdint>

struct bpf_object;

namespace dptrace {

/// Records that found no room in the ring: of all kinds and CPUs, since the programs were loaded.
/// `counts` is the map of that name.
std::uint64_t lost_events(int counts);

/// Runs of a program that the kernel left out because the same program was running on that CPU: it
/// counts them since 5.12 for fentry and fexit, since 6.1 for tracepoints too.
std::uint64_t missed_runs(int program);

/// Of all programs of the object that are loaded.
std::uint64_t missed_runs(const bpf_object& object);

}  // namespace dptrace
