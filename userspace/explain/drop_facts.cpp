#include "explain/drop_facts.hpp"

#include <linux/if_packet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "model/packet.hpp"
#include "verdict/drop_stack.hpp"
#include "verdict/rule_hook.hpp"

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

// A SYN, and nothing else of these, opens a connection.
bool opens_connection(const DropFacts& drop) {
  constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;
  return (drop.tcp_flags & (kFin | kSyn | kRst | kAck)) == kSyn;
}

bool runs_rules(std::string_view function) {
  constexpr std::array<std::string_view, 5> kPrefixes = {"nft_do_chain", "ipt_do_table",
                                                         "ip6t_do_table", "iptable_", "ip6table_"};
  return std::ranges::any_of(kPrefixes,
                             [&](std::string_view prefix) { return function.starts_with(prefix); });
}

void add_unseen_rules(DropFacts& facts, const Drop& drop, const Names& names) {
  const auto at = names.rules_unseen ? rule_hook_of(drop, names) : std::nullopt;
  if (!at) return;
  facts.ran_rules = at->function;
  facts.hook = at->hook;
  // The rules that may have been it are the same for all packets.
  facts.source = facts.destination = {};
  facts.device = facts.mark = 0;
  facts.port = 0;
  facts.protocol = facts.ttl = facts.tcp_flags = 0;
}

}  // namespace

bool is_by_hook(const DropFacts& drop) {
  return drop.by("nf_hook_slow") && (drop.reason.empty() || drop.reason == "NETFILTER_DROP");
}

bool may_be_by_rule(const DropFacts& drop) {
  return runs_rules(drop.function) ||
         (is_by_hook(drop) && (drop.decided_by.empty() || runs_rules(drop.decided_by)));
}

bool is_by_confirm(const DropFacts& drop) {
  // Through 6.2 each IP version has a function of its own.
  return drop.decided_by == "nf_confirm" || drop.decided_by == "ipv4_confirm" ||
         drop.decided_by == "ipv6_confirm";
}

void add_ends(DropFacts& facts, const dpt_drop& drop) {
  const dpt_flow& flow = drop.hop.flow;
  const bool has_ports = flow.protocol == IPPROTO_TCP || flow.protocol == IPPROTO_UDP;
  if (facts.tunnel == DPT_TUNNEL_NONE && has_ports) facts.source_port = flow.l4.port.source;
}

void leave_out_ends(DropFacts& facts) {
  const bool opens_none = facts.protocol == IPPROTO_TCP && !opens_connection(facts);
  const bool is_asked_for = opens_none ? may_be_by_rule(facts) : is_by_confirm(facts);
  if (!is_asked_for) facts.source_port = 0;
}

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
  add_unseen_rules(facts, drop, names);
  return facts;
}

}  // namespace dptrace
