#include <linux/netfilter.h>

#include <catch2/catch.hpp>
#include <set>

#include "support/printed.hpp"
#include "words/owner_words.hpp"

using namespace dptrace;

namespace {

// A rule that decided, with its text as the tool prints it.
struct Case {
  std::uint8_t ruleset = DPT_RULESET_XTABLES;
  std::uint8_t family = NFPROTO_IPV4;
  std::string table;
  std::string chain;
  std::string text;
  std::uint8_t flags = 0;
  std::string words;
  std::string jump_before;  ///< that of an earlier rule
};

constexpr std::uint8_t kRejected = DPT_RULE_REJECTED;
constexpr std::uint8_t kPolicy = DPT_RULE_POLICY;

// As iptables-save prints it, without `-A CHAIN`.
Case saved(std::string chain, std::string text, std::string words, std::string table = "filter") {
  const std::uint8_t flags = text.find("-j REJECT") != text.npos ? kRejected : 0;
  return {DPT_RULESET_XTABLES, NFPROTO_IPV4, std::move(table), std::move(chain),
          std::move(text),     flags,        std::move(words), ""};
}

// As nft lists it.
Case listed(std::string table, std::string chain, std::string text, std::string words,
            std::uint8_t family = NFPROTO_IPV4) {
  const std::uint8_t flags = text.find("reject") != text.npos ? kRejected : 0;
  return {DPT_RULESET_NFTABLES, family, std::move(table), std::move(chain),
          std::move(text),      flags,  std::move(words), ""};
}

Case after(Case one, std::string jump) {
  one.jump_before = std::move(jump);
  return one;
}

Case policy(Case one) {
  one.flags = kPolicy;
  return one;
}

// Calico writes two comments: its mark, and why.
std::string calico(const std::string& comment, const std::string& rest) {
  return "-m comment --comment \"cali:7aC3vGpxk9Zt1nQe\" -m comment --comment \"" + comment +
         "\" " + rest;
}

DecidingRule rule_of(const Case& one) {
  DecidingRule rule;
  rule.netns = 1;
  rule.ruleset = one.ruleset;
  rule.family = one.family;
  rule.flags = one.flags;
  rule.table_name = one.table;
  rule.chain_handle = 9;
  rule.path = {3, 8};
  rule.path_is_whole = true;
  return rule;
}

Names names_of(const Case& one) {
  const DecidingRule rule = rule_of(one);
  Names names = sample::names();
  names.rules[rule.id(3)] = {"INPUT", 1, "", one.jump_before, false};
  names.rules[rule.id(rule.decided())] = {one.chain, 4, one.text, "", false};
  return names;
}

std::string words_of(const Case& one) {
  const auto match = owner_of(rule_of(one), names_of(one));
  return match ? match->words : "";
}

const std::string kInvalid = "conntrack finds it INVALID: it fits no connection";

std::vector<Case> kubernetes() {
  const std::string to_80 = "-d 10.96.5.5/32 -p tcp -m comment --comment ";
  const std::string refused = " -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable";
  const std::string ranges = "is not open to this source (loadBalancerSourceRanges)";
  return {
      saved("KUBE-SERVICES", to_80 + "\"default/none:http has no endpoints\"" + refused,
            "kube-proxy: service default/none:http has no endpoints"),
      saved("KUBE-EXTERNAL-SERVICES", to_80 + "\"default/none has no endpoints\"" + refused,
            "kube-proxy: service default/none has no endpoints"),
      saved("KUBE-SERVICES",
            to_80 + "\"ns2/svc2:p80 has no local endpoints\" -m tcp --dport 80 -j DROP",
            "kube-proxy: service ns2/svc2:p80 has no endpoints on this node"),
      saved("KUBE-EXTERNAL-SERVICES",
            "-p tcp -m comment --comment \"ns2/svc2:p80 has no local endpoints\" -m addrtype "
            "--dst-type LOCAL -m tcp --dport 3001 -j DROP",
            "kube-proxy: service ns2/svc2:p80 has no endpoints on this node"),
      saved("KUBE-PROXY-FIREWALL",
            "-d 5.6.7.8/32 -p tcp -m comment --comment \"ns5/svc5:p80 traffic not accepted by "
            "KUBE-FW-NUKIZ6OKUXPJNT4C\" -m tcp --dport 80 -j DROP",
            "kube-proxy: service ns5/svc5:p80 " + ranges),
      saved("KUBE-FORWARD",
            "-m conntrack --ctstate INVALID -m nfacct --nfacct-name ct_state_invalid_dropped_pkts "
            "-j DROP",
            "kube-proxy: " + kInvalid),
      saved("KUBE-SOURCE-RANGES-FIREWALL", "-j DROP", "kube-proxy: the service " + ranges),
      saved("KUBE-IPVS-FILTER",
            "-m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst -j REJECT "
            "--reject-with icmp-port-unreachable",
            "kube-proxy: no service takes this at its address"),
      saved("KUBE-FIREWALL",
            "-m comment --comment \"kubernetes firewall for dropping marked packets\" -m mark "
            "--mark 0x8000/0x8000 -j DROP",
            "Kubernetes: an earlier rule marked this for dropping"),
      saved("KUBE-FIREWALL",
            "! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment \"block incoming localnet "
            "connections\" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
            "Kubernetes: only this node itself may connect to 127.0.0.0/8"),
      // iptables-nft, as it is listed.
      listed("filter", "KUBE-SERVICES",
             "meta l4proto tcp ip daddr 10.96.5.5 tcp dport 80 counter reject comment "
             "\"default/none:http has no endpoints\"",
             "kube-proxy: service default/none:http has no endpoints"),
      listed("filter", "KUBE-FORWARD", "ct state invalid counter drop", "kube-proxy: " + kInvalid,
             NFPROTO_IPV6),
      // kube-proxy with nftables.
      listed("kube-proxy", "reject-chain", "reject", "kube-proxy: the service has no endpoints"),
      listed("kube-proxy", "endpoints-check",
             "ip daddr . meta l4proto . th dport vmap @no-endpoint-services",
             "kube-proxy: the service has no endpoints on this node"),
      listed("kube-proxy", "service-endpoints-check",
             "ip6 daddr . meta l4proto . th dport vmap @no-endpoint-services",
             "kube-proxy: the service has no endpoints on this node", NFPROTO_IPV6),
      listed("kube-proxy", "nodeport-endpoints-check",
             "ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports",
             "kube-proxy: the service has no endpoints on this node"),
      listed("kube-proxy", "cluster-ips-check",
             "ip daddr @cluster-ips reject comment \"Reject traffic to invalid ports of "
             "ClusterIPs\"",
             "kube-proxy: the service has no such port"),
      listed("kube-proxy", "cluster-ips-check",
             "ip daddr 172.30.0.0/16 drop comment \"Drop traffic to unallocated ClusterIPs\"",
             "kube-proxy: no service has this address"),
      listed("kube-proxy", "firewall-HVFWP5L3-my-ns/svc-5/tcp/p80",
             "ip saddr != 203.0.113.0/25 drop", "kube-proxy: service my-ns/svc-5:p80 " + ranges),
      listed("kube-proxy", "firewall-HVFWP5L3-ns5/svc5/tcp/", "ip saddr != 203.0.113.0/25 drop",
             "kube-proxy: service ns5/svc5 " + ranges),
  };
}

std::vector<Case> calicos() {
  const std::string unmarked = "-m mark --mark 0x0/0x20000 -j DROP";
  const std::string tier = "End of tier default. Drop if no policies passed packet";
  return {
      saved("cali-fw-cali3317e4b4ab5", calico("Drop if no profiles matched", "-j DROP"),
            "Calico: no egress policy or profile allows this"),
      saved("cali-tw-cali3317e4b4ab5", calico("Reject if no profiles matched", "-j REJECT"),
            "Calico: no ingress policy or profile allows this"),
      saved("cali-th-eth0", calico("Drop if no profiles matched", "-j DROP"),
            "Calico: no egress policy or profile allows this"),
      saved("cali-fh-eth0", calico("Drop if no profiles matched", "-j DROP"),
            "Calico: no ingress policy or profile allows this"),
      saved("cali-fw-cali3317e4b4ab5", calico(tier, unmarked),
            "Calico: no egress policy of tier default allows this"),
      saved("cali-tw-cali3317e4b4ab5", calico(tier, unmarked),
            "Calico: no ingress policy of tier default allows this"),
      saved("cali-th-eth0", calico(tier, unmarked),
            "Calico: no egress policy of tier default allows this"),
      saved("cali-fhfw-eth0", calico(tier, unmarked),
            "Calico: no ingress policy of tier default allows this"),
      saved("cali-fw-cali3317e4b4ab5", calico("Drop if no policies passed packet", unmarked),
            "Calico: no egress policy allows this"),
      saved("cali-tw-cali3317e4b4ab5", calico("Drop if no policies passed packet", unmarked),
            "Calico: no ingress policy allows this"),
      saved("cali-fw-cali3317e4b4ab5", calico("Endpoint admin disabled", "-j DROP"),
            "Calico: the endpoint is disabled"),
      saved("cali-tw-cali3317e4b4ab5", calico("Endpoint admin disabled", "-j DROP"),
            "Calico: the endpoint is disabled"),
      saved("cali-fw-cali3317e4b4ab5",
            "-p udp -m comment --comment \"cali:6fwe9eqDVOlMMmLl\" -m comment --comment \"Drop "
            "VXLAN encapped packets originating in workloads\" -m multiport --dports 4789 -j DROP",
            "Calico: a workload may not send VXLAN itself"),
      saved("cali-fw-cali3317e4b4ab5",
            "-p ipv4 " + calico("Drop IPinIP encapped packets originating in workloads", "-j DROP"),
            "Calico: a workload may not send IPIP itself"),
      saved("cali-tw-cali3317e4b4ab5",
            "-m comment --comment \"cali:xyfc0rlfldUi6JAS\" -m conntrack --ctstate INVALID -j DROP",
            "Calico: " + kInvalid),
      saved("cali-fh-eth0",
            "-m comment --comment \"cali:xyfc0rlfldUi6JAS\" -m conntrack --ctstate INVALID -j DROP",
            "Calico: " + kInvalid),
      saved("cali-from-wl-dispatch", calico("Unknown interface", "-j DROP"),
            "Calico: nothing is known of the device this came from"),
      saved("cali-to-wl-dispatch-3", calico("Unknown interface", "-j DROP"),
            "Calico: nothing is known of the device this goes to"),
      saved("cali-from-endpoint-mark", calico("Unknown interface", "-j DROP"),
            "Calico: nothing is known of the device this came from"),
      saved("cali-set-endpoint-mark", "-i cali+ " + calico("Unknown endpoint", "-j DROP"),
            "Calico: nothing is known of the device this came from"),
      saved("cali-INPUT",
            "-p ipencap -m comment --comment \"cali:_wjq-Yrma8Ly1Svo\" -m comment --comment \"Drop "
            "IPIP packets from non-Calico hosts\" -j DROP",
            "Calico: IPIP is taken from nodes of Calico only"),
      saved("cali-INPUT", calico("Drop VXLAN packets from non-allowed hosts", "-j DROP"),
            "Calico: VXLAN is taken from nodes of Calico only"),
      saved("cali-INPUT", calico("Drop IPv4 VXLAN packets from non-allowed hosts", "-j DROP"),
            "Calico: VXLAN is taken from nodes of Calico only"),
      saved("cali-wl-to-host", calico("Configured DefaultEndpointToHostAction", "-j DROP"),
            "Calico: workloads may not connect to their host (DefaultEndpointToHostAction)"),
      saved("cali-cidr-block",
            "-d 10.96.0.0/12 -m comment --comment \"cali:4mR5YgwY2H8Ih2Uo\" -j DROP",
            "Calico: nothing serves this service address, and it would loop"),
      saved("cali-PREROUTING",
            "-m comment --comment \"cali:fV2dvYSTOlS5CW2g\" -m mark --mark 0x40000/0x40000 -m "
            "rpfilter --validmark --invert -j DROP",
            "Calico: the workload sent from an address that is not its own", "raw"),
      listed("raw", "cali-PREROUTING",
             "meta mark & 0x00040000 == 0x00040000 fib saddr . mark . iif oif 0 counter drop "
             "comment \"cali:fV2dvYSTOlS5CW2g\"",
             "Calico: the workload sent from an address that is not its own"),
      saved("cali-pi-_qA9zO2JvUGJ5kR0Wn3y",
            "-m comment --comment \"cali:hecdSCslEjdBPBPo\" -m mark --mark 0x80000/0x80000 -j DROP",
            "Calico: an ingress policy denies this"),
      saved("cali-po-_qA9zO2JvUGJ5kR0Wn3y",
            "-m comment --comment \"cali:hecdSCslEjdBPBPo\" -m mark --mark 0x80000/0x80000 -j DROP",
            "Calico: an egress policy denies this"),
      saved("cali-pri-kns.default", "-m comment --comment \"cali:hecdSCslEjdBPBPo\" -j DROP",
            "Calico: the ingress rules of profile kns.default deny this"),
      saved("cali-pro-kns.default", "-m comment --comment \"cali:hecdSCslEjdBPBPo\" -j DROP",
            "Calico: the egress rules of profile kns.default deny this"),
      // In Calico's own table the hash and the comment are one.
      listed("calico", "filter-cali-fw-cali3317e4b4ab5",
             "counter drop comment \"cali:7aC3vGpxk9Zt1nQe; Drop if no profiles matched\"",
             "Calico: no egress policy or profile allows this"),
  };
}

std::vector<Case> other_networks() {
  const std::string unmarked =
      "-m mark ! --mark 0x10000/0x10000 -j REJECT --reject-with icmp-port-unreachable";
  return {
      saved("ANTREA-POL-INGRESS-RULES",
            "-p tcp -m set --match-set ANTREA-POL-RULE2-4 src -m tcp --dport 8080 -m comment "
            "--comment \"Antrea: for rule RULE2, policy AntreaClusterNetworkPolicy:name2\" -j DROP",
            "Antrea: AntreaClusterNetworkPolicy:name2 denies this (rule RULE2)"),
      saved("ANTREA-POL-EGRESS-RULES",
            "-m comment --comment \"Antrea: for rule RULE3, policy AntreaClusterNetworkPolicy:n\" "
            "-j REJECT --reject-with icmp-port-unreachable",
            "Antrea: AntreaClusterNetworkPolicy:n denies this (rule RULE3)"),
      saved("ANTREA-PREROUTING",
            "-d 224.0.0.0/4 -m comment --comment \"Antrea: drop Pod multicast traffic forwarded "
            "via underlay network\" -m set --match-set CLUSTER-NODE-IP src -j DROP",
            "Antrea: multicast of pods is taken from the tunnel only", "raw"),
      saved("KUBE-POD-FW-24CAQJ4LYSAY3PHB",
            "-m comment --comment \"rule to REJECT traffic destined for POD name:web-a namespace: "
            "default\" " +
                unmarked,
            "kube-router: no network policy allows this to or from pod default/web-a"),
      saved("KUBE-POD-FW-24CAQJ4LYSAY3PHB",
            "-m comment --comment \"default rule to REJECT traffic destined for POD name:web-a "
            "namespace: default\" -j REJECT --reject-with icmp-port-unreachable",
            "kube-router: no network policy allows this to or from pod default/web-a"),
      saved("KUBE-POD-FW-24CAQJ4LYSAY3PHB",
            "-m comment --comment \"rule to drop invalid state for pod\" -m conntrack --ctstate "
            "INVALID -j DROP",
            "kube-router: " + kInvalid),
      saved("KUBE-NWPLCY-COMMON",
            "-m comment --comment \"rule to drop invalid state for pod\" -m conntrack --ctstate "
            "INVALID -j DROP",
            "kube-router: " + kInvalid),
      saved("KUBE-ROUTER-SERVICES",
            "-m comment --comment \"reject all unexpected traffic to service IPs\" -m set ! "
            "--match-set kube-router-local-ips dst -j REJECT --reject-with icmp-port-unreachable",
            "kube-router: no service has this port at this address"),
      listed("kube-router-filter-ipv4", "KUBE-POD-FW-24CAQJ4LYSAY3PHB",
             "meta mark & 0x00010000 == 0x00000000 counter reject comment \"REJECT traffic "
             "destined for POD name:web-a\"",
             "kube-router: no network policy allows this to or from pod web-a"),
      listed("kube-router-filter-ipv6", "KUBE-NWPLCY-COMMON",
             "ct state invalid counter drop comment \"drop invalid state for pod\"",
             "kube-router: " + kInvalid, NFPROTO_IPV6),
      saved("ISTIO_DROP", "-j DROP", "Istio: " + kInvalid, "mangle"),
      listed("istio-proxy-mangle", "ISTIO_DROP", "counter drop", "Istio: " + kInvalid,
             NFPROTO_INET),
  };
}

std::vector<Case> docker() {
  return {
      saved("DOCKER-ISOLATION-STAGE-2", "-o docker0 -j DROP",
            "Docker: its networks are isolated from each other"),
      listed("filter", "DOCKER-ISOLATION-STAGE-2", "oifname \"docker0\" counter drop",
             "Docker: its networks are isolated from each other"),
      saved("DOCKER-ISOLATION", "-i br-4d44c079d811 -o docker0 -j DROP",
            "Docker: its networks are isolated from each other"),
      saved("DOCKER-ISOLATION-STAGE-1", "! -s 192.0.2.0/24 -o bridge1 -j DROP",
            "Docker: an internal network has no way in or out"),
      saved("DOCKER-INTERNAL", "! -d 192.0.2.0/24 -i bridge1 -j DROP",
            "Docker: an internal network has no way in or out"),
      saved("DOCKER-FORWARD", "-i bridgeNoICC -o bridgeNoICC -j DROP",
            "Docker: containers of this network may not talk to each other"),
      saved("DOCKER", "! -i docker0 -o docker0 -j DROP", "Docker: no published port lets this in"),
      saved("DOCKER-USER", "-s 192.0.2.9/32 -j DROP",
            "Docker: a rule that is not its own, in the chain it leaves to its user"),
      listed("docker-bridges", "filter-forward-in__bridge1",
             "counter drop comment \"UNPUBLISHED PORT DROP\"",
             "Docker: no published port lets this in to network bridge1"),
      listed("docker-bridges", "filter-forward-in__bridgeICC",
             "iifname != \"bridgeICC\" counter drop comment \"INTERNAL NETWORK INGRESS\"",
             "Docker: an internal network has no way in or out"),
      listed("docker-bridges", "filter-forward-out__bridgeICC",
             "oifname != \"bridgeICC\" counter drop comment \"INTERNAL NETWORK EGRESS\"",
             "Docker: an internal network has no way in or out"),
      listed("docker-bridges", "filter-forward-in__bridge1",
             "iifname \"bridge1\" counter drop comment \"ICC\"",
             "Docker: containers of this network may not talk to each other"),
      listed("docker-bridges", "raw-PREROUTING",
             "ip daddr 172.17.0.2 iifname != \"docker0\" counter drop comment \"DROP DIRECT "
             "ACCESS\"",
             "Docker: its containers are reached by published ports only"),
  };
}

Case zone(std::string chain, std::string text, std::string words) {
  return listed("firewalld", std::move(chain), std::move(text), std::move(words), NFPROTO_INET);
}

std::vector<Case> firewalld() {
  const std::string no = "reject with icmpx admin-prohibited";
  const std::string host_no = "-j REJECT --reject-with icmp-host-prohibited";
  const std::string rule = "ip saddr 192.0.2.9 drop";
  const auto reloading = [](std::string chain, std::string words) {
    return policy(listed("firewalld_policy_drop", std::move(chain), "policy drop", std::move(words),
                         NFPROTO_INET));
  };
  const std::string by_rule = "firewalld: a rule of zone public denies this";
  const std::string not_in = "firewalld: zone public does not let this in";
  const std::string not_on = "firewalld: zone public does not forward this";
  const std::string by_policy = "firewalld: a policy does not allow this";
  return {
      zone("filter_INPUT", "ct state invalid drop", "firewalld: " + kInvalid),
      zone("filter_FORWARD", "ct state { invalid } drop", ""),
      zone("filter_FORWARD", "ct state invalid drop", "firewalld: " + kInvalid),
      zone("filter_INPUT", no, "firewalld: no zone lets this in"),
      zone("filter_FORWARD", no, "firewalld: no zone forwards this"),
      zone("filter_IN_policy_allow-host-ipv6", no, by_policy),
      zone("filter_FWD_policy_p", "drop", by_policy),
      zone("filter_OUT_policy_p", "drop", by_policy),
      zone("filter_IN_public_deny", rule, by_rule),
      zone("filter_IN_public_pre", rule, by_rule),
      zone("filter_IN_public_post", rule, by_rule),
      zone("filter_IN_public", no, not_in),
      zone("filter_IN_drop", "drop", "firewalld: zone drop does not let this in"),
      zone("filter_FWD_public_deny", rule, by_rule),
      zone("filter_FWDI_public_pre", rule, by_rule),
      zone("filter_FWDO_public_post", rule, by_rule),
      zone("filter_FWD_public", no, not_on),
      zone("filter_FWDO_public", "drop", not_on),
      reloading("filter_input", "firewalld: nothing new is let through while it starts or reloads"),
      reloading("raw_prerouting", "firewalld: panic mode: nothing is let through"),
      after(saved("IN_policy_p", host_no, by_policy), "INPUT_POLICIES_post"),
      after(saved("FWD_policy_p", "-j DROP", by_policy), "FORWARD_POLICIES_pre"),
      after(saved("IN_public_deny", "-s 192.0.2.9/32 -j DROP", by_rule), "INPUT_ZONES"),
      after(saved("IN_public_pre", "-s 192.0.2.9/32 -j DROP", by_rule), "INPUT_ZONES"),
      after(saved("IN_public_post", "-s 192.0.2.9/32 -j DROP", by_rule), "INPUT_ZONES"),
      after(saved("IN_public", host_no, not_in), "INPUT_ZONES"),
      after(saved("FWD_public_deny", "-s 192.0.2.9/32 -j DROP", by_rule), "FORWARD_ZONES"),
      after(saved("FWD_public_pre", "-s 192.0.2.9/32 -j DROP", by_rule), "FORWARD_ZONES"),
      after(saved("FWD_public_post", "-s 192.0.2.9/32 -j DROP", by_rule), "FORWARD_ZONES"),
      after(saved("FWD_public", host_no, not_on), "FORWARD_ZONES"),
  };
}

std::vector<Case> ufw() {
  const std::string rejects = "-j REJECT --reject-with icmp-port-unreachable";
  const std::string by_user = "ufw: a rule of its user denies this";
  const std::string by_default = "ufw: what no rule allows is denied";
  return {
      saved("ufw-before-input", "-m conntrack --ctstate INVALID -j DROP", "ufw: " + kInvalid),
      listed("filter", "ufw6-before-input", "ct state invalid counter drop", "ufw: " + kInvalid,
             NFPROTO_IPV6),
      saved("ufw6-before-forward", "-m rt --rt-type 0 -j DROP",
            "ufw: its routing header is of type 0, which is not allowed"),
      listed("filter", "ufw6-before-input", "rt type 0 counter drop",
             "ufw: its routing header is of type 0, which is not allowed", NFPROTO_IPV6),
      saved("ufw-not-local", "-j DROP", "ufw: this is not addressed to this host"),
      saved("ufw-user-limit", rejects, "ufw: a rule limits how often a source may connect"),
      saved("ufw-user-input", "-p tcp -m tcp --dport 81 -j DROP", by_user),
      listed("filter", "ufw6-user-output", "tcp dport 81 counter drop", by_user, NFPROTO_IPV6),
      saved("ufw-user-forward", "-p tcp -m tcp --dport 81 -j REJECT --reject-with tcp-reset",
            by_user),
      saved("ufw-skip-to-policy-input", "-j DROP", by_default),
      saved("ufw-reject-input", rejects, by_default),
      saved("ufw-before-input", "-s 192.0.2.9/32 -j DROP",
            "ufw: a rule of before.rules denies this"),
      saved("ufw6-before-input", "-s 2001:db8::9/128 -j DROP",
            "ufw: a rule of before6.rules denies this"),
      saved("ufw-after-input", "-s 192.0.2.9/32 -j DROP", "ufw: a rule of after.rules denies this"),
      saved("ufw6-after-input", "-s 2001:db8::9/128 -j DROP",
            "ufw: a rule of after6.rules denies this"),
      policy(after(saved("INPUT", "policy DROP", by_default), "ufw-track-input")),
      policy(after(saved("OUTPUT", "policy DROP", by_default), "ufw6-track-output")),
  };
}

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const auto& some :
       {kubernetes(), calicos(), other_networks(), docker(), firewalld(), ufw()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace

TEST_CASE("a rule is told in its owner's words") {
  for (const Case& one : all_cases()) {
    INFO(one.table << " " << one.chain << ": " << one.text);
    CHECK(words_of(one) == one.words);
  }
}

TEST_CASE("each row of the owners' words is tried") {
  std::set<std::pair<const Owner*, const OwnerRow*>> tried;
  for (const Case& one : all_cases()) {
    if (const auto match = owner_of(rule_of(one), names_of(one)))
      tried.emplace(match->owner, match->row);
  }
  for (const Owner& owner : owners()) {
    for (const OwnerRow& row : owner.rows) {
      INFO(owner.name << ", chain " << row.chain << ": " << row.sentence);
      CHECK(tried.contains({&owner, &row}));
    }
  }
}

TEST_CASE("a rule of another chain, table or tool has no owner, whatever its comment says") {
  const std::string comment = "-m comment --comment \"default/none:http has no endpoints\" ";
  const auto imitation = GENERATE_COPY(values<Case>({
      saved("MY-SERVICES", comment + "-j REJECT", ""),
      saved("KUBE-SERVICES-2", comment + "-j REJECT", ""),
      saved("FORWARD", comment + "-j REJECT", ""),
      saved("KUBE-SERVICES", comment + "-j REJECT", "", "security"),
      saved("cali-fw-cali1", "-m comment --comment \"Drop if no profiles matched\" -j DROP", ""),
      saved("IN_public", "-j DROP", ""),
      saved("ISTIO_DROP", "-j DROP", ""),
      listed("kube-proxies", "reject-chain", "reject", ""),
      listed("filter", "KUBE-SERVICES", "reject comment \"a/b has no endpoints\"", "",
             NFPROTO_INET),
      listed("calico", "filter-DOCKER-USER", "drop comment \"cali:7aC3vGpxk9Zt1nQe\"", ""),
      policy(saved("FORWARD", "policy DROP", "")),
      policy(saved("INPUT", "policy DROP", "")),
      policy(after(saved("FORWARD", "policy DROP", ""), "ufw-track-forward")),
  }));
  INFO(imitation.table << " " << imitation.chain << ": " << imitation.text);
  CHECK(words_of(imitation).empty());
}

TEST_CASE("a rule in an owner's chain that the owner does not make has no words") {
  const auto strange = GENERATE(values<Case>({
      saved("KUBE-SERVICES", "-s 192.0.2.9/32 -j DROP", ""),
      saved("KUBE-SERVICES", "", ""),
      saved("KUBE-SERVICES", "-m comment --comment \"a b has no endpoints\" -j REJECT", ""),
      saved("KUBE-SERVICES", "-m comment --comment \" has no endpoints\" -j REJECT", ""),
      saved("KUBE-SERVICES", "-m comment --comment \"a/b has no endpoints\" -j DROP", ""),
      saved("KUBE-FORWARD", "-m comment --comment \"--ctstate INVALID\" -j DROP", ""),
      saved("KUBE-POD-FW-A",
            "-m comment --comment \"rule to REJECT traffic destined for POD name: namespace: a\" "
            "-j REJECT",
            ""),
      listed("kube-proxy", "firewall-check", "drop", ""),
      listed("kube-proxy", "firewall-A-b/c", "drop", ""),
      listed("filter", "KUBE-FORWARD", "log prefix \"ct state invalid\" drop", ""),
  }));
  INFO(strange.chain << ": " << strange.text);
  CHECK(words_of(strange).empty());
}

TEST_CASE("no owner is told where several rules may have decided, or where nothing is known") {
  const auto one = kubernetes().front();
  auto rule = rule_of(one);
  CHECK_FALSE(owner_of(rule, sample::names()));
  rule.flags |= DPT_RULE_ONE_OF;
  CHECK_FALSE(owner_of(rule, names_of(one)));
}

TEST_CASE("a chain that the kernel's side names is enough, unless its name is cut off") {
  auto rule = rule_of(listed("kube-proxy", "", "", ""));
  rule.flags = kRejected;
  rule.chain = "reject-chain";
  CHECK(owner_of(rule, sample::names()));
  rule.flags = 0;
  rule.chain = "firewall-HVFWP5L3-ns/svc/tcp/po";
  REQUIRE(rule.chain.size() == DPT_RULE_NAME - 1);
  CHECK_FALSE(owner_of(rule, sample::names()));
}

TEST_CASE("the comments of a rule are read as the tool wrote them") {
  using Comments = std::vector<std::string>;
  CHECK(parts_of("-m comment --comment one -j DROP", true).comments == Comments{"one"});
  CHECK(parts_of(R"(-m comment --comment "a \"b\" \\ c\'s" -m comment --comment "" -j DROP)", true)
            .comments == Comments{R"(a "b" \ c's)", ""});
  CHECK(parts_of(R"(tcp dport 80 drop comment "a \" comment "b c")", false).comments ==
        Comments{R"(a \)", "b c"});
  CHECK(parts_of(R"(drop comment "cali:abc; what it is")", false).comments ==
        Comments{"cali:abc", "what it is"});
  CHECK(parts_of(R"(log prefix "comment" drop)", false).comments.empty());
  CHECK(parts_of(R"(drop comment "not ended)", false).comments == Comments{"not ended"});
  CHECK(parts_of("-m comment --comment", true).comments.empty());
  CHECK(parts_of("", false).comments.empty());
  CHECK(parts_of(R"(-m comment --comment "x" -p tcp -j DROP)", true).plain ==
        "-m comment --comment -p tcp -j DROP");
}

TEST_CASE("only what says that a service has no endpoints is that cause") {
  for (const Case& one : kubernetes()) {
    const auto match = owner_of(rule_of(one), names_of(one));
    REQUIRE(match);
    const bool says_so = match->words.find("no endpoints") != std::string::npos;
    INFO(match->words);
    CHECK(cause_of(*match->row) == (says_so ? "service-without-endpoints" : ""));
  }
}
