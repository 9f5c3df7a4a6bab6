#include "timeline/ours.hpp"

#include <linux/netfilter.h>

#include <algorithm>

#include "model/tuple.hpp"

namespace dptrace {

namespace {

// An ICMP error has no ends of its own: it is followed for the packet that it quotes. Later
// fragments are followed for their first one.
bool is_followed_by_its_ends(const dpt_flow& flow) {
  const Tuple tuple = tuple_of(flow);
  return tuple.source_port != 0 || tuple.destination_port != 0;
}

// PREROUTING translates packets that come from outside.
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
