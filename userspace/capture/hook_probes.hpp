// The family that tells which function ended a packet at a netfilter hook: a probe at the entry of
// each, of modules that are loaded later too.
#pragma once

#include <string>
#include <vector>

#include "capture/family.hpp"
#include "capture/hook_functions.hpp"

namespace dptrace {

class HookProbes final : public Family {
 public:
  /// `by_fentry`: in the order of the programs that were made for them. `refusal`: why there is no
  /// kprobe program for the others; empty: there is.
  HookProbes(ProbeState state, Gear gear, dptrace_bpf& skeleton,
             std::vector<HookFunction> by_fentry, std::vector<HookFunction> by_kprobe,
             std::string refusal);

  /// Are the probes needed all the time? IPVS takes every packet over, and passes it on.
  bool has_ipvs() const;
  /// Lets go of the probes, or attaches them again, while the family is in place: without them the
  /// function is told where the stack of a free names it, or where a hook has but one.
  void want(bool wanted);
  /// Probes the functions of modules that were loaded meanwhile. Returns what could not be, for
  /// people.
  std::vector<std::string> follow_modules();

 private:
  Result<std::string> put_in_place() override;
  /// What was entered while the probes were attached the last time.
  void forget_entries();
  /// Returns what is not probed, and why.
  std::string attach_all();
  /// Why it could not be; empty: it is.
  std::string attach_kprobe(const HookFunction& function);
  /// Whether its entry is told from now on.
  void note_probed(const HookFunction& function, bool is_probed);

  dptrace_bpf& skeleton_;
  const std::vector<HookFunction> by_fentry_;
  std::vector<HookFunction> by_kprobe_;
  bool wanted_ = true;
  const std::string refusal_;
  std::string modules_;  ///< as loaded_modules() had them last
};

}  // namespace dptrace
