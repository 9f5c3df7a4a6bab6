#include "capture/table_functions.hpp"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace dptrace {

namespace {

constexpr std::array<TableFunction, 2> kFunctions = {{
    {"ipt_do_table", "ip_tables", NFPROTO_IPV4, &KernelOffers::ipv4_tables},
    {"ip6t_do_table", "ip6_tables", NFPROTO_IPV6, &KernelOffers::ipv6_tables},
}};

bool is_loaded(const char* module) {
  return access(fmt::format("/sys/module/{}", module).c_str(), F_OK) == 0;
}

}  // namespace

std::vector<TableFunction> table_functions(const KernelOffers& offers) {
  std::vector<TableFunction> found;
  if (!offers.tracing_functions || (!offers.loops && !offers.table_is_last)) return found;
  std::copy_if(kFunctions.begin(), kFunctions.end(), std::back_inserter(found),
               [&](const TableFunction& function) {
                 return offers.*function.built_in || is_loaded(function.module);
               });
  return found;
}

std::string table_program(const KernelOffers& offers, const std::string& name) {
  return fmt::format("dptrace_{}{}", name, offers.loops ? "" : "_k");
}

Result<> choose_table_programs(dptrace_bpf& skeleton, const KernelOffers& offers,
                               const std::vector<TableFunction>& functions) {
  std::vector<bpf_program*> chosen;
  const auto choose = [&](const std::string& name, const char* function) -> Result<> {
    auto* program =
        bpf_object__find_program_by_name(skeleton.obj, table_program(offers, name).c_str());
    if (offers.loops && bpf_program__set_attach_target(program, 0, function) != 0)
      return failure(fmt::format("{} is not in the kernel's BTF", function));
    chosen.push_back(program);
    return {};
  };
  for (const auto& function : functions) {
    for (const char* end : {"_in", "_out"}) {
      if (auto done = choose(fmt::format("{}{}", function.name, end), function.name); !done)
        return done;
    }
  }
  if (auto done = choose("xt_replaced", "xt_replace_table"); !done) return done;
  chosen.push_back(skeleton.progs.dptrace_xt_revision);
  // All are loaded or none: their maps are made for all.
  for (auto* program : chosen) bpf_program__set_autoload(program, true);
  return {};
}

bool refuses_table_programs(const Refusals& refusals) {
  return std::any_of(refusals.begin(), refusals.end(), [](const auto& refusal) {
    const std::string_view program = refusal.first;
    return program.starts_with("dptrace_xt_") || program.starts_with("dptrace_ipt_") ||
           program.starts_with("dptrace_ip6t_");
  });
}

}  // namespace dptrace
