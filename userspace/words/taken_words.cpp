#include "words/taken_words.hpp"

#include <linux/netfilter.h>

#include <algorithm>
#include <array>
#include <string>

#include "verdict/drop_stack.hpp"
#include "words/hook_owner.hpp"
#include "words/hop_words.hpp"
#include "words/protocol_words.hpp"

namespace dptrace {

namespace {

constexpr std::array<std::string_view, 3> kReassembling = {"ipv4_conntrack_defrag", "ipv6_defrag",
                                                           "nf_ct_frag6_gather"};

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool runs_rules(std::string_view function) {
  const HookOwner* owner = hook_owner(function);
  return owner != nullptr && owner->runs_rules;
}

// NFQUEUE works only in these families. In the netdev family a rule that takes a packet sends it
// elsewhere.
bool has_queues(std::uint8_t family) {
  return family == NFPROTO_INET || family == NFPROTO_IPV4 || family == NFPROTO_IPV6 ||
         family == NFPROTO_BRIDGE;
}

// SYNPROXY takes handshakes, and works at these two hooks only.
bool may_be_synproxy(const Hop& hop) {
  const bool may_be_tcp = hop.flow.family == 0 || hop.flow.protocol == IPPROTO_TCP;
  const std::uint8_t hook = hop.netfilter->hook;
  return may_be_tcp && (hook == NF_INET_LOCAL_IN || hook == NF_INET_FORWARD);
}

std::string function_of(const NetfilterVerdict& netfilter, const Names& names) {
  const std::string function = names.function(netfilter.function);
  return function.empty() ? names.location(netfilter.function) : function;
}

bool is_transmit(const Hop& hop) {
  return hop.point == DPT_POINT_TC_EGRESS || hop.point == DPT_POINT_DEVICE_TRANSMIT;
}

void append_place(Buffer& out, const Hop& hop, const Names& names, const View& view) {
  append(out, " at ");
  const std::size_t name = out.size();
  append_interface(out, hop.interface, names, view);
  if (out.size() == name) out.resize(name - 4);
}

void append_hook_taker(Buffer& out, const Hop& last, const Names& names, const View& view,
                       const Paint& paint) {
  switch (taker_of(last, names)) {
    case Taker::kQueue:
      paint.text(out, Style::kWarn, "queued");
      append(out, " to user space (NFQUEUE) by ");
      break;
    case Taker::kRule:
      paint.text(out, Style::kWarn, "queued");
      append(out, " to user space (NFQUEUE), or answered by SYNPROXY, by ");
      break;
    case Taker::kReassembly:
      paint.text(out, Style::kWarn, "kept");
      append(out, " for reassembly by ");
      break;
    case Taker::kOther:
      paint.text(out, Style::kWarn, "taken over");
      append(out, " by ");
      append_name(out, function_of(*last.netfilter, names));
      append(out, ", ");
      break;
    case Taker::kUnknown:
      paint.text(out, Style::kWarn, "stolen");
      append(out, " by ");
      append_hook(out, *last.netfilter);
      append(out, " (queued to user space or kept by the hook)");
      append_place(out, last, names, view);
      return;
  }
  append_hook(out, *last.netfilter);
  append_place(out, last, names, view);
}

void append_device_taker(Buffer& out, const Hop& last, const Names& names, const View& view,
                         const Paint& paint) {
  const Interface* interface = names.interface(last.interface, last.time_ns);
  if (last.point == DPT_POINT_ENCAPSULATE) {
    paint.text(out, Style::kWarn, "encrypted");
    append(out, " by IPsec");
    append_place(out, last, names, view);
    return;
  }
  paint.text(out, Style::kWarn, "stolen");
  if (is_transmit(last) && interface != nullptr && is_encrypting(interface->kind)) {
    append(out, " by ");
    append_interface(out, last.interface, names, view);
    append(out, ", encrypted there,");
  } else {
    append(out, ": taken over by another layer");
    append_place(out, last, names, view);
  }
}

}  // namespace

Taker taker_of(const Hop& hop, const Names& names) {
  const NetfilterVerdict& netfilter = *hop.netfilter;
  const std::string function = names.function(netfilter.function);
  if (function.empty()) return Taker::kUnknown;
  if (is_one_of(source_name(function), kReassembling)) return Taker::kReassembly;
  if (!runs_rules(function) || !has_queues(netfilter.family)) return Taker::kOther;
  return may_be_synproxy(hop) ? Taker::kRule : Taker::kQueue;
}

void append_taker(Buffer& out, const Hop& hop, const Names& names, const Paint& paint) {
  const auto words = [](Taker taker) -> std::string_view {
    switch (taker) {
      case Taker::kQueue:
        return "handed to NFQUEUE";
      case Taker::kRule:
        return "handed to NFQUEUE or SYNPROXY";
      case Taker::kReassembly:
        return "kept for reassembly";
      case Taker::kOther:
        return "taken over";
      case Taker::kUnknown:
        break;
    }
    return "stolen or queued";
  };
  paint.text(out, Style::kWarn, words(taker_of(hop, names)));
  if (hop.netfilter->function == 0) return;
  append(out, " by ");
  append_name(out, function_of(*hop.netfilter, names));
}

void append_stolen(Buffer& out, const Packet& packet, const Names& names, const Paint& paint,
                   bool verbose) {
  const Hop& last = packet.hops.back();
  const View view = view_of(packet, last.time_ns, names);
  if (packet.merged_into != 0) {
    paint.text(out, Style::kWarn, "merged");
    append(out, " by GRO into an earlier packet of the flow");
    if (verbose) fmt::format_to(fmt::appender(out), " [packet {:x}]", packet.merged_into);
    append_place(out, last, names, view);
  } else if (last.netfilter && last.netfilter->result == 0) {
    append_hook_taker(out, last, names, view, paint);
  } else {
    append_device_taker(out, last, names, view, paint);
  }
}

}  // namespace dptrace
