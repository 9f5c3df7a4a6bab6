#include "explain/drop_facts.hpp"

#include <linux/if_packet.h>
#include <netinet/in.h>

#include <algorithm>

#include "model/packet.hpp"
#include "verdict/drop_stack.hpp"

namespace dptrace {

namespace {

std::uint8_t outer_protocol(std::uint8_t tunnel) {
  switch (tunnel) {
    case DPT_TUNNEL_IPIP:
      return IPPROTO_IPIP;
    case DPT_TUNNEL_GRE:
      return IPPROTO_GRE;
    default:
      return IPPROTO_UDP;
  }
}

bool frees_lists(std::string_view function) {
  return function.starts_with("kfree_skb_list") || function.starts_with("__tcf_kfree_skb_list");
}

bool is_not_said(std::string_view reason) { return reason == "NOT_SPECIFIED"; }

// Leaves out what no cause looks at in such a drop, so that a flood of drops is one question.
void leave_out(DropFacts& facts) {
  constexpr std::uint8_t kEnoughTtl = 2;
  facts.ttl = std::min(facts.ttl, kEnoughTtl);
  const bool forwards = facts.by("ip_forward") || facts.by("ip6_forward");
  if (!forwards) facts.length = 0;
  if (!facts.by("vxlan_rcv")) facts.tunnel_id = 0;
}

}  // namespace

DropFacts drop_facts(const dpt_drop& wire, const Names& names) {
  DropFacts facts;
  Drop drop;
  drop.location = wire.location;
  drop.stack.assign(wire.stack, wire.stack + wire.stack_depth);
  facts.netns = wire.hop.netns;
  facts.device = wire.hop.ifindex;
  facts.mark = wire.mark;
  facts.other_host = wire.hop.packet_type == PACKET_OTHERHOST;
  facts.function = source_name(names.function(dropping_location(drop, names)));
  const auto reason = names.reasons.find(wire.reason);
  if (wire.has_reason && reason != names.reasons.end() && !is_not_said(reason->second))
    facts.reason = reason->second;
  facts.has_reasons = wire.has_reason != 0;
  facts.listed = facts.reason.empty() && frees_lists(names.function(wire.location));
  if (wire.hop.tunnel.kind != DPT_TUNNEL_NONE) {
    const dpt_tunnel& tunnel = wire.hop.tunnel;
    facts.family = tunnel.family;
    facts.protocol = outer_protocol(tunnel.kind);
    facts.source = Address(tunnel.source);
    facts.destination = Address(tunnel.destination);
    facts.port = tunnel.port;
    facts.length = wire.hop.length;
    facts.tunnel = tunnel.kind;
    facts.tunnel_id = tunnel.id;
    leave_out(facts);
    return facts;
  }
  const dpt_flow& flow = wire.hop.flow;
  facts.family = flow.family;
  facts.protocol = flow.protocol;
  facts.source = Address(flow.source);
  facts.destination = Address(flow.destination);
  facts.ttl = flow.ttl;
  facts.length = flow.length;
  if (flow.protocol == IPPROTO_TCP || flow.protocol == IPPROTO_UDP)
    facts.port = flow.l4.port.destination;
  if (flow.protocol == IPPROTO_TCP) facts.tcp_flags = flow.tcp_flags;
  leave_out(facts);
  return facts;
}

}  // namespace dptrace
