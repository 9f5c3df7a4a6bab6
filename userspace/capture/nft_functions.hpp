// The functions of nftables that are probed, and the programs for each.
#pragma once

#include <array>

namespace dptrace {

struct NftFunction {
  const char* name;
  const char* typed;     ///< the program where BTF tells the arguments; null: there is none
  const char* at_entry;  ///< the program for a kprobe; null: there is none
  const char* at_exit;   ///< the program for a kretprobe; null: there is none
};

/// An expression whose verdict is in the registers when it has run.
constexpr NftFunction nft_expression(const char* name, const char* typed = nullptr) {
  return {name, typed, "dptrace_nft_evaluate_k", "dptrace_nft_evaluated_k"};
}

constexpr NftFunction nft_reject(const char* name) {
  return {name, nullptr, "dptrace_nft_reject_k", nullptr};
}

constexpr NftFunction nft_reject_target(const char* name) {
  return {name, nullptr, "dptrace_nft_reject_target_k", nullptr};
}

/// All that may drop a packet: what is missing here would be told as the policy. The order is that
/// of attaching: ends before beginnings. Expressions that run for few packets have no program of
/// their own to be loaded.
inline constexpr auto kNftFunctions = std::to_array<NftFunction>({
    {"nft_do_chain", "dptrace_nft_leave", nullptr, "dptrace_nft_leave_k"},
    {"nft_immediate_eval", "dptrace_nft_immediate", "dptrace_nft_immediate_k", nullptr},
    nft_expression("nft_lookup_eval", "dptrace_nft_lookup"),
    nft_expression("nft_target_eval_xt", "dptrace_nft_target"),
    nft_expression("nft_target_eval_bridge", "dptrace_nft_bridge_target"),
    nft_expression("nft_match_eval", "dptrace_nft_match"),
    nft_expression("nft_match_large_eval", "dptrace_nft_match_large"),
    nft_reject("nft_reject_inet_eval"),
    nft_reject("nft_reject_ipv4_eval"),
    nft_reject("nft_reject_ipv6_eval"),
    nft_reject("nft_reject_bridge_eval"),
    nft_reject("nft_reject_netdev_eval"),
    nft_reject_target("reject_tg"),
    nft_reject_target("reject_tg6"),
    nft_expression("nft_nat_eval"),
    nft_expression("nft_nat_inet_eval"),
    nft_expression("nft_masq_eval"),
    nft_expression("nft_masq_ipv4_eval"),
    nft_expression("nft_masq_ipv6_eval"),
    nft_expression("nft_masq_inet_eval"),
    nft_expression("nft_redir_eval"),
    nft_expression("nft_synproxy_eval"),
    nft_expression("nft_synproxy_obj_eval"),
    nft_expression("nft_connlimit_eval"),
    nft_expression("nft_connlimit_obj_eval"),
    nft_expression("nft_ct_set_zone_eval"),
    nft_expression("nft_ct_expect_obj_eval"),
    nft_expression("nft_exthdr_tcp_strip_eval"),
    nft_expression("nft_fwd_netdev_eval"),
    nft_expression("nft_fwd_neigh_eval"),
    {"nft_do_chain", "dptrace_nft_enter", "dptrace_nft_enter_k", nullptr},
});

}  // namespace dptrace
