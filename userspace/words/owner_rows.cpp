// A row is here only where chain and comment, or a chain that no other program has, prove whose
// rule it is and what it is for. flannel has none: its rules let through and rewrite.
#include "words/owner_rows.hpp"

#include <algorithm>
#include <array>

namespace dptrace {

namespace {

constexpr std::string_view kAny = "";
constexpr auto kEither = OwnerVerdict::kEither;
constexpr auto kDropped = OwnerVerdict::kDropped;
constexpr auto kRejected = OwnerVerdict::kRejected;

constexpr std::string_view kInvalid = "conntrack finds it INVALID: it fits no connection";
constexpr OwnerText kOfInvalid = {"--ctstate INVALID", "ct state invalid"};

constexpr std::string_view kNoEndpoints = "service $1 has no endpoints";
constexpr std::string_view kNoLocalEndpoints = "service $1 has no endpoints on this node";
constexpr auto kKubeProxy = std::to_array<OwnerRow>({
    {"KUBE-SERVICES", "* has no endpoints", kRejected, kNoEndpoints},
    {"KUBE-EXTERNAL-SERVICES", "* has no endpoints", kRejected, kNoEndpoints},
    {"KUBE-SERVICES", "* has no local endpoints", kDropped, kNoLocalEndpoints},
    {"KUBE-EXTERNAL-SERVICES", "* has no local endpoints", kDropped, kNoLocalEndpoints},
    {"KUBE-PROXY-FIREWALL", "* traffic not accepted by KUBE-FW-*", kDropped,
     "service $1 is not open to this source (loadBalancerSourceRanges)"},
    {"KUBE-FORWARD", kAny, kDropped, kInvalid, kOfInvalid},
    // With IPVS.
    {"KUBE-SOURCE-RANGES-FIREWALL", kAny, kDropped,
     "the service is not open to this source (loadBalancerSourceRanges)"},
    {"KUBE-IPVS-FILTER", kAny, kRejected, "no service takes this at its address"},
});

// The kubelet and kube-proxy both write this chain; the mark is of older releases.
constexpr auto kKubernetes = std::to_array<OwnerRow>({
    {"KUBE-FIREWALL", "kubernetes firewall for dropping marked packets", kDropped,
     "an earlier rule marked this for dropping"},
    {"KUBE-FIREWALL", "block incoming localnet connections", kDropped,
     "only this node itself may connect to 127.0.0.0/8"},
});

constexpr std::string_view kNone = "the service has no endpoints";
constexpr std::string_view kNoneHere = "the service has no endpoints on this node";
constexpr auto kKubeProxyNft = std::to_array<OwnerRow>({
    {"reject-chain", kAny, kRejected, kNone},
    {"endpoints-check", kAny, kDropped, kNoneHere},  // of older releases
    {"service-endpoints-check", kAny, kDropped, kNoneHere},
    {"nodeport-endpoints-check", kAny, kDropped, kNoneHere},
    {"cluster-ips-check", "Reject traffic to invalid ports of ClusterIPs", kRejected,
     "the service has no such port"},
    {"cluster-ips-check", "Drop traffic to unallocated ClusterIPs", kDropped,
     "no service has this address"},
    // The parts of the name: hash, namespace, service, protocol, and port if that has a name.
    {"firewall-*-*/*/*/*", kAny, kDropped,
     "service $2/$3:$5 is not open to this source (loadBalancerSourceRanges)"},
    {"firewall-*-*/*/*/", kAny, kDropped,
     "service $2/$3 is not open to this source (loadBalancerSourceRanges)"},
});

constexpr std::string_view kEgressProfile = "no egress policy or profile allows this";
constexpr std::string_view kIngressProfile = "no ingress policy or profile allows this";
constexpr std::string_view kTier = "End of tier *. * if no policies passed packet";
constexpr std::string_view kDisabled = "the endpoint is disabled";
constexpr std::string_view kUnknownSender = "nothing is known of the device this came from";
constexpr std::string_view kVxlanOfOthers = "VXLAN is taken from nodes of Calico only";
// Chains of workloads (fw: what they send, tw: what they get), of hosts (th: what they send, fh:
// what they get), of the dispatch to them, and of policies and profiles.
constexpr auto kCalico = std::to_array<OwnerRow>({
    {"cali-fw-*", "* if no profiles matched", kEither, kEgressProfile},
    {"cali-tw-*", "* if no profiles matched", kEither, kIngressProfile},
    {"cali-th-*", "* if no profiles matched", kEither, kEgressProfile},
    {"cali-fh-*", "* if no profiles matched", kEither, kIngressProfile},
    {"cali-fw-*", kTier, kEither, "no egress policy of tier $2 allows this"},
    {"cali-tw-*", kTier, kEither, "no ingress policy of tier $2 allows this"},
    {"cali-th*-*", kTier, kEither, "no egress policy of tier $3 allows this"},
    {"cali-fh*-*", kTier, kEither, "no ingress policy of tier $3 allows this"},
    {"cali-fw-*", "* if no policies passed packet", kEither, "no egress policy allows this"},
    {"cali-tw-*", "* if no policies passed packet", kEither, "no ingress policy allows this"},
    {"cali-fw-*", "Endpoint admin disabled", kEither, kDisabled},
    {"cali-tw-*", "Endpoint admin disabled", kEither, kDisabled},
    {"cali-fw-*", "* VXLAN encapped packets originating in workloads", kEither,
     "a workload may not send VXLAN itself"},
    {"cali-fw-*", "* IPinIP encapped packets originating in workloads", kEither,
     "a workload may not send IPIP itself"},
    {"cali-*w-*", kAny, kDropped, kInvalid, kOfInvalid},
    {"cali-*h-*", kAny, kDropped, kInvalid, kOfInvalid},
    {"cali-from-wl-dispatch*", "Unknown interface", kEither, kUnknownSender},
    {"cali-to-wl-dispatch*", "Unknown interface", kEither,
     "nothing is known of the device this goes to"},
    {"cali-from-endpoint-mark", "Unknown interface", kEither, kUnknownSender},
    {"cali-set-endpoint-mark", "Unknown endpoint", kEither, kUnknownSender},
    {"cali-INPUT", "* IPIP packets from non-Calico hosts", kEither,
     "IPIP is taken from nodes of Calico only"},
    {"cali-INPUT", "* VXLAN packets from non-allowed hosts", kEither, kVxlanOfOthers},
    {"cali-INPUT", "* * VXLAN packets from non-allowed hosts", kEither, kVxlanOfOthers},
    {"cali-wl-to-host", "Configured DefaultEndpointToHostAction", kEither,
     "workloads may not connect to their host (DefaultEndpointToHostAction)"},
    {"cali-cidr-block", kAny, kEither, "nothing serves this service address, and it would loop"},
    {"cali-PREROUTING",
     kAny,
     kEither,
     "the workload sent from an address that is not its own",
     {"-m rpfilter", "fib saddr"}},
    {"cali-pi-*", kAny, kEither, "an ingress policy denies this"},
    {"cali-po-*", kAny, kEither, "an egress policy denies this"},
    {"cali-pri-*", kAny, kEither, "the ingress rules of profile $1 deny this"},
    {"cali-pro-*", kAny, kEither, "the egress rules of profile $1 deny this"},
});

// What is between pods is decided by Open vSwitch.
constexpr std::string_view kPolicyRule = "Antrea: for rule *, policy *";
constexpr auto kAntrea = std::to_array<OwnerRow>({
    {"ANTREA-POL-INGRESS-RULES", kPolicyRule, kEither, "$2 denies this (rule $1)"},
    {"ANTREA-POL-EGRESS-RULES", kPolicyRule, kEither, "$2 denies this (rule $1)"},
    {"ANTREA-PREROUTING", "Antrea: drop Pod multicast traffic forwarded via underlay network",
     kDropped, "multicast of pods is taken from the tunnel only"},
});

// It is within k3s too.
constexpr std::string_view kNoServiceHere = "no service has this port at this address";
constexpr auto kKubeRouter = std::to_array<OwnerRow>({
    {"KUBE-POD-FW-*", "rule to REJECT traffic destined for POD name:* namespace: *", kRejected,
     "no network policy allows this to or from pod $3/$2"},
    {"KUBE-POD-FW-*", "default rule to REJECT traffic destined for POD name:* namespace: *",
     kRejected, "no network policy allows this to or from pod $3/$2"},
    {"KUBE-POD-FW-*", "rule to drop invalid state for pod", kDropped, kInvalid},
    {"KUBE-NWPLCY-COMMON", "rule to drop invalid state for pod", kDropped, kInvalid},
    {"KUBE-ROUTER-SERVICES", "reject all unexpected traffic to service IPs", kRejected,
     kNoServiceHere},
});
constexpr auto kKubeRouterNft = std::to_array<OwnerRow>({
    {"KUBE-POD-FW-*", "REJECT traffic destined for POD name:*", kRejected,
     "no network policy allows this to or from pod $2"},
    {"KUBE-NWPLCY-COMMON", kAny, kDropped, kInvalid, kOfInvalid},
});

constexpr std::string_view kIsolated = "its networks are isolated from each other";
constexpr std::string_view kInternal = "an internal network has no way in or out";
constexpr std::string_view kNoTalk = "containers of this network may not talk to each other";
constexpr auto kDocker = std::to_array<OwnerRow>({
    {"DOCKER-ISOLATION-STAGE-2", kAny, kDropped, kIsolated},
    {"DOCKER-ISOLATION", kAny, kDropped, kIsolated},
    {"DOCKER-ISOLATION-STAGE-1", kAny, kDropped, kInternal},
    {"DOCKER-INTERNAL", kAny, kDropped, kInternal},
    {"DOCKER-FORWARD", kAny, kDropped, kNoTalk},
    {"DOCKER", kAny, kDropped, "no published port lets this in"},
    {"DOCKER-USER", kAny, kEither,
     "a rule that is not its own, in the chain it leaves to its user"},
});
constexpr auto kDockerNft = std::to_array<OwnerRow>({
    {"filter-forward-in__*", "UNPUBLISHED PORT DROP", kDropped,
     "no published port lets this in to network $1"},
    {"filter-forward-in__*", "INTERNAL NETWORK INGRESS", kDropped, kInternal},
    {"filter-forward-out__*", "INTERNAL NETWORK EGRESS", kDropped, kInternal},
    {"filter-forward-in__*", "ICC", kDropped, kNoTalk},
    {"raw-PREROUTING", "DROP DIRECT ACCESS", kDropped,
     "its containers are reached by published ports only"},
});

constexpr std::string_view kZoneRule = "a rule of zone $1 denies this";
constexpr std::string_view kForwardRule = "a rule of zone $2 denies this";
constexpr auto kFirewalldNft = std::to_array<OwnerRow>({
    {"filter_INPUT", kAny, kDropped, kInvalid, kOfInvalid},
    {"filter_FORWARD", kAny, kDropped, kInvalid, kOfInvalid},
    {"filter_INPUT", kAny, kRejected, "no zone lets this in"},
    {"filter_FORWARD", kAny, kRejected, "no zone forwards this"},
    {"filter_IN_policy_*", kAny, kEither, "a policy does not allow this"},
    {"filter_FWD_policy_*", kAny, kEither, "a policy does not allow this"},
    {"filter_OUT_policy_*", kAny, kEither, "a policy does not allow this"},
    {"filter_IN_*_deny", kAny, kEither, kZoneRule},
    {"filter_IN_*_pre", kAny, kEither, kZoneRule},
    {"filter_IN_*_post", kAny, kEither, kZoneRule},
    {"filter_IN_*", kAny, kEither, "zone $1 does not let this in"},
    // FWDI and FWDO are of older releases.
    {"filter_FWD*_*_deny", kAny, kEither, kForwardRule},
    {"filter_FWD*_*_pre", kAny, kEither, kForwardRule},
    {"filter_FWD*_*_post", kAny, kEither, kForwardRule},
    {"filter_FWD*_*", kAny, kEither, "zone $2 does not forward this"},
});
constexpr auto kFirewalldReload = std::to_array<OwnerRow>({
    {"filter_*",
     kAny,
     kDropped,
     "nothing new is let through while it starts or reloads",
     {},
     "",
     true},
    {"raw_*", kAny, kDropped, "panic mode: nothing is let through", {}, "", true},
});
// Others may have chains of these names, but not those that lead to them.
constexpr auto kFirewalld = std::to_array<OwnerRow>({
    {"IN_policy_*", kAny, kEither, "a policy does not allow this", {}, "INPUT_POLICIES_*"},
    {"FWD_policy_*", kAny, kEither, "a policy does not allow this", {}, "FORWARD_POLICIES_*"},
    {"IN_*_deny", kAny, kEither, kZoneRule, {}, "INPUT_ZONES"},
    {"IN_*_pre", kAny, kEither, kZoneRule, {}, "INPUT_ZONES"},
    {"IN_*_post", kAny, kEither, kZoneRule, {}, "INPUT_ZONES"},
    {"IN_*", kAny, kEither, "zone $1 does not let this in", {}, "INPUT_ZONES"},
    {"FWD_*_deny", kAny, kEither, kZoneRule, {}, "FORWARD_ZONES"},
    {"FWD_*_pre", kAny, kEither, kZoneRule, {}, "FORWARD_ZONES"},
    {"FWD_*_post", kAny, kEither, kZoneRule, {}, "FORWARD_ZONES"},
    {"FWD_*", kAny, kEither, "zone $1 does not forward this", {}, "FORWARD_ZONES"},
});

constexpr std::string_view kUserRule = "a rule of its user denies this";
constexpr std::string_view kDefault = "what no rule allows is denied";
constexpr std::string_view kRoutingHeader = "its routing header is of type 0, which is not allowed";
constexpr OwnerText kOfRoutingHeader = {"--rt-type 0", "rt type 0"};
// The chains begin with `ufw-`, and for IPv6 with `ufw6-`.
constexpr auto kUfw = std::to_array<OwnerRow>({
    {"ufw*-before-*", kAny, kDropped, kInvalid, kOfInvalid},
    {"ufw6-before-*", kAny, kDropped, kRoutingHeader, kOfRoutingHeader},
    {"ufw-not-local", kAny, kDropped, "this is not addressed to this host"},
    {"ufw*-user-limit", kAny, kRejected, "a rule limits how often a source may connect"},
    {"ufw*-user-input", kAny, kEither, kUserRule},
    {"ufw*-user-output", kAny, kEither, kUserRule},
    {"ufw*-user-forward", kAny, kEither, kUserRule},
    {"ufw*-skip-to-policy-*", kAny, kEither, kDefault},
    {"ufw*-reject-*", kAny, kRejected, kDefault},
    {"ufw-before-*", kAny, kEither, "a rule of before.rules denies this"},
    {"ufw6-before-*", kAny, kEither, "a rule of before6.rules denies this"},
    {"ufw-after-*", kAny, kEither, "a rule of after.rules denies this"},
    {"ufw6-after-*", kAny, kEither, "a rule of after6.rules denies this"},
    // Docker may have set the policy of FORWARD.
    {"INPUT", kAny, kDropped, kDefault, {}, "ufw*-track-input", true},
    {"OUTPUT", kAny, kDropped, kDefault, {}, "ufw*-track-output", true},
});

constexpr auto kIstio = std::to_array<OwnerRow>({{"ISTIO_DROP", kAny, kDropped, kInvalid}});

constexpr auto kIptables = OwnerTool::kIptables;
constexpr auto kNftables = OwnerTool::kNftables;
constexpr auto kOwners = std::to_array<Owner>({
    {"kube-proxy", kIptables, "filter", kAny, kKubeProxy},
    {"Kubernetes", kIptables, "filter", kAny, kKubernetes},
    {"kube-proxy", kNftables, "kube-proxy", kAny, kKubeProxyNft},
    {"Calico", kIptables, "*", "cali:*", kCalico},  // its nftables have the same chains
    {"Antrea", kIptables, "*", kAny, kAntrea},
    {"kube-router", kIptables, "filter", kAny, kKubeRouter},
    {"kube-router", kNftables, "kube-router-filter-ipv*", kAny, kKubeRouterNft},
    {"Docker", kIptables, "filter", kAny, kDocker},
    {"Docker", kNftables, "docker-bridges", kAny, kDockerNft},
    {"firewalld", kIptables, "filter", kAny, kFirewalld},
    {"firewalld", kNftables, "firewalld", kAny, kFirewalldNft},
    {"firewalld", kNftables, "firewalld_policy_drop", kAny, kFirewalldReload},
    {"ufw", kIptables, "filter", kAny, kUfw},
    {"Istio", kIptables, "mangle", kAny, kIstio},
    {"Istio", kNftables, "istio-proxy-mangle", kAny, kIstio},
});

// Counts what `$1` and so on may name.
constexpr std::size_t stars(const OwnerRow& row) {
  std::size_t count = 0;
  for (const char letter : row.chain) count += letter == '*';
  for (const char letter : row.comment) count += letter == '*';
  return count;
}

constexpr bool row_is_good(const OwnerRow& row) {
  if (row.chain.empty() || row.sentence.empty()) return false;
  for (std::size_t i = 0; i < row.sentence.size(); ++i) {
    if (row.sentence[i] != '$') continue;
    if (++i == row.sentence.size() || row.sentence[i] < '1') return false;
    if (static_cast<std::size_t>(row.sentence[i] - '0') > stars(row)) return false;
  }
  return true;
}

constexpr bool rows_are_good() {
  for (const Owner& owner : kOwners) {
    for (const OwnerRow& row : owner.rows) {
      if (!row_is_good(row)) return false;
    }
  }
  return true;
}
static_assert(rows_are_good(), "each row has a chain, and a sentence that names stars it has");

}  // namespace

std::string_view cause_of(const OwnerRow& row) {
  constexpr std::array kSentences = {kNoEndpoints, kNoLocalEndpoints, kNone, kNoneHere};
  return std::ranges::find(kSentences, row.sentence) == kSentences.end()
             ? std::string_view()
             : "service-without-endpoints";
}

std::span<const Owner> owners() { return kOwners; }

}  // namespace dptrace
