#include "verdict/verdict.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "verdict/drop_stack.hpp"
#include "verdict/mirror.hpp"

namespace dptrace {

namespace {

// Devices of these kinds send packets off the node, or to a process or a virtual machine.
constexpr std::array<std::string_view, 6> kLeavingKinds = {"device", "tun",       "macvtap",
                                                           "ipvtap", "virt_wifi", "wwan"};

bool is_leaving(std::string_view kind) {
  return std::find(kLeavingKinds.begin(), kLeavingKinds.end(), kind) != kLeavingKinds.end();
}

template <typename IsOne>
bool was_given_to(const Branch& branch, IsOne is_one, const Names& names) {
  if (branch.last_point != DPT_POINT_TC_EGRESS && branch.last_point != DPT_POINT_DEVICE_TRANSMIT)
    return false;
  const Interface* interface = names.interface(branch.last, branch.last_ns);
  return interface != nullptr && is_one(interface->kind);
}

// True when the same bytes went on in another skb, and this one was not seen since.
bool went_on(const Live& live, std::size_t index, const Range& range) {
  const Branch& branch = live.branches[index];
  return std::any_of(live.branches.begin(), live.branches.end(), [&](const Branch& other) {
    return other.parent == index && other.first_ns >= branch.last_ns && other.range.covers(range);
  });
}

// True when the drop is in the netns that the packet is for. The drop there is the one that
// mattered, when there are several copies.
bool is_at_destination(const LiveDrop& drop, const Live& live, const Names& names) {
  const std::uint32_t place = drop.drop.interface.netns;
  if (live.owner != 0) return place == live.owner;
  const auto netns = names.netns.find(place);
  const auto pod = names.pods.find(Address(live.branches[drop.branch].tuple.destination));
  return netns != names.netns.end() && pod != names.pods.end() && pod->second == netns->second.pod;
}

// ICMP gives each raw socket a copy, then frees the packet as one that no socket took.
bool may_have_had_takers(const Drop& drop, const Names& names) {
  constexpr std::array<std::string_view, 3> kIcmp = {"icmp_rcv", "ping_rcv", "icmpv6_rcv"};
  const auto function = names.function(dropping_location(drop, names));
  return std::find(kIcmp.begin(), kIcmp.end(), source_name(function)) != kIcmp.end();
}

bool brings_data(const dpt_flow& flow) {
  return flow.protocol != IPPROTO_TCP || tcp_payload(flow) != 0;
}

struct Tally {
  bool taken = false, read = false, left = false, open = false, kept = false, merged = false,
       encrypted = false, asked = false;
  const LiveDrop* loss = nullptr;
  const LiveDrop* discarded = nullptr;  ///< consumed by a filter that passed it on to nobody
  const LiveDrop* unwanted = nullptr;
};

void prefer(const LiveDrop*& chosen, const LiveDrop& drop, const Live& live, const Names& names) {
  const bool is_better = is_at_destination(drop, live, names);
  if (chosen == nullptr || (is_better && !is_at_destination(*chosen, live, names))) chosen = &drop;
}

Tally tally(const Live& live, const Range& range, const Names& names) {
  Tally tally;
  const auto counts = [&](std::size_t index) {
    return live.branches[index].range.covers(range) && !is_mirror(live, index, names);
  };
  for (std::size_t i = 0; i < live.branches.size(); ++i) {
    if (!counts(i)) continue;
    const Branch& branch = live.branches[i];
    tally.taken |= has_arrived(branch.fate);
    tally.read |= branch.fate == Fate::kTaken;
    tally.open |= tally.asked |= branch.fate == Fate::kAsked;
    tally.kept |= branch.fate == Fate::kKept;
    tally.merged |= branch.fate == Fate::kMerged;
    tally.encrypted |= branch.fate == Fate::kSealed && !went_on(live, i, range);
    if (branch.fate != Fate::kOpen && branch.fate != Fate::kConsumed) continue;
    const Verdict verdict = verdict_of(branch, names);
    tally.left |= verdict == Verdict::kLeftNode;
    tally.encrypted |= verdict == Verdict::kStolen;
    tally.open |=
        verdict == Verdict::kUnfinished && branch.fate == Fate::kOpen && !went_on(live, i, range);
  }
  for (const auto& drop : live.drops) {
    if (!counts(drop.branch)) continue;
    const Fate fate = live.branches[drop.branch].fate;
    if (fate == Fate::kLost) prefer(tally.loss, drop, live, names);
    if (fate == Fate::kConsumed && !went_on(live, drop.branch, range)) tally.discarded = &drop;
    if (fate == Fate::kUnwanted) prefer(tally.unwanted, drop, live, names);
  }
  return tally;
}

Judgement judge(const Live& live, const Range& range, const Names& names) {
  const Tally seen = tally(live, range, names);
  if (seen.taken) {
    const bool is_unread = !seen.read && brings_data(live.packet.flow());
    return {.verdict = Verdict::kDelivered, .reader_closed = is_unread};
  }
  if (seen.left) return {Verdict::kLeftNode};
  if (seen.encrypted) return {Verdict::kStolen};
  if (live.packet.merged_into != 0 && seen.loss == nullptr) return {Verdict::kStolen};
  if (seen.open) return {.unanswered = seen.asked};
  // A lost event may have shown that the packet went on, or arrived.
  const bool is_complete = live.packet.incomplete == Incomplete::kNo;
  if (seen.loss != nullptr) {
    const bool is_certain = is_complete || !may_have_had_takers(seen.loss->drop, names);
    return is_certain ? Judgement{Verdict::kDropped, seen.loss} : Judgement{};
  }
  if (seen.kept) return {Verdict::kStolen};
  if (seen.discarded != nullptr && is_complete) return {Verdict::kDropped, seen.discarded};
  if (seen.unwanted != nullptr && live.to_many) return {.nobody_wanted = true};
  // The frame was for one host, and every receiver threw it away.
  if (seen.unwanted != nullptr && is_complete) return {Verdict::kDropped, seen.unwanted};
  return {};
}

// The offsets at which the ranges of the packet's skbs begin or end.
std::vector<std::uint32_t> cuts(const Live& live) {
  std::vector<std::uint32_t> cuts;
  for (const auto& branch : live.branches) {
    cuts.push_back(branch.range.begin);
    cuts.push_back(branch.range.end);
  }
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  return cuts;
}

// The verdict on a packet is the verdict on the worst of its parts; a larger weight is worse.
int weight(Verdict verdict) {
  switch (verdict) {
    case Verdict::kDropped:
      return 4;
    case Verdict::kUnfinished:
      return 3;
    case Verdict::kStolen:
      return 2;
    case Verdict::kLeftNode:
      return 1;
    case Verdict::kDelivered:
      break;
  }
  return 0;
}

}  // namespace

Verdict verdict_of(const Branch& branch, const Names& names) {
  switch (branch.fate) {
    case Fate::kTaken:
    case Fate::kClosed:
      return Verdict::kDelivered;
    case Fate::kLost:
      return Verdict::kDropped;
    case Fate::kKept:
    case Fate::kSealed:
    case Fate::kMerged:
      return Verdict::kStolen;
    case Fate::kOpen:
    case Fate::kConsumed:
      if (was_given_to(branch, is_leaving, names)) return Verdict::kLeftNode;
      if (was_given_to(branch, is_encrypting, names)) return Verdict::kStolen;
      break;
    case Fate::kAsked:
    case Fate::kUnwanted:
    case Fate::kFreed:
      break;
  }
  return Verdict::kUnfinished;
}

Judgement judge(const Live& live, const Names& names) {
  if (!live.in_parts) return judge(live, live.whole(), names);
  std::optional<Judgement> worst;
  bool reader_closed = false;
  const auto ends = cuts(live);
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    const auto part = judge(live, Range{ends[i], ends[i + 1]}, names);
    if (!worst || weight(part.verdict) > weight(worst->verdict)) worst = part;
    reader_closed |= part.reader_closed;
  }
  if (!worst) return {};
  worst->reader_closed = reader_closed && worst->verdict == Verdict::kDelivered;
  return *worst;
}

}  // namespace dptrace
