#include "capture/lost_events.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <vector>

#include "dptrace/event.h"

namespace dptrace {

namespace {

// Layout of struct dpt_counts in emit.bpf.h.
struct Counts {
  std::uint64_t written;
  std::array<std::uint64_t, DPT_EVENT_DEVICE + 1> lost;
};

}  // namespace

std::uint64_t lost_events(int counts) {
  std::vector<Counts> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  const std::uint32_t zero = 0;
  if (bpf_map_lookup_elem(counts, &zero, per_cpu.data()) != 0) return 0;
  std::uint64_t sum = 0;
  for (const auto& cpu : per_cpu) {
    for (const auto lost : cpu.lost) sum += lost;
  }
  return sum;
}

}  // namespace dptrace
