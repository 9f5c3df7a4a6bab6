#include "capture/hook_probes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "os/clock.hpp"

namespace dptrace {

HookProbes::HookProbes(ProbeState state, Gear gear, dptrace_bpf& skeleton,
                       std::vector<HookFunction> by_fentry, std::vector<HookFunction> by_kprobe,
                       std::string refusal)
    : Family(std::move(state), gear),
      skeleton_(skeleton),
      by_fentry_(std::move(by_fentry)),
      by_kprobe_(std::move(by_kprobe)),
      refusal_(std::move(refusal)),
      modules_(loaded_modules()) {}

bool HookProbes::has_ipvs() const {
  const auto is_its = [](const HookFunction& function) {
    return function.name.starts_with("ip_vs_");
  };
  return std::any_of(by_fentry_.begin(), by_fentry_.end(), is_its) ||
         std::any_of(by_kprobe_.begin(), by_kprobe_.end(), is_its);
}

void HookProbes::want(bool wanted) {
  if (wanted == std::exchange(wanted_, wanted) || !is_in_place()) return;
  detach();
  attach();
}

Result<std::string> HookProbes::put_in_place() {
  std::atomic_ref told_since(skeleton_.bss->entries_told_since);
  told_since.store(0);
  if (!wanted_) return std::string();
  forget_entries();
  auto lacks = attach_all();
  told_since.store(monotonic_ns());
  return lacks;
}

void HookProbes::forget_entries() {
  const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
  const std::vector<std::byte> nothing(cpus * bpf_map__value_size(skeleton_.maps.traversals));
  const std::uint32_t key = 0;
  bpf_map_update_elem(bpf_map__fd(skeleton_.maps.traversals), &key, nothing.data(), BPF_ANY);
}

std::string HookProbes::attach_all() {
  std::string lacks;
  const auto by_kprobe = [&](const HookFunction& function) {
    if (const auto why = attach_kprobe(function); !why.empty() && lacks.empty())
      lacks = fmt::format("not those of {}: {}", function.name, why);
  };
  for (std::size_t slot = 0; slot < by_fentry_.size(); ++slot) {
    const auto name = fmt::format("dptrace_hook_{}", slot);
    BpfLink link(
        bpf_program__attach(bpf_object__find_program_by_name(skeleton_.obj, name.c_str())));
    if (!link) {
      by_kprobe(by_fentry_[slot]);
      continue;
    }
    keep(std::move(link));
    note_probed(by_fentry_[slot], true);
  }
  for (const auto& function : by_kprobe_) by_kprobe(function);
  return lacks;
}

std::string HookProbes::attach_kprobe(const HookFunction& function) {
  std::string why = refusal_;
  if (why.empty()) {
    BpfLink link(
        bpf_program__attach_kprobe(skeleton_.progs.dptrace_hook, false, function.name.c_str()));
    if (link) {
      keep(std::move(link));
    } else {
      why = fmt::format("kprobe: {}", std::strerror(errno));
    }
  }
  note_probed(function, why.empty());
  return why;
}

void HookProbes::note_probed(const HookFunction& function, bool is_probed) {
  // Without an entry in the map, what this function or one before it decides is told without a
  // name.
  const std::uint8_t one = 1;
  const int map = bpf_map__fd(skeleton_.maps.probed);
  if (is_probed) {
    bpf_map_update_elem(map, &function.address, &one, BPF_ANY);
  } else {
    bpf_map_delete_elem(map, &function.address);
  }
}

std::vector<std::string> HookProbes::follow_modules() {
  std::vector<std::string> warnings;
  auto modules = loaded_modules();
  if (!refusal_.empty() || modules == modules_) return warnings;
  modules_ = std::move(modules);
  const auto symbols = Symbols::load();
  if (!symbols) return warnings;
  const auto is_known = [](const std::vector<HookFunction>& list, const std::string& name) {
    return std::any_of(list.begin(), list.end(),
                       [&](const HookFunction& known) { return known.name == name; });
  };
  for (const auto& function : hook_functions(*symbols)) {
    if (is_known(by_fentry_, function.name) || is_known(by_kprobe_, function.name)) continue;
    by_kprobe_.push_back(function);
    // The function is probed with the others, when they are wanted again.
    if (!is_in_place() || !wanted_) continue;
    if (const auto why = attach_kprobe(function); !why.empty())
      warnings.push_back(
          fmt::format("what {} decides is told without its name: {}", function.name, why));
  }
  return warnings;
}

}  // namespace dptrace
