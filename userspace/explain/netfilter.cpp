// Causes of netfilter that no record of a rule tells.
#include <fmt/format.h>
#include <linux/netfilter.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "explain/cause.hpp"
#include "model/foreign.hpp"
#include "node/rules/nft_droppers.hpp"
#include "node/rules/rules.hpp"
#include "node/state/packet_queues.hpp"

namespace dptrace {

namespace {

// ---- queue-without-reader

// The kernel drops here what a rule sends to a queue (NFQUEUE) that has no reader or no room.
bool may_be_queued(const DropFacts& drop) { return drop.reason.empty() && drop.by("nf_queue"); }

// While another queue has a reader, it cannot be told which one the packet was meant for.
std::optional<Explanation> prove_unread(const DropFacts&) {
  const auto queues = read_packet_queues();
  if (!queues || !queues->empty()) return {};
  return Explanation{{},
                     "a rule sends it to a queue (NFQUEUE) that no program reads",
                     {"no program reads a queue of this network namespace"},
                     {}};
}

// ---- netfilter-policy, netfilter-rule: where the kernel lets nobody see which rule it was

bool may_be_unseen(const DropFacts& drop) { return !drop.ran_rules.empty(); }

std::uint8_t table_family(std::string_view function) {
  if (function == "nft_do_chain_ipv4") return NFPROTO_IPV4;
  if (function == "nft_do_chain_ipv6") return NFPROTO_IPV6;
  if (function == "nft_do_chain_inet") return NFPROTO_INET;
  return function == "nft_do_chain_bridge" ? NFPROTO_BRIDGE : NFPROTO_UNSPEC;
}

std::string_view family_name(std::uint8_t family) {
  switch (family) {
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    case NFPROTO_INET:
      return "inet";
    default:
      return "bridge";
  }
}

std::string_view hook_name(std::uint8_t hook) {
  constexpr std::array<std::string_view, 5> kNames = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT",
                                                      "POSTROUTING"};
  return hook < kNames.size() ? kNames[hook] : "an unknown hook";
}

std::string place_of(const NftDropper& dropper) {
  return fmt::format("{} {}, chain {}", family_name(dropper.family), clean_name(dropper.table),
                     clean_name(dropper.chain));
}

std::string text_of(const NftDropper& dropper) {
  const auto rules = read_nftables(dropper.family, dropper.table);
  if (rules) {
    const auto found = rules->texts.find(dropper.handle);
    if (found != rules->texts.end() && !found->second.text.empty()) return found->second.text;
  }
  return fmt::format("the rule with handle {}", dropper.handle);
}

// What is said of each of a few; of many, how many each chain has.
std::vector<std::string> facts_of(const std::vector<NftDropper>& droppers) {
  constexpr std::size_t kSaid = 3, kChains = 4;
  std::vector<std::string> facts;
  if (droppers.size() <= kSaid) {
    for (const NftDropper& dropper : droppers) {
      const std::string place = place_of(dropper);
      if (dropper.handle == 0) {
        facts.push_back(fmt::format("{}: policy drop", place));
        continue;
      }
      facts.push_back(fmt::format("{}: {}", place, text_of(dropper)));
    }
    return facts;
  }
  std::vector<std::pair<std::string, std::size_t>> chains;
  for (const NftDropper& dropper : droppers) {
    std::string place = place_of(dropper);
    const auto known = std::ranges::find(chains, place, &decltype(chains)::value_type::first);
    if (known != chains.end())
      ++known->second;
    else
      chains.emplace_back(std::move(place), 1);
  }
  for (const auto& [place, count] : chains) {
    if (facts.size() == kChains) {
      facts.push_back(fmt::format("and {} more chains", chains.size() - kChains));
      break;
    }
    facts.push_back(fmt::format("{}: {}", place, count));
  }
  return facts;
}

std::optional<Explanation> prove_unseen(const DropFacts& drop, bool by_policy) {
  const std::uint8_t family = table_family(drop.ran_rules);
  if (family == NFPROTO_UNSPEC) return {};
  const auto droppers = nft_droppers({drop.hook, {family}});
  if (!droppers || droppers->empty()) return {};
  const bool has_rule =
      std::ranges::any_of(*droppers, [](const NftDropper& dropper) { return dropper.handle != 0; });
  if (by_policy == has_rule) return {};
  Explanation explanation;
  explanation.evidence = facts_of(*droppers);
  const std::string_view hook = hook_name(drop.hook);
  if (droppers->size() == 1) {
    explanation.sentence =
        by_policy
            ? fmt::format(
                  "no rule of nftables at {} lets the packet pass, and the policy is to drop", hook)
            : fmt::format("a rule of nftables drops the packet, the only one at {} that can", hook);
  } else {
    explanation.sentence =
        fmt::format("one of {} {} of nftables at {}; which one, cannot be seen here",
                    droppers->size(), by_policy ? "policies" : "rules and policies", hook);
  }
  return explanation;
}

std::optional<Explanation> prove_unseen_policy(const DropFacts& drop) {
  return prove_unseen(drop, true);
}
std::optional<Explanation> prove_unseen_rule(const DropFacts& drop) {
  return prove_unseen(drop, false);
}

constexpr std::array kCauses = {
    Cause{"netfilter-policy", may_be_unseen, prove_unseen_policy},
    Cause{"netfilter-rule", may_be_unseen, prove_unseen_rule},
    Cause{"queue-without-reader", may_be_queued, prove_unread},
};

}  // namespace

std::span<const Cause> netfilter_causes() { return kCauses; }

}  // namespace dptrace
