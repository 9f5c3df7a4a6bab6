#include "capture/table_probes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "names/symbols.hpp"

namespace dptrace {

namespace {

bool is_loaded(const char* module) {
  return access(fmt::format("/sys/module/{}", module).c_str(), F_OK) == 0;
}

}  // namespace

const std::array<TableProbes::Function, 2> TableProbes::kFunctions = {{
    {"ipt_do_table", "ip_tables", NFPROTO_IPV4, &KernelOffers::ipv4_tables},
    {"ip6t_do_table", "ip6_tables", NFPROTO_IPV6, &KernelOffers::ipv6_tables},
}};

// Programs that are put on functions of modules by fentry have a kprobe form of the same name.
std::string TableProbes::program_name(const std::string& name) const {
  return fmt::format("dptrace_{}{}", name, offers_.loops ? "" : "_k");
}

void TableProbes::want(bool wanted) {
  if (wanted == std::exchange(wanted_, wanted) || !is_in_place()) return;
  detach();
  attach();
}

std::vector<TableProbes::Function> TableProbes::new_functions() const {
  std::vector<Function> found;
  for (const auto& function : kFunctions) {
    const bool is_known = std::any_of(parts_.begin(), parts_.end(), [&](const Part& part) {
      return std::any_of(part.functions.begin(), part.functions.end(),
                         [&](const Function& known) { return known.name == function.name; });
    });
    if (!is_known && (offers_.*function.built_in || is_loaded(function.module)))
      found.push_back(function);
  }
  return found;
}

Result<std::string> TableProbes::put_in_place() {
  modules_ = loaded_modules();
  if (!offers_.loops && !offers_.table_is_last)
    return failure("this kernel has neither bpf_loop nor the arguments from before 5.16");
  if (!wanted_) return std::string();
  if (auto functions = new_functions(); !functions.empty()) {
    if (auto loaded = load(std::move(functions)); !loaded) return tl::unexpected(loaded.error());
  }
  if (auto attached = attach_all(); !attached) return tl::unexpected(attached.error());
  return std::string();
}

Result<> TableProbes::load(std::vector<Function> functions) {
  if (offers_.per_cpu_offsets == 0)
    return failure("the kernel does not tell where __per_cpu_offset is");
  std::atomic_ref(first_.bss->per_cpu_offsets).store(offers_.per_cpu_offsets);
  auto skeleton =
      load_beside(first_, [&](dptrace_bpf& opened) { return choose(opened, functions); });
  if (!skeleton) return tl::unexpected(skeleton.error());
  auto* program =
      bpf_object__find_program_by_name((*skeleton)->obj, program_name("xt_replaced").c_str());
  BpfLink replaced(offers_.loops ? bpf_program__attach(program)
                                 : bpf_program__attach_kprobe(program, false, "xt_replace_table"));
  if (!replaced) return failure(fmt::format("xt_replace_table: {}", std::strerror(errno)));
  parts_.push_back({std::move(*skeleton), std::move(functions), std::move(replaced)});
  return {};
}

Result<> TableProbes::choose(dptrace_bpf& skeleton, const std::vector<Function>& functions) const {
  const auto load_for = [&](const std::string& name, const char* function) -> Result<> {
    auto* program = bpf_object__find_program_by_name(skeleton.obj, program_name(name).c_str());
    if (offers_.loops && bpf_program__set_attach_target(program, 0, function) != 0)
      return failure(fmt::format("{} is not in the kernel's BTF", function));
    bpf_program__set_autoload(program, true);
    return {};
  };
  for (const auto& function : functions) {
    for (const char* end : {"_in", "_out"}) {
      if (auto loads = load_for(fmt::format("{}{}", function.name, end), function.name); !loads)
        return loads;
    }
  }
  bpf_program__set_autoload(skeleton.progs.dptrace_xt_revision, true);
  return load_for("xt_replaced", "xt_replace_table");
}

Result<> TableProbes::attach_all() {
  for (const auto& part : parts_) {
    for (const auto& function : part.functions) {
      if (auto attached = attach_to(part, function); !attached) return attached;
    }
  }
  return {};
}

// The end of a traversal is probed before its beginning.
Result<> TableProbes::attach_to(const Part& part, const Function& function) {
  for (const bool is_end : {true, false}) {
    const auto name = program_name(fmt::format("{}{}", function.name, is_end ? "_out" : "_in"));
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
  if (loaded) {
    for (const auto& function : parts_.back().functions) {
      if (auto attached = attach_to(parts_.back(), function); !attached) loaded = attached;
    }
  }
  if (loaded) return {};
  return fmt::format("rules of iptables-legacy are not told: {}", loaded.error().message);
}

std::optional<std::uint64_t> TableProbes::revision_of(std::uint8_t family,
                                                      std::uint64_t table) const {
  for (const auto& part : parts_) {
    if (std::none_of(part.functions.begin(), part.functions.end(),
                     [&](const Function& function) { return function.family == family; }))
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
