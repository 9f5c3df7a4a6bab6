#include "words/loss_words.hpp"

#include <algorithm>

#include "verdict/drop_stack.hpp"
#include "words/cause_words.hpp"
#include "words/drop_sites.hpp"
#include "words/flow_words.hpp"
#include "words/lost_parts.hpp"
#include "words/rule_words.hpp"
#include "words/verdict_words.hpp"

namespace dptrace {

namespace {

constexpr std::string_view kIndent = "  ";
constexpr std::string_view kMoreIndent = "    ";

/// `: IP_INADDRERRORS in ip_error+0x7e`.
void append_why(Buffer& out, const Drop& drop, const Names& names) {
  if (drop.reason) {
    append(out, ": ");
    append_reason(out, *drop.reason, names);
  }
  const std::uint64_t location = dropping_location(drop, names);
  if (location == 0) return;
  append(out, " in ");
  append_name(out, names.location(location));
}

bool reason_says_nothing(const Drop& drop, const Names& names) {
  if (!drop.reason) return true;
  const auto name = names.reasons.find(*drop.reason);
  return name != names.reasons.end() && name->second == "NOT_SPECIFIED";
}

void append_copies(Buffer& out, const LossGroup& group) {
  if (group.drops.size() == 1) {
    append(out, " a copy");
  } else {
    fmt::format_to(fmt::appender(out), " {} copies", group.drops.size());
  }
}

/// The hop that the drop is, and the hop before it; null when there is none.
struct Ending {
  const Hop* hop = nullptr;
  const Hop* before = nullptr;
};

Ending ending_of(const Packet& packet, const Drop& drop) {
  Ending ending;
  for (const Hop& hop : packet.hops) {
    if (hop.point == DPT_POINT_DROP && hop.time_ns == drop.time_ns) {
      ending.hop = &hop;
      return ending;
    }
    ending.before = &hop;
  }
  return {};
}

// Returns the hook function that dropped the packet; 0: none, not known, or not provably of this
// drop.
std::uint64_t dropping_hook_function(const Packet& packet, const Drop& drop) {
  const auto drops_here = [](const Hop& hop) { return hop.netfilter && hop.netfilter->result < 0; };
  const auto& hops = packet.hops;
  const auto first = std::find_if(hops.begin(), hops.end(), drops_here);
  if (first == hops.end() || !packet.drops.empty() ||
      std::any_of(std::next(first), hops.end(), drops_here))
    return 0;
  const Hop* end = ending_of(packet, drop).hop;
  return end == nullptr || end->skb == first->skb ? first->netfilter->function : 0;
}

void append_group(Buffer& out, const LossGroup& group, const Packet& packet, const Names& names) {
  const Drop& drop = group.first();
  append_place(out, "at", drop.interface, names, view_of(packet, drop.time_ns, names));
  // A translation between the last hook that was seen and the drop is told here or nowhere.
  const auto [hop, before] = ending_of(packet, drop);
  if (hop != nullptr && before != nullptr && is_translated(*hop, before)) {
    append(out, ", now ");
    append_new_tuple(out, hop->flow, &before->flow, names, hop->time_ns);
  }
  if (drop.tunnel) {
    append(out, ", in ");
    append_tunnel(out, *drop.tunnel);
  }
  append_why(out, drop, names);
  append_lost_parts(out, group, packet);
}

}  // namespace

void append_place(Buffer& out, std::string_view word, InterfaceId id, const Names& names,
                  const View& view) {
  const std::size_t start = out.size();
  out.push_back(' ');
  append(out, word);
  out.push_back(' ');
  const std::size_t name = out.size();
  append_interface(out, id, names, view);
  if (out.size() == name) out.resize(start);
}

void append_drop_details(Buffer& out, const Packet& packet, const Drop& drop, const Names& names,
                         const Paint& paint, bool verbose) {
  if (reason_says_nothing(drop, names) && !is_explained(drop, names)) {
    const std::string function = names.function(dropping_location(drop, names));
    const std::string_view sentence = drop_site(function);
    if (!sentence.empty()) {
      append(out, kMoreIndent);
      append_name(out, function);
      append(out, ": ");
      append(out, sentence);
      out.push_back('\n');
    }
  }
  if (drop.rule) {
    append_rule(out, *drop.rule, names, paint);
  } else if (const std::uint64_t function = dropping_hook_function(packet, drop); function != 0) {
    append_hook_owner(out, names.function(function), paint);
  }
  append_cause(out, packet, drop, names, paint);
  if (!verbose) return;
  for (const std::uint64_t address : dropping_stack(drop, names)) {
    append(out, kMoreIndent);
    paint.text(out, Style::kDim, "at ");
    append_name(out, names.location(address));
    out.push_back('\n');
  }
}

void append_drop(Buffer& out, const Packet& packet, const Names& names, const Paint& paint) {
  const LossGroup group = loss_groups(packet).front();
  if (group.first().loss) {
    paint.text(out, Style::kBad, "DROPPED");
  } else {
    append(out, "freed, no loss,");
  }
  if (group.first().copy && group.drops.size() > 1) append_copies(out, group);
  append_group(out, group, packet, names);
}

void append_other_losses(Buffer& out, const Packet& packet, const Names& names, const Paint& paint,
                         bool verbose) {
  for (const LossGroup& group : loss_groups(packet)) {
    if (group.decides) continue;
    const Drop& drop = group.first();
    append(out, kIndent);
    if (drop.loss) {
      paint.text(out, Style::kBad, drop.copy ? "DROPPED" : "also DROPPED");
    } else {
      append(out, "freed, no loss,");
    }
    if (drop.copy) append_copies(out, group);
    append_group(out, group, packet, names);
    out.push_back('\n');
    append_drop_details(out, packet, drop, names, paint, verbose);
  }
}

bool is_told_as_loss(const Packet& packet, const Hop& hop) {
  if (hop.point != DPT_POINT_DROP) return false;
  const auto is_it = [&](const Drop& drop) { return drop.time_ns == hop.time_ns; };
  return (packet.drop && is_it(*packet.drop)) ||
         std::any_of(packet.drops.begin(), packet.drops.end(), is_it);
}

}  // namespace dptrace
