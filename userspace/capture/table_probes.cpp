#include "capture/table_probes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "names/symbols.hpp"

namespace dptrace {

TableProbes::TableProbes(ProbeState state, Gear gear, dptrace_bpf& first,
                         const KernelOffers& offers, std::vector<TableFunction> placed)
    : Family(std::move(state), gear), first_(first), offers_(offers) {
  if (!placed.empty()) parts_.push_back({&first_, nullptr, std::move(placed), nullptr});
}

void TableProbes::want(bool wanted) {
  if (wanted == std::exchange(wanted_, wanted) || !is_in_place()) return;
  detach();
  attach();
}

std::vector<TableFunction> TableProbes::new_functions() const {
  auto found = table_functions(offers_);
  std::erase_if(found, [&](const TableFunction& function) {
    return std::any_of(parts_.begin(), parts_.end(), [&](const Part& part) {
      const auto& known = part.functions;
      return std::find(known.begin(), known.end(), function) != known.end();
    });
  });
  return found;
}

Result<std::string> TableProbes::put_in_place() {
  modules_ = loaded_modules();
  if (!offers_.loops && !offers_.table_is_last)
    return failure("this kernel has neither bpf_loop nor the arguments from before 5.16");
  if (offers_.per_cpu_offsets == 0)
    return failure("the kernel does not tell where __per_cpu_offset is");
  std::atomic_ref(first_.bss->per_cpu_offsets).store(offers_.per_cpu_offsets);
  if (!wanted_) return std::string();
  if (auto functions = new_functions(); !functions.empty()) {
    if (auto loaded = load(std::move(functions)); !loaded) return tl::unexpected(loaded.error());
  }
  for (auto& part : parts_) {
    if (auto attached = attach_part(part); !attached) return tl::unexpected(attached.error());
  }
  return std::string();
}

Result<> TableProbes::load(std::vector<TableFunction> functions) {
  auto skeleton = load_beside(first_, [&](dptrace_bpf& opened) {
    return choose_table_programs(opened, offers_, functions);
  });
  if (!skeleton) return tl::unexpected(skeleton.error());
  auto* loaded = skeleton->get();
  parts_.push_back({loaded, std::move(*skeleton), std::move(functions), nullptr});
  return {};
}

Result<> TableProbes::attach_part(Part& part) {
  if (!part.replaced) {
    auto* program = bpf_object__find_program_by_name(part.skeleton->obj,
                                                     table_program(offers_, "xt_replaced").c_str());
    part.replaced.reset(offers_.loops
                            ? bpf_program__attach(program)
                            : bpf_program__attach_kprobe(program, false, "xt_replace_table"));
    if (!part.replaced) return failure(fmt::format("xt_replace_table: {}", std::strerror(errno)));
  }
  for (const auto& function : part.functions) {
    if (auto attached = attach_to(part, function); !attached) return attached;
  }
  return {};
}

// The end of a traversal is probed before its beginning.
Result<> TableProbes::attach_to(const Part& part, const TableFunction& function) {
  for (const bool is_end : {true, false}) {
    const auto name =
        table_program(offers_, fmt::format("{}{}", function.name, is_end ? "_out" : "_in"));
    auto* program = bpf_object__find_program_by_name(part.skeleton->obj, name.c_str());
    BpfLink link(offers_.loops ? bpf_program__attach(program)
                               : bpf_program__attach_kprobe(program, is_end, function.name));
    if (!link) return failure(fmt::format("{}: {}", function.name, std::strerror(errno)));
    keep(std::move(link));
  }
  return {};
}

std::string TableProbes::follow_modules() {
  auto modules = loaded_modules();
  if (modules == std::exchange(modules_, modules) || !is_in_place() || !wanted_) return {};
  auto functions = new_functions();
  if (functions.empty()) return {};
  auto loaded = load(std::move(functions));
  if (loaded) loaded = attach_part(parts_.back());
  if (loaded) return {};
  return fmt::format("rules of iptables-legacy are not told: {}", loaded.error().message);
}

std::optional<std::uint64_t> TableProbes::revision_of(std::uint8_t family,
                                                      std::uint64_t table) const {
  for (const auto& part : parts_) {
    if (std::none_of(part.functions.begin(), part.functions.end(),
                     [&](const TableFunction& function) { return function.family == family; }))
      continue;
    std::atomic_ref told(first_.bss->xt_told_revision);
    told.store(0);
    std::uint64_t arguments[] = {table};
    LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = arguments, .ctx_size_in = sizeof arguments);
    const int program = bpf_program__fd(part.skeleton->progs.dptrace_xt_revision);
    if (bpf_prog_test_run_opts(program, &options) != 0 || told.load() == 0) return {};
    return told.load();
  }
  return {};
}

}  // namespace dptrace
