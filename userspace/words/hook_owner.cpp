#include "words/hook_owner.hpp"

#include <algorithm>
#include <array>

namespace dptrace {

namespace {

// The longer of two prefixes of one name stands first. Through 6.2 each table of iptables has its
// own hook function, and those of NAT run the rules of its chains.
constexpr std::array<HookOwner, 28> kOwners = {{
    {"nft_do_chain", "a rule of nftables", true},
    {"ipt_do_table", "a rule of iptables-legacy", true},
    {"iptable_", "a rule of iptables-legacy", true},
    {"ip6t_do_table", "a rule of ip6tables-legacy", true},
    {"ip6table_", "a rule of ip6tables-legacy", true},
    {"arpt_do_table", "a rule of arptables-legacy", true},
    {"arptable_", "a rule of arptables-legacy", true},
    {"ebt_", "a rule of ebtables-legacy", true},
    {"ebtable_", "a rule of ebtables-legacy", true},
    {"nf_nat_ipv4_", "NAT or a rule of its chains", true},
    {"nf_nat_ipv6_", "NAT or a rule of its chains", true},
    {"nf_nat_inet_", "NAT or a rule of its chains", true},
    {"ipv4_conntrack_defrag", "reassembly of fragments"},
    {"ipv6_defrag", "reassembly of fragments"},
    {"ipv4_conntrack_", "connection tracking"},
    {"ipv6_conntrack_", "connection tracking"},
    {"nf_conntrack_", "connection tracking"},
    {"nf_confirm", "connection tracking"},
    {"ipv4_confirm", "connection tracking"},
    {"ipv6_confirm", "connection tracking"},
    {"ipv4_synproxy_hook", "SYNPROXY"},
    {"ipv6_synproxy_hook", "SYNPROXY"},
    {"ip_vs_", "IPVS"},
    {"br_nf_", "br_netfilter"},
    {"nf_hook_run_bpf", "a BPF program at the hook"},
    {"selinux_", "SELinux"},
    {"smack_", "Smack"},
    {"apparmor_", "AppArmor"},
}};

}  // namespace

const HookOwner* hook_owner(std::string_view function) {
  const auto owner = std::find_if(kOwners.begin(), kOwners.end(), [&](const HookOwner& one) {
    return function.starts_with(one.prefix);
  });
  return owner == kOwners.end() ? nullptr : &*owner;
}

}  // namespace dptrace
