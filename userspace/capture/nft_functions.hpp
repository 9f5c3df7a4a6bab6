// The functions of nftables that are probed, and the programs for each.
#pragma once

#include <array>

namespace dptrace {

struct NftFunction {
  const char* name;
  const char* typed;     ///< the program where BTF tells the arguments; null: there is none
  const char* at_entry;  ///< the program for a kprobe; null: there is none
  const char* at_exit;   ///< the program for a kretprobe; null: there is none
  bool is_essential;     ///< without it no rule is told
};

/// The order is that of attaching: ends before beginnings.
inline constexpr std::array<NftFunction, 11> kNftFunctions = {{
    {"nft_do_chain", "dptrace_nft_leave", nullptr, "dptrace_nft_leave_k", true},
    {"nft_immediate_eval", "dptrace_nft_immediate", "dptrace_nft_immediate_k", nullptr, true},
    {"nft_lookup_eval", "dptrace_nft_lookup", "dptrace_nft_evaluate_k", "dptrace_nft_evaluated_k",
     true},
    {"nft_target_eval_xt", "dptrace_nft_target", "dptrace_nft_evaluate_k",
     "dptrace_nft_evaluated_k", false},
    {"nft_target_eval_bridge", "dptrace_nft_bridge_target", "dptrace_nft_evaluate_k",
     "dptrace_nft_evaluated_k", false},
    {"nft_reject_inet_eval", nullptr, "dptrace_nft_reject_k", nullptr, false},
    {"nft_reject_ipv4_eval", nullptr, "dptrace_nft_reject_k", nullptr, false},
    {"nft_reject_ipv6_eval", nullptr, "dptrace_nft_reject_k", nullptr, false},
    {"nft_reject_bridge_eval", nullptr, "dptrace_nft_reject_k", nullptr, false},
    {"nft_reject_netdev_eval", nullptr, "dptrace_nft_reject_k", nullptr, false},
    {"nft_do_chain", "dptrace_nft_enter", "dptrace_nft_enter_k", nullptr, true},
}};

}  // namespace dptrace
