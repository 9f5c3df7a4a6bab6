#include "words/flow_words.hpp"

#include <arpa/inet.h>

#include "model/flow.hpp"
#include "words/protocol_words.hpp"

namespace dptrace {

namespace {

constexpr std::string_view kArrow = " → ";

void append_pod(Buffer& out, const dpt_address& address, const Names& names, std::uint64_t at_ns) {
  const auto pod = names.pod_of_address(Address(address), at_ns);
  if (pod.empty()) return;
  append(out, " (");
  append_name(out, pod);
  out.push_back(')');
}

bool ports_known(const dpt_flow& flow) {
  return has_ports(flow.protocol) && fragment_offset(flow) == 0;
}

void append_end(Buffer& out, const dpt_flow& flow, bool source) {
  const dpt_address& address = source ? flow.source : flow.destination;
  if (!ports_known(flow)) return append_address(out, address);
  const bool brackets = flow.family == 6;
  if (brackets) out.push_back('[');
  append_address(out, address);
  if (brackets) out.push_back(']');
  fmt::format_to(fmt::appender(out), ":{}",
                 source ? flow.l4.port.source : flow.l4.port.destination);
}

void append_icmp(Buffer& out, const dpt_flow& flow) {
  const auto [type, code] = icmp_words(flow.protocol, flow.l4.icmp.type, flow.l4.icmp.code);
  if (type.empty()) {
    fmt::format_to(fmt::appender(out), " type {} code {}", flow.l4.icmp.type, flow.l4.icmp.code);
    return;
  }
  out.push_back(' ');
  append(out, type);
  if (!code.empty()) {
    append(out, ": ");
    append(out, code);
  } else if (flow.l4.icmp.code != 0) {
    fmt::format_to(fmt::appender(out), " code {}", flow.l4.icmp.code);
  }
}

void append_protocol(Buffer& out, const dpt_flow& flow) {
  const ProtocolName* name = protocol_name(flow.protocol);
  if (name != nullptr) {
    append(out, name->words);
  } else {
    fmt::format_to(fmt::appender(out), "IP protocol {}", flow.protocol);
  }
  if (fragment_offset(flow) > 0) {
    fmt::format_to(fmt::appender(out), " fragment at {}", fragment_offset(flow));
  } else if (is_icmp(flow.protocol)) {
    append_icmp(out, flow);
  }
}

void append_details(Buffer& out, const dpt_flow& flow) {
  const std::uint32_t offset = fragment_offset(flow);
  if (offset == 0 && flow.protocol == IPPROTO_TCP) {
    for (const auto& flag : tcp_flags()) {
      if ((flow.tcp_flags & flag.bit) == 0) continue;
      out.push_back(' ');
      append(out, flag.name);
    }
    fmt::format_to(fmt::appender(out), " seq {}", flow.sequence);
    if ((flow.tcp_flags & kTcpAck) != 0) {
      fmt::format_to(fmt::appender(out), " ack {}", flow.acknowledgment);
    }
  }
  if (offset == 0 && is_echo(flow.protocol, flow.l4.icmp.type)) {
    fmt::format_to(fmt::appender(out), " id {} seq {}", flow.l4.icmp.id, flow.sequence);
  }
  if (offset > 0 || more_fragments(flow)) {
    if (offset == 0) append(out, ", first fragment");
    if (flow.ip_id != 0) fmt::format_to(fmt::appender(out), ", IP id {}", flow.ip_id);
  }
  fmt::format_to(fmt::appender(out), ", {} bytes", flow.length);
}

}  // namespace

void append_address(Buffer& out, const dpt_address& address) {
  const auto& b = address.bytes;
  if (Address(address).is_ipv4()) {
    fmt::format_to(fmt::appender(out), "{}.{}.{}.{}", b[12], b[13], b[14], b[15]);
    return;
  }
  char text[INET6_ADDRSTRLEN];
  if (inet_ntop(AF_INET6, b, text, sizeof text) != nullptr) append(out, text);
}

void append_new_tuple(Buffer& out, const dpt_flow& flow, const dpt_flow* before, const Names& names,
                      std::uint64_t at_ns) {
  const auto is_new = [&](const dpt_address& address) {
    return before == nullptr || (Address(address) != Address(before->source) &&
                                 Address(address) != Address(before->destination));
  };
  append_end(out, flow, true);
  if (is_new(flow.source)) append_pod(out, flow.source, names, at_ns);
  append(out, kArrow);
  append_end(out, flow, false);
  if (is_new(flow.destination)) append_pod(out, flow.destination, names, at_ns);
  if (is_echo(flow.protocol, flow.l4.icmp.type) &&
      (before == nullptr || before->l4.icmp.id != flow.l4.icmp.id)) {
    fmt::format_to(fmt::appender(out), " id {}", flow.l4.icmp.id);
  }
}

void write_flow(FlowWords& words, const dpt_flow& flow, const Names& names, std::uint64_t at_ns) {
  words.text.clear();
  if (flow.family != 4 && flow.family != 6) {
    fmt::format_to(fmt::appender(words.text), "packet without a readable IP header, {} bytes",
                   flow.length);
    words.destination = words.details = words.text.size();
    return;
  }
  append_protocol(words.text, flow);
  words.text.push_back(' ');
  append_end(words.text, flow, true);
  append_pod(words.text, flow.source, names, at_ns);
  words.destination = words.text.size();
  append(words.text, kArrow);
  append_end(words.text, flow, false);
  append_pod(words.text, flow.destination, names, at_ns);
  words.details = words.text.size();
  append_details(words.text, flow);
}

std::string_view tunnel_word(std::uint8_t kind) {
  switch (kind) {
    case DPT_TUNNEL_IPIP:
      return "IPIP";
    case DPT_TUNNEL_VXLAN:
      return "VXLAN";
    case DPT_TUNNEL_GENEVE:
      return "Geneve";
    case DPT_TUNNEL_GRE:
      return "GRE";
    default:
      return "tunnel";
  }
}

void append_tunnel(Buffer& out, const dpt_tunnel& tunnel) {
  append(out, tunnel_word(tunnel.kind));
  if (tunnel.kind == DPT_TUNNEL_VXLAN || tunnel.kind == DPT_TUNNEL_GENEVE) {
    fmt::format_to(fmt::appender(out), " id {}", tunnel.id);
  } else if (tunnel.kind == DPT_TUNNEL_GRE && tunnel.id != 0) {
    fmt::format_to(fmt::appender(out), " key {}", tunnel.id);
  }
  out.push_back(' ');
  append_address(out, tunnel.source);
  append(out, kArrow);
  append_address(out, tunnel.destination);
}

}  // namespace dptrace
