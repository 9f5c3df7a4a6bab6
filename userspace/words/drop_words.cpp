#include "words/drop_words.hpp"

#include <netinet/in.h>

#include <array>
#include <ctime>

#include "model/flow.hpp"
#include "words/drop_sites.hpp"
#include "words/flow_words.hpp"
#include "words/netns_command.hpp"
#include "words/protocol_words.hpp"
#include "words/verdict_words.hpp"

namespace dptrace {

namespace {

constexpr std::uint16_t kArp = 0x0806;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::tm local_time(std::uint64_t time_ns, const Names& names) {
  const auto wall = static_cast<std::int64_t>(time_ns) + names.wall_clock_offset_ns;
  const auto second = static_cast<std::time_t>(wall / kNsPerSecond);
  std::tm fields{};
  localtime_r(&second, &fields);
  return fields;
}

std::string formatted(const std::tm& time, const char* format) {
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &time)};
}

bool reason_says_nothing(const DropKind& kind, const Names& names) {
  if (!kind.reason) return true;
  const auto name = names.reasons.find(*kind.reason);
  return name != names.reasons.end() && name->second == "NOT_SPECIFIED";
}

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

void append_drop_interface(Buffer& out, InterfaceId id, const Names& names, const View& view) {
  const std::size_t begin = out.size();
  append_interface(out, id, names, view);
  if (out.size() == begin) append(out, "no interface");
}

void append_drop_pod(Buffer& out, const Address& address, const Names& names, std::uint64_t at_ns) {
  const auto pod = names.pod_of_address(address, at_ns);
  if (!pod.empty()) {
    append_name(out, pod);
  } else {
    append_address(out, address.bytes);
  }
}

std::optional<Explanation> explanation_of(const DropRow& row, const Names& names) {
  if (row.explanation == nullptr) return {};
  Explanation explanation = *row.explanation;
  const std::uint32_t netns =
      explanation.fix_netns != 0 ? explanation.fix_netns : row.kind.interface.netns;
  enter(explanation.fix, netns, row.named_at_ns(), names);
  return explanation;
}

std::string_view proved_cause(const DropRow& row) {
  if (row.explanation == nullptr || row.explanation->cause == "unknown") return {};
  return row.explanation->cause;
}

std::string drop_site_words(const DropRow& row, const Names& names) {
  if (!row.is_loss() || row.kind.folded || !reason_says_nothing(row.kind, names)) return {};
  const std::string function = names.function(row.kind.location);
  const std::string_view sentence = drop_site(function);
  return sentence.empty() ? std::string() : fmt::format("{}: {}", function, sentence);
}

std::string time_words(std::uint64_t time_ns, std::uint64_t now_ns, const Names& names) {
  const std::tm then = local_time(time_ns, names), now = local_time(now_ns, names);
  const bool today = then.tm_yday == now.tm_yday && then.tm_year == now.tm_year;
  return formatted(then, today ? "%H:%M:%S" : "%b %d");
}

std::string date_words(std::uint64_t time_ns, const Names& names) {
  return formatted(local_time(time_ns, names), "%F %T");
}

std::string size_words(std::uint64_t bytes) {
  constexpr std::string_view kUnits = "KMGTPE";
  if (bytes < 1024) return fmt::format("{}", bytes);
  auto value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f}{}", value, kUnits[unit]);
}

std::string rate_words(double rate) {
  return rate >= 1e6 ? fmt::format("{:.3g}M", rate / 1e6) : fmt::format("{:.1f}", rate);
}

}  // namespace dptrace
