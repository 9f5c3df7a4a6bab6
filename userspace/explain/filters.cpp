// Causes of filters: a tc filter or a BPF program of a device's drops the packet.
#include "explain/filters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "attach/filter_dump.hpp"
#include "explain/cause.hpp"
#include "explain/links.hpp"
#include "model/foreign.hpp"
#include "model/shell_word.hpp"
#include "node/state/bpf_program.hpp"
#include "node/state/queue.hpp"

namespace dptrace {

namespace {

// ---- tc-filter

bool at_ingress(const DropFacts& drop) {
  return drop.reason == "TC_INGRESS" || (!drop.has_reasons && drop.by("__netif_receive_skb_core"));
}

// A queue, or a device that is down, frees lists.
bool at_egress(const DropFacts& drop) {
  return drop.reason == "TC_EGRESS" ||
         (!drop.has_reasons && !drop.listed && drop.by("__dev_queue_xmit"));
}

bool may_be_filtered(const DropFacts& drop) {
  return drop.device != 0 && (at_ingress(drop) || at_egress(drop));
}

/// Something at a device's hook that may have dropped the packet.
struct Candidate {
  std::string text;        // with all that tells it from others
  std::string_view agent;  // it belongs to; empty: none that is known
  std::string removal;     // empty: no command is certain to remove it, and nothing else
};

// The hash tables of u32 are listed as if they were filters.
bool is_table(const TcFilter& filter) {
  return filter.kind == "u32" && (filter.handle & 0xfff) == 0;
}

bool is_own(const TcFilter& filter) {
  return filter.kind == "bpf" && filter.program.starts_with(kOwnPrograms);
}

Candidate candidate_of(const TcFilter& filter, std::string_view place, const std::string& device,
                       bool alone) {
  Candidate candidate;
  const std::string kind = clean_name(filter.kind), program = clean_name(filter.program);
  candidate.text = fmt::format("tc filter at {} of {}: pref {} {} handle {:#x}", place, device,
                               filter.priority, kind, filter.handle);
  if (!program.empty()) candidate.text += fmt::format(" {}", program);
  if (filter.program_id != 0) candidate.text += fmt::format(" (program {})", filter.program_id);
  candidate.agent = agent_of_program(program);
  // The filters of a block are other devices', too. Another chain is left to whoever wrote it.
  if (alone && !filter.shared && filter.chain == 0)
    candidate.removal =
        fmt::format("tc filter del dev {} {} pref {}", shell_word(device), place, filter.priority);
  return candidate;
}

// An egress hook is of clsact only; the older kind answers for it with its ingress.
bool has_hook(std::uint32_t device, bool ingress) {
  const auto queues = read_queues(device);
  return queues && std::ranges::any_of(*queues, [&](const Queue& queue) {
           return queue.kind == "clsact" || (ingress && queue.kind == "ingress");
         });
}

/// A hook of a device's at which tc filters and programs are.
struct TcHook {
  std::uint32_t index;
  std::string device;
  bool ingress;
};

bool add_filters(const TcHook& hook, std::vector<Candidate>& candidates) {
  const auto& [index, device, ingress] = hook;
  if (!has_hook(index, ingress)) return true;
  auto filters = dump_filters(index, ingress ? TcDirection::kIngress : TcDirection::kEgress);
  if (!filters) return false;
  const auto priority_is_shared = [&](const TcFilter& filter) {
    return std::ranges::count(*filters, filter.priority, &TcFilter::priority) > 1;
  };
  std::erase_if(*filters, [](const TcFilter& filter) { return is_table(filter); });
  for (const TcFilter& filter : *filters) {
    if (is_own(filter)) continue;
    candidates.push_back(
        candidate_of(filter, ingress ? "ingress" : "egress", device, !priority_is_shared(filter)));
  }
  return true;
}

bool add_tcx_programs(const TcHook& hook, std::vector<Candidate>& candidates) {
  const auto& [index, device, ingress] = hook;
  const auto programs =
      tcx_programs(index, ingress ? TcxDirection::kIngress : TcxDirection::kEgress);
  if (!programs) return false;
  for (const std::uint32_t id : *programs) {
    const auto name = bpf_program_name(id);
    // It may be our own.
    if (!name) return false;
    if (name->starts_with(kOwnPrograms)) continue;
    candidates.push_back({fmt::format("tcx {} of {}: program {} {}", ingress ? "ingress" : "egress",
                                      device, id, *name),
                          agent_of_program(*name),
                          {}});
  }
  return true;
}

// All that is there but our own; nothing when that is not known.
std::optional<std::vector<Candidate>> others_at(const TcHook& hook) {
  std::vector<Candidate> candidates;
  if (!add_filters(hook, candidates) || !add_tcx_programs(hook, candidates)) return {};
  return candidates;
}

// A kernel without reasons also drops here what comes by the idle ports of a bond.
bool is_of_bond(std::uint32_t device) {
  const auto links = read_links(kMostLinks);
  if (!links) return true;
  const Link* link = find_link(*links, device);
  const Link* master = link == nullptr ? nullptr : find_link(*links, link->master);
  return link == nullptr || (master != nullptr && master->kind != "bridge");
}

std::optional<Explanation> prove_filtered(const DropFacts& drop) {
  constexpr std::size_t kShown = 4;
  if (!drop.has_reasons && is_of_bond(drop.device)) return {};
  const std::string device = device_name(drop.device);
  const auto candidates = others_at({drop.device, device, at_ingress(drop)});
  if (!candidates || candidates->empty()) return {};
  const std::string_view place = at_ingress(drop) ? "ingress" : "egress";
  Explanation explanation;
  const Candidate& first = candidates->front();
  if (candidates->size() == 1) {
    explanation.sentence = fmt::format("the tc filter at the {} of {} drops it", place, device);
    if (!first.agent.empty())
      explanation.sentence += fmt::format("; it is one of {}'s", first.agent);
    else if (!first.removal.empty())
      explanation.fix.push_back(first.removal);
  } else {
    explanation.sentence = fmt::format("one of {} tc filters at the {} of {} drops it",
                                       candidates->size(), place, device);
  }
  for (const Candidate& one : *candidates) {
    if (explanation.evidence.size() == kShown) {
      explanation.evidence.push_back(fmt::format("and {} more", candidates->size() - kShown));
      break;
    }
    explanation.evidence.push_back(one.text);
  }
  return explanation;
}

// ---- xdp-program

bool in_generic_xdp(const DropFacts& drop) {
  return drop.by("do_xdp_generic") || drop.by("netif_receive_generic_xdp");
}

bool in_veth_xdp(const DropFacts& drop) {
  return drop.by("veth_xdp_rcv_skb") || drop.by("veth_xdp_rcv") || drop.by("veth_poll");
}

// The reason XDP is that of a packet which could not be redirected.
bool may_be_xdp(const DropFacts& drop) {
  return drop.device != 0 && drop.reason.empty() && (in_generic_xdp(drop) || in_veth_xdp(drop));
}

std::optional<Explanation> prove_xdp(const DropFacts& drop) {
  const auto programs = xdp_programs(drop.device);
  if (!programs) return {};
  const bool generic = in_generic_xdp(drop);
  const std::uint32_t id = generic ? programs->generic : programs->native;
  if (id == 0) return {};
  const std::string device = device_name(drop.device);
  const std::string name = bpf_program_name(id).value_or("");
  const std::string_view mode = generic ? "xdpgeneric" : "xdpdrv";
  Explanation explanation;
  explanation.sentence = fmt::format("the XDP program of {} drops it", device);
  explanation.evidence.push_back(fmt::format("{} {}: program {} {}", device, mode, id, name));
  if (const auto agent = agent_of_program(name); !agent.empty()) {
    explanation.sentence += fmt::format("; it is one of {}'s", agent);
  } else if (is_held_by_xdp_link(id) == false) {
    explanation.fix.push_back(fmt::format("ip link set dev {} {} off", shell_word(device), mode));
  }
  return explanation;
}

constexpr std::array kCauses = {
    Cause{"tc-filter", may_be_filtered, prove_filtered},
    Cause{"xdp-program", may_be_xdp, prove_xdp},
};

}  // namespace

std::span<const Cause> filter_causes() { return kCauses; }

bool is_untouched_at_egress(std::uint32_t device) {
  const auto others = others_at({device, device_name(device), false});
  return others && others->empty();
}

}  // namespace dptrace
