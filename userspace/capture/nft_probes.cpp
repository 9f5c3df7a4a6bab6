#include "capture/nft_probes.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "capture/nft_functions.hpp"

namespace dptrace {

namespace {

bpf_program* find_program(const dptrace_bpf& skeleton, const char* name) {
  return bpf_object__find_program_by_name(skeleton.obj, name);
}

bool is_loaded(const bpf_program* program) { return bpf_program__fd(program) >= 0; }

// Before 5.17 programs have no bpf_loop, and rules are kept in another form.
const char* for_kernel(const char* program, const NftKernel& kernel) {
  const bool searches = std::string_view(program) == "dptrace_nft_leave_k";
  return searches && !kernel.has_loops ? "dptrace_nft_leave_w" : program;
}

}  // namespace

void place_nft_programs(dptrace_bpf& skeleton, const NftKernel& kernel, bool kprobes,
                        const Refusals& refusals) {
  const auto load = [&](const char* name) {
    if (refusals.contains(name)) return false;
    bpf_program__set_autoload(find_program(skeleton, name), true);
    return true;
  };
  for (const auto& function : kNftFunctions) {
    const bool typed = function.typed != nullptr && kernel.typed.contains(function.name) &&
                       kernel.has_loops && load(function.typed);
    // Most functions belong to modules that may be loaded later.
    const bool may_come = !kernel.functions.contains(function.name);
    if (!kprobes || (typed && !may_come)) continue;
    for (const char* program : {function.at_entry, function.at_exit}) {
      if (program != nullptr) load(for_kernel(program, kernel));
    }
  }
}

NftProbes::NftProbes(ProbeState state, Gear gear, dptrace_bpf& skeleton, NftKernel kernel,
                     Refusals refusals)
    : Family(std::move(state), gear),
      skeleton_(skeleton),
      kernel_(std::move(kernel)),
      refusals_(std::move(refusals)),
      modules_(loaded_modules()) {}

void NftProbes::want(bool wanted) {
  if (wanted == std::exchange(wanted_, wanted) || !is_in_place()) return;
  detach();
  attach();
}

Result<std::string> NftProbes::put_in_place() {
  attached_.clear();
  // While nf_tables is not loaded, no rule of nftables drops anything.
  if (!wanted_ || !kernel_.functions.contains(kNftFunctions.front().name)) return std::string();
  if (!kernel_.layout) return failure("this kernel's structs of nf_tables are not known");
  skeleton_.bss->nft_layout = *kernel_.layout;
  auto why = attach_all();
  if (why.empty()) return why;
  return failure(std::move(why));
}

std::string NftProbes::attach_all() {
  for (std::size_t row = 0; row < kNftFunctions.size(); ++row) {
    if (attached_.contains(row) || !kernel_.functions.contains(kNftFunctions[row].name)) continue;
    if (auto why = attach_row(row); !why.empty()) return why;
    attached_.insert(row);
  }
  return {};
}

std::string NftProbes::attach_row(std::size_t row) {
  const auto& function = kNftFunctions[row];
  if (function.typed != nullptr && is_loaded(find_program(skeleton_, function.typed))) {
    if (BpfLink link(bpf_program__attach(find_program(skeleton_, function.typed))); link) {
      keep(std::move(link));
      return {};
    }
    return fmt::format("attaching to {}: {}", function.name, std::strerror(errno));
  }
  std::string why;
  if (function.at_exit != nullptr) why = attach_kprobe(function.at_exit, true, function.name);
  if (why.empty() && function.at_entry != nullptr)
    why = attach_kprobe(function.at_entry, false, function.name);
  return why;
}

std::string NftProbes::attach_kprobe(const char* name, bool at_exit, const char* function) {
  name = for_kernel(name, kernel_);
  const auto* program = find_program(skeleton_, name);
  if (!is_loaded(program)) {
    const auto refusal = refusals_.find(name);
    return refusal != refusals_.end() ? refusal->second
                                      : "this kernel has neither fentry nor kprobes for it";
  }
  BpfLink link(bpf_program__attach_kprobe(program, at_exit, function));
  if (!link) return fmt::format("kprobe at {}: {}", function, std::strerror(errno));
  keep(std::move(link));
  return {};
}

std::vector<std::string> NftProbes::follow_modules() {
  auto modules = loaded_modules();
  if (modules == modules_) return {};
  modules_ = std::move(modules);
  const auto symbols = Symbols::load();
  if (!symbols) return {};
  if (kernel_.layout) {
    kernel_.find_functions(*symbols);
    // What was unloaded is probed again when it comes back.
    std::erase_if(attached_, [&](std::size_t row) {
      return !kernel_.functions.contains(kNftFunctions[row].name);
    });
  } else if (const auto btf = KernelBtf::load(); btf) {
    kernel_ = NftKernel::ask(*btf, *symbols);
  }
  // A family that was refused, or is not wanted now, attaches to these functions with the others.
  if (!is_in_place() || !wanted_ || !kernel_.layout) return {};
  skeleton_.bss->nft_layout = *kernel_.layout;
  if (auto why = attach_all(); !why.empty())
    return {fmt::format("some rules of nftables that drop packets are not told: {}", why)};
  return {};
}

}  // namespace dptrace
