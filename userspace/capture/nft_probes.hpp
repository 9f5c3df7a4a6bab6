// NftProbes is the family that tells which rule of nftables dropped a packet. It has probes where
// nf_tables begins and ends to run rules, and at the expressions that give verdicts, also of
// modules that are loaded later.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "capture/family.hpp"
#include "capture/nft_layout.hpp"
#include "capture/refusal.hpp"

namespace dptrace {

/// Chooses the programs that are loaded: for each function the cheapest that the kernel has.
void place_nft_programs(dptrace_bpf& skeleton, const NftKernel& kernel, bool kprobes,
                        const Refusals& refusals);

class NftProbes final : public Family {
 public:
  NftProbes(ProbeState state, Gear gear, dptrace_bpf& skeleton, NftKernel kernel,
            Refusals refusals);

  /// Lets go of the probes, or attaches them again, while the family is in place.
  void want(bool wanted);
  /// Probes the functions of modules that were loaded meanwhile. Returns, for people, which
  /// functions could not be probed.
  std::vector<std::string> follow_modules();

 private:
  Result<std::string> put_in_place() override;
  /// Attaches to all functions that are there and not yet probed. Returns why it could not.
  std::string attach_all();
  /// Attaches the programs of one row of kNftFunctions. Returns why it could not; empty: it could.
  std::string attach_row(std::size_t row);
  std::string attach_kprobe(const char* program, bool at_exit, const char* function);

  dptrace_bpf& skeleton_;
  NftKernel kernel_;
  const Refusals refusals_;
  bool wanted_ = true;
  std::set<std::size_t> attached_;  ///< rows of kNftFunctions
  std::string modules_;             ///< the last result of loaded_modules()
};

}  // namespace dptrace
