#include "timeline/ours.hpp"

#include <linux/netfilter.h>

#include <algorithm>

#include "model/flow.hpp"

namespace dptrace {

namespace {

// False for a packet that has neither ports nor the id of an echo: an ICMP error is followed
// because of the packet that it quotes, and a later fragment because of the first one.
bool is_followed_by_its_ends(const dpt_flow& flow) {
  if (is_later_fragment(flow)) return false;
  return has_ports(flow.protocol) || is_echo(flow.protocol, flow.l4.icmp.type);
}

// A packet from outside is translated in PREROUTING, so NAT is done with it once PREROUTING has
// accepted it or another hook has met it.
bool has_passed_nat(const Hop& hop) {
  if (hop.point == DPT_POINT_SOCKET) return true;
  if (!hop.netfilter || hop.netfilter->family == NFPROTO_BRIDGE) return false;
  return hop.netfilter->hook != NF_INET_PRE_ROUTING || hop.netfilter->result > 0;
}

}  // namespace

bool is_ours(const Live& live, Verdict verdict) {
  const auto& hops = live.packet.hops;
  if (live.matched || hops.empty() || !is_followed_by_its_ends(hops.front().flow)) return true;
  if (verdict != Verdict::kDropped && verdict != Verdict::kStolen) return false;
  return std::none_of(hops.begin(), hops.end(), has_passed_nat);
}

}  // namespace dptrace
