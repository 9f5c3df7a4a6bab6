// HookProbes is the family that tells which function ended a packet at a netfilter hook. It has a
// probe at the entry of each hook function, also of modules that are loaded later.
#pragma once

#include <string>
#include <vector>

#include "capture/family.hpp"
#include "capture/hook_functions.hpp"

namespace dptrace {

class HookProbes final : public Family {
 public:
  /// `by_fentry` is in the order of the programs that were made for its functions. `refusal` says
  /// why there is no kprobe program for the other functions; empty: there is one.
  HookProbes(ProbeState state, Gear gear, dptrace_bpf& skeleton,
             std::vector<HookFunction> by_fentry, std::vector<HookFunction> by_kprobe,
             std::string refusal);

  /// Returns whether the probes are needed all the time, because IPVS has hook functions: IPVS
  /// takes every packet over, and passes it on.
  bool has_ipvs() const;
  /// Lets go of the probes, or attaches them again, while the family is in place. Without them the
  /// function is told where the stack of a free names it, or where a hook has but one.
  void want(bool wanted);
  /// Probes the functions of modules that were loaded meanwhile. Returns, for people, which
  /// functions could not be probed.
  std::vector<std::string> follow_modules();

 private:
  Result<std::string> put_in_place() override;
  /// Forgets which functions were entered while the probes were attached the last time.
  void forget_entries();
  /// Returns which functions are not probed, and why.
  std::string attach_all();
  /// Returns why the function could not be probed; empty: it is probed.
  std::string attach_kprobe(const HookFunction& function);
  /// Tells the programs whether the entry of the function is told from now on.
  void note_probed(const HookFunction& function, bool is_probed);

  dptrace_bpf& skeleton_;
  const std::vector<HookFunction> by_fentry_;
  std::vector<HookFunction> by_kprobe_;
  bool wanted_ = true;
  const std::string refusal_;
  std::string modules_;  ///< the last result of loaded_modules()
};

}  // namespace dptrace
