#include "verdict/hook_names.hpp"

#include <algorithm>
#include <array>

namespace dptrace {

namespace {

// The names are those of kernels 5.10 to 7.2. iptables-legacy has one function for each table until
// 5.15, and ipt_do_table itself since.
constexpr std::array<std::string_view, 42> kNames = {
    "ipt_do_table",
    "ip6t_do_table",
    "iptable_filter_hook",
    "ip6table_filter_hook",
    "nft_do_chain_ipv4",
    "nft_do_chain_ipv6",
    "nft_do_chain_inet",
    "nft_do_chain_bridge",
    "ipv4_conntrack_in",
    "ipv4_conntrack_local",
    "nf_confirm",
    "ipv4_confirm",
    "ipv6_conntrack_in",
    "ipv6_conntrack_local",
    "ipv6_confirm",
    "iptable_raw_hook",
    "iptable_mangle_hook",
    "iptable_security_hook",
    "ip6table_raw_hook",
    "ip6table_mangle_hook",
    "ip_vs_in_hook",
    "ip_vs_out_hook",
    "ip_vs_remote_request4",
    "ip_vs_reply4",
    "ip_vs_remote_request6",
    "ip_vs_reply6",
    "ip_vs_local_request4",
    "ip_vs_local_reply4",
    "nf_nat_ipv4_pre_routing",
    "nf_nat_ipv4_in",
    "nf_nat_ipv4_out",
    "nf_nat_ipv4_local_fn",
    "nf_nat_ipv6_in",
    "nf_nat_ipv6_out",
    "nf_nat_ipv6_local_fn",
    "nf_nat_ipv6_fn",
    "nf_nat_inet_fn",
    "ipv4_conntrack_defrag",
    "ipv6_defrag",
    "ebt_do_table",
    "br_nf_pre_routing",
    "br_nf_forward_ip",
};

}  // namespace

std::span<const std::string_view> hook_names() { return kNames; }

bool is_hook_function(std::string_view function) {
  return std::find(kNames.begin(), kNames.end(), function) != kNames.end();
}

}  // namespace dptrace
