#include "capture/families.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace dptrace {

namespace {

struct Tracepoint {
  const char* program;
  const char* name;
  Gear gear;
  const char* facts;
};

constexpr std::array<Tracepoint, 4> kTracepoints = {{
    {"dptrace_free", "kfree_skb", Gear::kAlways,
     "drops, with the kernel's reason where it has one"},
    {"dptrace_consume", "consume_skb", Gear::kArmed, "packets that the kernel itself answers"},
    {"dptrace_receive", "netif_receive_skb", Gear::kWatching,
     "packets received by devices of every netns"},
    {"dptrace_xmit", "net_dev_start_xmit", Gear::kWatching,
     "packets sent by devices of every netns"},
}};

struct Function {
  const char* program;
  const char* name;
  const char* mechanism;
  const char* facts;
};

constexpr Function kNetfilter = {"dptrace_nf_slow", "nf_hook_slow", "fexit",
                                 "netfilter hooks, their verdicts, and the function that decided"};
constexpr Function kIpsec = {"dptrace_ipsec", "xfrm_output", "fentry",
                             "packets that IPsec takes, to send them encrypted"};

// Programs at functions are let go of only where they can be attached again.
Gear gear_of_functions(const KernelOffers& offers) {
  return offers.functions_again ? Gear::kArmed : Gear::kAlways;
}

ProbeState hook_functions() {
  return {
      "hook functions", "fentry, kprobe", false, "which function decided at a netfilter hook", {}};
}

ProbeState nftables() {
  return {"nftables", "fentry, kprobe", false, "which nftables rule drops", {}};
}

ProbeState legacy_tables(const KernelOffers& offers) {
  return {"iptables-legacy",
          offers.loops ? "fentry, fexit" : "kprobe",
          false,
          "which rule of iptables-legacy or ip6tables-legacy drops a packet",
          {}};
}

std::string refusal_of(const LoadedObject& object, const char* program) {
  const auto found = object.refusals.find(program);
  return found == object.refusals.end() ? "" : found->second;
}

bpf_program* program_of(const LoadedObject& object, const char* name) {
  return bpf_object__find_program_by_name(object.skeleton->obj, name);
}

std::unique_ptr<Family> on_function(const LoadedObject& object, const KernelOffers& offers,
                                    const Function& function) {
  auto* program = program_of(object, function.program);
  std::string why = refusal_of(object, function.program);
  if (!offers.tracing_functions) {
    why = fmt::format("this kernel refuses fentry and fexit programs: {}", offers.tracing_refusal);
  } else if (why.empty() && bpf_program__fd(program) < 0) {
    why = "this kernel has no such function";
  }
  return std::make_unique<ProgramFamily>(
      ProbeState{function.name, function.mechanism, false, function.facts, {}},
      gear_of_functions(offers), program, std::move(why), "function");
}

std::unique_ptr<HookProbes> on_hook_functions(LoadedObject& object, const KernelOffers& offers) {
  std::string why = refusal_of(object, "dptrace_hook");
  if (why.empty() && bpf_program__fd(object.skeleton->progs.dptrace_hook) < 0)
    why = "this kernel has neither fentry nor kprobes for it";
  return std::make_unique<HookProbes>(hook_functions(), gear_of_functions(offers), *object.skeleton,
                                      object.by_fentry, object.by_kprobe, std::move(why));
}

}  // namespace

Families::Families(LoadedObject& object, const KernelOffers& offers) {
  // Probes of ends are attached before probes of beginnings.
  add(on_function(object, offers, kNetfilter));
  if (has(kNetfilter.name)) {
    hooks_ = add(on_hook_functions(object, offers));
    nft_ = add(std::make_unique<NftProbes>(nftables(), gear_of_functions(offers), *object.skeleton,
                                           object.nft, object.refusals));
    tables_ = add(std::make_unique<TableProbes>(legacy_tables(offers), gear_of_functions(offers),
                                                *object.skeleton, offers, object.tables));
  } else {
    for (auto state : {hook_functions(), nftables(), legacy_tables(offers)}) {
      state.follows = true;
      add(std::make_unique<ProgramFamily>(
          std::move(state), Gear::kArmed, nullptr,
          fmt::format("{} is missing, without which it tells nothing", kNetfilter.name),
          "function"));
    }
  }
  add(on_function(object, offers, kIpsec));
  add(std::make_unique<SocketFamily>(
      ProbeState{"socket", "cgroup_skb", false, "which packets a TCP, UDP or raw socket took", {}},
      object.network.socket, refusal_of(object, "dptrace_sock_w")));
  for (const auto& tracepoint : kTracepoints) {
    add(std::make_unique<ProgramFamily>(
        ProbeState{tracepoint.name, "tp_btf", false, tracepoint.facts, {}}, tracepoint.gear,
        program_of(object, tracepoint.program), refusal_of(object, tracepoint.program),
        "tracepoint"));
  }
}

void Families::shift(Gear gear) {
  for (const auto& member : members_) {
    if (member->gear() <= gear) member->attach();
  }
  for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
    if ((*member)->gear() > gear) (*member)->detach();
  }
}

void Families::want(const Deciders& wanted) {
  if (hooks_ != nullptr) hooks_->want(wanted.hook_functions || hooks_->has_ipvs());
  if (nft_ != nullptr) nft_->want(wanted.rules);
  if (tables_ != nullptr) tables_->want(wanted.rules);
}

bool Families::has(std::string_view name) const {
  return std::any_of(members_.begin(), members_.end(), [&](const auto& member) {
    return member->state().name == name && member->state().attached;
  });
}

ProbeStates Families::states() const {
  ProbeStates states;
  for (const auto& member : members_) states.push_back(member->state());
  return states;
}

std::vector<std::string> Families::follow_modules() {
  std::vector<std::string> warnings;
  if (hooks_ != nullptr) warnings = hooks_->follow_modules();
  if (nft_ != nullptr) {
    for (auto& warning : nft_->follow_modules()) warnings.push_back(std::move(warning));
  }
  if (tables_ != nullptr) {
    if (auto why = tables_->follow_modules(); !why.empty()) warnings.push_back(std::move(why));
  }
  return warnings;
}

std::optional<std::uint64_t> Families::revision_of(std::uint8_t family, std::uint64_t table) const {
  return tables_ == nullptr ? std::nullopt : tables_->revision_of(family, table);
}

}  // namespace dptrace
