#include "output/json_parts.hpp"

#include <string>

#include "model/drop_stack.hpp"
#include "output/flow_words.hpp"
#include "output/netfilter_words.hpp"
#include "output/protocol_words.hpp"
#include "output/style.hpp"
#include "output/time_text.hpp"

namespace dptrace {

namespace {

constexpr int kSchemaVersion = 1;

std::string protocol_text(std::uint8_t protocol) {
  const ProtocolName* name = protocol_name(protocol);
  return name != nullptr ? std::string(name->json) : std::to_string(protocol);
}

Json end_json(const dpt_flow& flow, bool source, const Names& names) {
  const Address address(source ? flow.source : flow.destination);
  Json end;
  end["ip"] = address.text();
  if (has_ports(flow.protocol) && fragment_offset(flow) == 0) {
    end["port"] = source ? flow.l4.port.source : flow.l4.port.destination;
  }
  const auto pod = names.pods.find(address);
  if (pod != names.pods.end()) end["pod"] = pod->second;
  return end;
}

Json tcp_json(const dpt_flow& flow) {
  Json tcp;
  tcp["flags"] = Json::array();
  for (const auto& flag : tcp_flags()) {
    if ((flow.tcp_flags & flag.bit) != 0) tcp["flags"].push_back(flag.name);
  }
  tcp["sequence"] = flow.sequence;
  if ((flow.tcp_flags & kTcpAck) != 0) tcp["acknowledgment"] = flow.acknowledgment;
  return tcp;
}

Json icmp_json(const dpt_flow& flow) {
  Json icmp;
  icmp["type"] = flow.l4.icmp.type;
  icmp["code"] = flow.l4.icmp.code;
  if (is_echo(flow.protocol, flow.l4.icmp.type)) {
    icmp["id"] = flow.l4.icmp.id;
    icmp["sequence"] = flow.sequence;
  }
  return icmp;
}

Json fragment_json(const dpt_flow& flow) {
  Json fragment;
  fragment["offset"] = fragment_offset(flow);
  fragment["more"] = more_fragments(flow);
  return fragment;
}

}  // namespace

Json flow_json(const dpt_flow& flow, const Names& names) {
  Json json = Json::object();
  if (flow.family != 4 && flow.family != 6) return json;
  json["family"] = flow.family == 4 ? "ipv4" : "ipv6";
  json["protocol"] = protocol_text(flow.protocol);
  json["source"] = end_json(flow, true, names);
  json["destination"] = end_json(flow, false, names);
  const bool whole_header = fragment_offset(flow) == 0;
  if (whole_header && flow.protocol == kTcp) json["tcp"] = tcp_json(flow);
  if (whole_header && (flow.protocol == kIcmp || flow.protocol == kIcmpv6)) {
    json["icmp"] = icmp_json(flow);
  }
  if (flow.ip_id != 0) json["ip_id"] = flow.ip_id;
  if (!whole_header || more_fragments(flow)) json["fragment"] = fragment_json(flow);
  return json;
}

Json tunnel_json(const dpt_tunnel& tunnel) {
  Json json;
  switch (tunnel.kind) {
    case DPT_TUNNEL_IPIP:
      json["kind"] = "ipip";
      break;
    case DPT_TUNNEL_VXLAN:
      json["kind"] = "vxlan";
      break;
    case DPT_TUNNEL_GENEVE:
      json["kind"] = "geneve";
      break;
    case DPT_TUNNEL_GRE:
      json["kind"] = "gre";
      break;
    default:
      break;
  }
  // The key of GRE is optional: 0 is more likely none.
  const bool has_id =
      tunnel.kind == DPT_TUNNEL_GRE ? tunnel.id != 0 : tunnel.kind != DPT_TUNNEL_IPIP;
  if (has_id) json["id"] = tunnel.id;
  json["source"] = Address(tunnel.source).text();
  json["destination"] = Address(tunnel.destination).text();
  return json;
}

Json netfilter_json(const NetfilterVerdict& netfilter, const Names& names) {
  Json json;
  const std::string_view family = netfilter_family(netfilter.family);
  if (!family.empty()) json["family"] = family;
  const std::string_view hook = netfilter_hook(netfilter.family, netfilter.hook);
  if (!hook.empty()) json["hook"] = hook;
  json["verdict"] = netfilter_verdict(netfilter.result);
  const std::string function = names.function(netfilter.function);
  if (!function.empty()) json["function"] = function;
  return json;
}

Json interface_json(InterfaceId id, const Names& names) {
  Json json;
  const Interface* interface = names.interface(id);
  if (interface != nullptr) json["name"] = interface->name;
  if (id.index != 0) json["index"] = id.index;
  if (interface != nullptr) {
    if (!interface->kind.empty()) json["kind"] = interface->kind;
    json["role"] = role_name(interface->role);
  }
  if (id.netns != 0) json["netns"] = std::to_string(id.netns);
  return json;
}

Json drop_json(const Drop& drop, const Names& names) {
  Json json = Json::object();
  if (drop.reason) {
    const auto name = names.reasons.find(*drop.reason);
    if (name != names.reasons.end()) json["reason"] = name->second;
    json["reason_code"] = *drop.reason;
  }
  const std::uint64_t location = dropping_location(drop, names);
  if (location != 0) json["location"] = names.location(location);
  Json interface = interface_json(drop.interface, names);
  if (!interface.is_null()) json["interface"] = std::move(interface);
  if (!drop.loss) json["loss"] = false;
  if (Json stack = stack_json(drop, names); !stack.empty()) json["stack"] = std::move(stack);
  return json;
}

Json stack_json(const Drop& drop, const Names& names) {
  Json frames = Json::array();
  for (const std::uint64_t address : dropping_stack(drop, names)) {
    const std::string function = names.function(address);
    frames.push_back(function.empty() ? names.location(address) : function);
  }
  return frames;
}

Json head_json(std::string_view type) {
  Json json;
  json["type"] = type;
  json["schema_version"] = kSchemaVersion;
  return json;
}

Json head_json(std::string_view type, const Names& names) {
  Json json = head_json(type);
  if (!names.node_name.empty()) json["node_name"] = names.node_name;
  return json;
}

std::string wall_time(std::uint64_t time_ns, const Names& names) {
  TimeText clock(TimeText::Form::kRfc3339);
  Buffer text;
  clock.append_to(text, static_cast<std::int64_t>(time_ns) + names.wall_clock_offset_ns);
  return fmt::to_string(text);
}

std::string json_line(const Json& json) {
  // Device names are bytes, not necessarily UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace dptrace
