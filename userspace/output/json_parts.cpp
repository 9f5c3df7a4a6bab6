#include "output/json_parts.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <string>
#include <vector>

#include "model/flow.hpp"
#include "verdict/drop_stack.hpp"
#include "words/cause_words.hpp"
#include "words/flow_words.hpp"
#include "words/netfilter_words.hpp"
#include "words/protocol_words.hpp"
#include "words/rule_words.hpp"
#include "words/style.hpp"

namespace dptrace {

namespace {

void add_if_known(JsonLine& json, std::string_view name, std::string_view value) {
  if (!value.empty()) json.member(name, value);
}

void add_protocol(JsonLine& json, std::uint8_t protocol) {
  const ProtocolName* name = protocol_name(protocol);
  json.member("protocol",
              name != nullptr ? name->json : std::string_view(std::to_string(protocol)));
}

void add_end(JsonLine& json, const dpt_flow& flow, bool source, const Names& names,
             std::uint64_t at_ns) {
  const Address address(source ? flow.source : flow.destination);
  json.object(source ? "source" : "destination", [&] {
    json.member("ip", address.text());
    if (has_ports(flow.protocol) && fragment_offset(flow) == 0)
      json.member("port", source ? flow.l4.port.source : flow.l4.port.destination);
    add_if_known(json, "pod", names.pod_of_address(address, at_ns));
  });
}

void add_tcp(JsonLine& json, const dpt_flow& flow, bool retransmission) {
  json.object("tcp", [&] {
    json.array("flags", [&] {
      for (const auto& flag : tcp_flags()) {
        if ((flow.tcp_flags & flag.bit) != 0) json.element(flag.name);
      }
    });
    json.member("sequence", flow.sequence);
    if ((flow.tcp_flags & kTcpAck) != 0) json.member("acknowledgment", flow.acknowledgment);
    if (retransmission) json.array("notes", [&] { json.element("retransmission"); });
  });
}

void add_icmp(JsonLine& json, const dpt_flow& flow) {
  json.object("icmp", [&] {
    json.member("type", flow.l4.icmp.type);
    json.member("code", flow.l4.icmp.code);
    if (!is_echo(flow.protocol, flow.l4.icmp.type)) return;
    json.member("id", flow.l4.icmp.id);
    json.member("sequence", flow.sequence);
  });
}

void add_fragment(JsonLine& json, const dpt_flow& flow) {
  json.object("fragment", [&] {
    json.member("offset", fragment_offset(flow));
    json.member("more", more_fragments(flow));
  });
}

std::string_view tunnel_name(std::uint8_t kind) {
  switch (kind) {
    case DPT_TUNNEL_IPIP:
      return "ipip";
    case DPT_TUNNEL_VXLAN:
      return "vxlan";
    case DPT_TUNNEL_GENEVE:
      return "geneve";
    case DPT_TUNNEL_GRE:
      return "gre";
    default:
      return {};
  }
}

void add_part(JsonLine& json, const Part& part) {
  json.object("part", [&] {
    json.member("kind", part_kind_name(part.kind));
    json.member("offset", part.offset);
    json.member("length", part.length);
  });
}

// The place and text of one rule, inside an object.
void add_rule_members(JsonLine& json, const DecidingRule& rule, std::uint64_t number,
                      const Names& names) {
  const RuleText* text = names.rule(rule.id(number));
  add_if_known(json, "chain", text == nullptr || text->chain.empty() ? rule.chain : text->chain);
  const bool is_policy = rule.is_policy() && number == rule.decided();
  if (!is_policy && rule.ruleset == DPT_RULESET_NFTABLES) json.member("rule_handle", number);
  if (!is_policy && text != nullptr && text->number != 0) json.member("rule_number", text->number);
  if (is_policy) json.member("policy", true);
  if (text == nullptr) return;
  add_if_known(json, "rule", text->text);
  if (text->changed) json.member("rules_changed", true);
}

void add_deciding_rule(JsonLine& json, const DecidingRule& rule, const Names& names) {
  json.object("rule", [&] {
    add_if_known(json, "family", netfilter_family(rule.family));
    add_if_known(json, "hook", netfilter_hook(rule.family, rule.hook));
    add_if_known(json, "table", rule.table_name);
    if (!rule.is_one_of()) add_rule_members(json, rule, rule.decided(), names);
    json.member("verdict", (rule.flags & DPT_RULE_REJECTED) != 0 ? "reject" : "drop");
    if (!rule.is_one_of()) return;
    json.array("one_of", [&] {
      for (const std::uint64_t number : rule.path)
        json.element([&] { add_rule_members(json, rule, number, names); });
    });
  });
  const auto way = way_to(rule, names);
  if (way.size() < 2) return;
  json.array("path", [&] {
    for (const std::uint64_t number : way)
      json.element([&] { add_rule_members(json, rule, number, names); });
  });
}

void add_texts(JsonLine& json, std::string_view name, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  json.array(name, [&] {
    for (const std::string& text : texts) json.element(text);
  });
}

void add_drop_members(JsonLine& json, const Packet& packet, const Drop& drop, const Names& names) {
  add_reason(json, drop.reason, names);
  const std::uint64_t location = dropping_location(drop, names);
  if (location != 0) json.member("location", names.location(location));
  add_interface(json, "interface", drop.interface, names, drop.time_ns);
  if (!drop.loss) json.member("loss", false);
  if (drop.part) add_part(json, *drop.part);
  if (drop.copy) json.member("copy", true);
  if (drop.tunnel) add_tunnel(json, "tunnel", *drop.tunnel);
  if (drop.rule) add_deciding_rule(json, *drop.rule, names);
  if (const auto explanation = explanation_of(packet, drop, names))
    add_explanation(json, *explanation);
  add_stack(json, "stack", drop, names);
}

/// The losses of copies, each of them once.
std::vector<const Drop*> copy_drops(const Packet& packet) {
  std::vector<const Drop*> drops;
  for (const Drop& drop : packet.drops) {
    if (drop.copy) drops.push_back(&drop);
  }
  if (drops.empty() && packet.drop && packet.drop->copy) drops.push_back(&*packet.drop);
  return drops;
}

}  // namespace

void add_explanation(JsonLine& json, const Explanation& explanation) {
  json.member("cause", explanation.cause);
  add_if_known(json, "explanation", explanation.sentence);
  add_texts(json, "evidence", explanation.evidence);
  add_texts(json, "fix", explanation.fix);
}

std::string_view part_kind_name(Part::Kind kind) {
  return kind == Part::Kind::kSegment ? "segment" : "fragment";
}

void add_node_name(JsonLine& json, const Names& names) {
  add_if_known(json, "node_name", names.node_name);
}

void add_flow(JsonLine& json, std::string_view name, const dpt_flow& flow, const Names& names,
              std::uint64_t at_ns, bool retransmission) {
  if (flow.family != 4 && flow.family != 6) return;
  json.object(name, [&] {
    json.member("family", flow.family == 4 ? "ipv4" : "ipv6");
    add_protocol(json, flow.protocol);
    add_end(json, flow, true, names, at_ns);
    add_end(json, flow, false, names, at_ns);
    const bool whole_header = fragment_offset(flow) == 0;
    if (whole_header && flow.protocol == IPPROTO_TCP) add_tcp(json, flow, retransmission);
    if (whole_header && is_icmp(flow.protocol)) add_icmp(json, flow);
    if (flow.ip_id != 0) json.member("ip_id", flow.ip_id);
    if (!whole_header || more_fragments(flow)) add_fragment(json, flow);
  });
}

void add_tunnel(JsonLine& json, std::string_view name, const dpt_tunnel& tunnel) {
  json.object(name, [&] {
    add_if_known(json, "kind", tunnel_name(tunnel.kind));
    // The key of GRE is optional, so 0 more likely means that there is none.
    const bool has_id =
        tunnel.kind == DPT_TUNNEL_GRE ? tunnel.id != 0 : tunnel.kind != DPT_TUNNEL_IPIP;
    if (has_id) json.member("id", tunnel.id);
    json.member("source", Address(tunnel.source).text());
    json.member("destination", Address(tunnel.destination).text());
  });
}

void add_netfilter(JsonLine& json, std::string_view name, const NetfilterVerdict& netfilter,
                   const Names& names) {
  json.object(name, [&] {
    add_if_known(json, "family", netfilter_family(netfilter.family));
    add_if_known(json, "hook", netfilter_hook(netfilter.family, netfilter.hook));
    json.member("verdict", netfilter_verdict(netfilter.result));
    add_if_known(json, "function", names.function(netfilter.function));
  });
}

void add_interface(JsonLine& json, std::string_view name, InterfaceId id, const Names& names,
                   std::uint64_t at_ns) {
  const Interface* interface = names.interface(id, at_ns);
  if (interface == nullptr && id.index == 0 && id.netns == 0) return;
  json.object(name, [&] {
    if (interface != nullptr) json.member("name", interface->name);
    if (id.index != 0) json.member("index", id.index);
    if (interface != nullptr) {
      add_if_known(json, "kind", interface->kind);
      json.member("role", role_name(interface->role));
    }
    if (id.netns != 0) json.member("netns", std::to_string(id.netns));
    add_if_known(json, "pod", names.pod_of(id, at_ns));
  });
}

void add_reason(JsonLine& json, const std::optional<std::uint32_t>& reason, const Names& names) {
  if (!reason) return;
  const auto name = names.reasons.find(*reason);
  if (name != names.reasons.end()) json.member("reason", name->second);
  json.member("reason_code", *reason);
}

void add_drop(JsonLine& json, std::string_view name, const Packet& packet, const Drop& drop,
              const Names& names) {
  json.object(name, [&] { add_drop_members(json, packet, drop, names); });
}

void add_drops(JsonLine& json, const Packet& packet, const Names& names) {
  if (packet.drops.empty()) return;
  json.array("drops", [&] {
    for (const Drop& drop : packet.drops) {
      json.element([&] {
        json.member("offset_ns", static_cast<std::int64_t>(drop.time_ns - packet.start_ns()));
        add_drop_members(json, packet, drop, names);
      });
    }
  });
}

void add_copies(JsonLine& json, const Packet& packet, const Names& names) {
  if (packet.copies.empty()) return;
  std::vector<const Drop*> drops = copy_drops(packet);
  json.array("copies", [&] {
    for (const Copy& copy : packet.copies) {
      json.element([&] {
        add_interface(json, "interface", copy.interface, names, packet.end_ns());
        json.member("verdict", verdict_name(copy.verdict));
        if (copy.verdict != Verdict::kDropped) return;
        const auto drop = std::find_if(drops.begin(), drops.end(), [&](const Drop* candidate) {
          return candidate->interface == copy.interface;
        });
        if (drop == drops.end()) return;
        add_drop(json, "drop", packet, **drop, names);
        drops.erase(drop);
      });
    }
  });
}

void add_stack(JsonLine& json, std::string_view name, const Drop& drop, const Names& names) {
  const auto stack = dropping_stack(drop, names);
  if (stack.empty()) return;
  json.array(name, [&] {
    for (const std::uint64_t address : stack) {
      const std::string function = names.function(address);
      json.element(function.empty() ? names.location(address) : function);
    }
  });
}

void add_time(JsonLine& json, std::string_view name, std::uint64_t time_ns, TimeText& clock,
              const Names& names) {
  Buffer text;
  clock.append_to(text, static_cast<std::int64_t>(time_ns) + names.wall_clock_offset_ns);
  json.member(name, view(text));
}

}  // namespace dptrace
