#include "words/rule_cause.hpp"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
// Behind the libc's, with which it agrees only in this order.
#include <linux/netfilter.h>

namespace dptrace {

namespace {

bool tells_of_a_smaller_mtu(const dpt_flow& flow) {
  if (flow.protocol == IPPROTO_ICMPV6) return flow.l4.icmp.type == ICMP6_PACKET_TOO_BIG;
  return flow.protocol == IPPROTO_ICMP && flow.l4.icmp.type == ICMP_DEST_UNREACH &&
         flow.l4.icmp.code == ICMP_FRAG_NEEDED;
}

bool is_on_the_bridge(const DecidingRule& rule) {
  return rule.ruleset == DPT_RULESET_EBTABLES || rule.family == NFPROTO_BRIDGE;
}

}  // namespace

RuleCause rule_cause(const DecidingRule& rule, const Drop& drop, const dpt_flow& flow) {
  if (drop.tunnel)
    return {"tunnel-blocked", "the outer packet of a tunnel was dropped, and this one with it"};
  if (tells_of_a_smaller_mtu(flow))
    return {"icmp-blackhole",
            "the sender does not learn that its packets are too large for the way"};
  if (rule.is_policy()) return {"netfilter-policy", {}};
  return {is_on_the_bridge(rule) ? "ebtables-rule" : "netfilter-rule", {}};
}

}  // namespace dptrace
