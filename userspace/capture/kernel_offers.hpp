// KernelOffers asks the running kernel which features it has for BPF programs, not its version.
#pragma once

#include <cstdint>
#include <string>

#include "model/result.hpp"
#include "node/kernel_btf.hpp"

namespace dptrace {

struct KernelOffers {
  bool drop_reasons = false;  ///< kfree_skb has the reason as its third argument (5.17)
  bool consume_locations =
      false;         ///< consume_skb has the location as its second argument (6.3 to 6.5)
  bool tcx = false;  ///< tc programs may be attached by tcx (6.6)
  bool tracing_functions = false;  ///< fentry and fexit programs load and attach
  bool functions_again = false;    ///< they may be attached again after they were detached (5.13)
  std::string tracing_refusal;     ///< why there are no .tracing_functions
  bool xfrm_output = false;        ///< the kernel has this function, and its arguments are known
  bool inet_rtx_syn_ack = false;   ///< the same of this function
  bool kprobes = false;
  bool direct_reads = false;  ///< tracing programs may read through untrusted pointers (6.17)
  bool loops = false;         ///< bpf_loop (5.17)
  /// ipt_do_table has the arguments (skb, state, table), as before 5.16.
  bool table_is_last = false;
  bool ipv4_tables = false;           ///< ipt_do_table is in the kernel itself, not in a module
  bool ipv6_tables = false;           ///< the same of ip6t_do_table
  std::uint64_t per_cpu_offsets = 0;  ///< Symbols::per_cpu_offsets()
  bool casts = false;  ///< tracing programs may read a number as a pointer to a struct (6.2)
  /// The verifier is done in time with the larger form of the network programs (READ_BOTH_WAYS in
  /// identity.bpf.h): measured on 6.12; 6.1 gives up.
  bool large_network_programs = false;

  static KernelOffers ask(const KernelBtf& btf);
};

}  // namespace dptrace
