#include "words/drop_words.hpp"

#include <netinet/in.h>

#include "model/flow.hpp"
#include "words/protocol_words.hpp"
#include "words/verdict_words.hpp"

namespace dptrace {

namespace {

constexpr std::uint16_t kArp = 0x0806;

}  // namespace

void append_drop_reason(Buffer& out, const DropKind& kind, const Names& names) {
  if (kind.reason) {
    append_reason(out, *kind.reason, names);
  } else {
    append(out, "no reason given");
  }
}

void append_drop_protocol(Buffer& out, const DropKind& kind) {
  if (kind.family == 0) {
    if (kind.ethertype == kArp) {
      append(out, "ARP");
    } else if (kind.ethertype != 0) {
      fmt::format_to(fmt::appender(out), "ethertype {:#06x}", kind.ethertype);
    } else {
      append(out, kind.interface.index != 0 ? "not IP" : "no packet");
    }
    return;
  }
  const ProtocolName* name = protocol_name(kind.protocol);
  if (kind.family == 6 && kind.protocol != IPPROTO_ICMPV6) append(out, "IPv6 ");
  if (name != nullptr) {
    append(out, name->words);
  } else {
    fmt::format_to(fmt::appender(out), "protocol {}", kind.protocol);
  }
  if (!is_icmp(kind.protocol)) return;
  const auto type = icmp_words(kind.protocol, kind.icmp_type, 0).type;
  if (type.empty()) {
    fmt::format_to(fmt::appender(out), " type {}", kind.icmp_type);
  } else {
    out.push_back(' ');
    append(out, type);
  }
}

std::string_view end_words(End end) {
  switch (end) {
    case End::kTaken:
      return "no loss: its protocol was done with it";
    case End::kCopy:
      return "no loss: a part or a copy";
    case End::kUnwanted:
      return "no loss: for others";
    case End::kClosed:
      return "closed by its reader";
    case End::kLoss:
      break;
  }
  return "lost";
}

std::string drop_protocol_name(const DropKind& kind) {
  if (kind.family == 0) {
    if (kind.ethertype == kArp) return "arp";
    return kind.ethertype == 0 ? std::string() : fmt::format("{:#06x}", kind.ethertype);
  }
  const ProtocolName* name = protocol_name(kind.protocol);
  return name != nullptr ? std::string(name->json) : std::to_string(kind.protocol);
}

}  // namespace dptrace
