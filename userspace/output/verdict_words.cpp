#include "output/verdict_words.hpp"

#include "model/drop_stack.hpp"
#include "output/drop_sites.hpp"
#include "output/hop_words.hpp"
#include "output/time_text.hpp"

namespace dptrace {

namespace {

constexpr std::string_view kIndent = "  ";
constexpr std::string_view kMoreIndent = "    ";

void append_place(Buffer& out, std::string_view word, InterfaceId id, const Names& names) {
  const std::size_t start = out.size();
  out.push_back(' ');
  append(out, word);
  out.push_back(' ');
  const std::size_t name = out.size();
  append_interface(out, id, names);
  if (out.size() == name) out.resize(start);
}

/// `: IP_INADDRERRORS in ip_error+0x7e`.
void append_why(Buffer& out, const Drop& drop, const Names& names) {
  if (drop.reason) {
    append(out, ": ");
    append_reason(out, *drop.reason, names);
  }
  const std::uint64_t location = dropping_location(drop, names);
  if (location == 0) return;
  append(out, " in ");
  append(out, names.location(location));
}

bool reason_says_nothing(const Drop& drop, const Names& names) {
  if (!drop.reason) return true;
  const auto name = names.reasons.find(*drop.reason);
  return name != names.reasons.end() && name->second == "NOT_SPECIFIED";
}

void append_drop_details(Buffer& out, const Drop& drop, const Names& names, const Paint& paint,
                         bool verbose) {
  if (reason_says_nothing(drop, names)) {
    const std::string function = names.function(dropping_location(drop, names));
    const std::string_view sentence = drop_site(function);
    if (!sentence.empty()) {
      append(out, kMoreIndent);
      append(out, function);
      append(out, ": ");
      append(out, sentence);
      out.push_back('\n');
    }
  }
  if (!verbose) return;
  for (const std::uint64_t address : dropping_stack(drop, names)) {
    append(out, kMoreIndent);
    paint.text(out, Style::kDim, "at ");
    append(out, names.location(address));
    out.push_back('\n');
  }
}

void append_drop(Buffer& out, const Packet& packet, const Names& names, const Paint& paint) {
  const Drop& drop = *packet.drop;
  if (drop.loss) {
    paint.text(out, Style::kBad, "DROPPED");
  } else {
    append(out, "freed, no loss,");
  }
  append_place(out, "at", drop.interface, names);
  append_why(out, drop, names);
  append(out, ", after ");
  append_duration(out, packet.duration_ns());
}

void append_unfinished(Buffer& out, const Packet& packet, const Names& names, const Paint& paint) {
  const Hop& last = packet.hops.back();
  paint.text(out, Style::kWarn, "unfinished");
  append(out, ": last seen");
  append_place(out, "at", last.interface, names);
  append(out, ", ");
  append_event(out, {&last, 1}, names, paint);
  append(out, ", after ");
  append_duration(out, packet.duration_ns());
}

void append_stolen(Buffer& out, const Packet& packet, const Names& names, const Paint& paint,
                   bool verbose) {
  const Hop& last = packet.hops.back();
  if (packet.merged_into != 0) {
    paint.text(out, Style::kWarn, "merged");
    append(out, " by GRO into an earlier packet of the flow");
    if (verbose) fmt::format_to(fmt::appender(out), " [packet {:x}]", packet.merged_into);
  } else if (last.netfilter && last.netfilter->result == 0) {
    paint.text(out, Style::kWarn, "stolen");
    append(out, " by ");
    append_hook(out, *last.netfilter);
    append(out, " (queued to user space or kept by the hook)");
  } else {
    paint.text(out, Style::kWarn, "stolen");
    append(out, ": taken over by another layer");
  }
  append_place(out, "at", last.interface, names);
  append(out, " after ");
  append_duration(out, packet.duration_ns());
}

void append_end(Buffer& out, const Packet& packet, const Names& names, const Paint& paint,
                bool verbose) {
  switch (packet.verdict) {
    case Verdict::kDelivered:
      paint.text(out, Style::kGood, "delivered");
      append(out, " in ");
      append_duration(out, packet.duration_ns());
      return;
    case Verdict::kLeftNode:
      paint.text(out, Style::kGood, "left the node");
      append_place(out, "by", packet.hops.back().interface, names);
      append(out, " after ");
      append_duration(out, packet.duration_ns());
      return;
    case Verdict::kDropped:
      if (packet.drop) return append_drop(out, packet, names, paint);
      paint.text(out, Style::kBad, "DROPPED");
      append_place(out, "at", packet.hops.back().interface, names);
      return;
    case Verdict::kStolen:
      return append_stolen(out, packet, names, paint, verbose);
    case Verdict::kUnfinished:
      return append_unfinished(out, packet, names, paint);
  }
}

}  // namespace

void append_reason(Buffer& out, std::uint32_t reason, const Names& names) {
  const auto name = names.reasons.find(reason);
  if (name == names.reasons.end()) {
    fmt::format_to(fmt::appender(out), "reason {:#x}", reason);
  } else {
    append(out, name->second);
  }
}

void append_verdict(Buffer& out, const Packet& packet, const Names& names, const Paint& paint,
                    bool verbose) {
  append(out, kIndent);
  append_end(out, packet, names, paint, verbose);
  if (packet.segments > 0) {
    fmt::format_to(fmt::appender(out), ", with {} more {}", packet.segments,
                   packet.segments == 1 ? "part" : "parts");
  }
  out.push_back('\n');
  if (!packet.drop) return;
  if (packet.verdict != Verdict::kDropped) {
    append(out, kIndent);
    append_drop(out, packet, names, paint);
    out.push_back('\n');
  }
  append_drop_details(out, *packet.drop, names, paint, verbose);
}

}  // namespace dptrace
