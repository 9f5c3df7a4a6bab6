#include "capture/lost_events.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <vector>

#include "dptrace/event.h"

namespace dptrace {

namespace {

// Counts has the layout of struct dpt_counts in emit.bpf.h.
struct Counts {
  std::uint64_t written;
  std::array<std::uint64_t, DPT_EVENT_FULL_LISTENER + 1> lost;
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

std::uint64_t missed_runs(int program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof info;
  return bpf_obj_get_info_by_fd(program, &info, &size) == 0 ? info.recursion_misses : 0;
}

std::uint64_t missed_runs(const bpf_object& object) {
  std::uint64_t sum = 0;
  const bpf_program* program = nullptr;
  while ((program = bpf_object__next_program(&object, const_cast<bpf_program*>(program))) !=
         nullptr) {
    if (const int fd = bpf_program__fd(program); fd >= 0) sum += missed_runs(fd);
  }
  return sum;
}

}  // namespace dptrace
