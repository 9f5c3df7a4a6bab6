// TableFunction is a function of the kernel that runs the rules of a family of iptables-legacy, and
// the programs that are put on it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "capture/kernel_offers.hpp"
#include "capture/refusal.hpp"
#include "capture/skeleton.hpp"

namespace dptrace {

struct TableFunction {
  const char* name;
  const char* module;
  std::uint8_t family;  ///< NFPROTO_*
  bool KernelOffers::*built_in;

  friend bool operator==(const TableFunction&, const TableFunction&) = default;
};

/// Returns the functions that the kernel has now. None where dptrace_nf_slow cannot tell of a drop,
/// or the programs do not know the functions' arguments (5.16).
std::vector<TableFunction> table_functions(const KernelOffers& offers);

/// Returns the name of a program for this kernel: programs at functions of modules have a kprobe
/// form, whose name ends in `_k`.
std::string table_program(const KernelOffers& offers, const std::string& name);

/// Has the object load the programs for these functions. An error says why it cannot, and then it
/// loads none of them.
Result<> choose_table_programs(dptrace_bpf& skeleton, const KernelOffers& offers,
                               const std::vector<TableFunction>& functions);

/// Returns whether one of those programs was refused.
bool refuses_table_programs(const Refusals& refusals);

}  // namespace dptrace
