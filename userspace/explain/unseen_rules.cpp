// Causes of rules where the kernel lets nobody see which rule of nftables it was: all that it can
// have been are told.
#include <fmt/format.h>
#include <linux/netfilter.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "explain/cause.hpp"
#include "model/foreign.hpp"
#include "node/netns.hpp"
#include "node/rules/nft_droppers.hpp"
#include "node/rules/nft_generation.hpp"
#include "node/rules/rules.hpp"

namespace dptrace {

namespace {

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

struct Unseen {
  std::uint32_t generation = 0;
  bool by_policy = false;
  std::optional<Explanation> explanation{};
};

// The rules are read after the drop, and may have been others then.
std::string sentence_of(const std::vector<NftDropper>& droppers, bool by_policy,
                        std::string_view hook) {
  if (droppers.size() > 1)
    return fmt::format(
        "one of the {} {} of nftables at {} that can; which one, cannot be seen here",
        droppers.size(), by_policy ? "policies" : "rules and policies", hook);
  return fmt::format("a {} of nftables; as they are now, only one at {} can drop",
                     by_policy ? "policy" : "rule", hook);
}

Unseen read_unseen(const DropFacts& drop) {
  Unseen unseen;
  const std::uint8_t family = table_family(drop.ran_rules);
  if (family == NFPROTO_UNSPEC) return unseen;
  const auto droppers = nft_droppers(family, drop.hook);
  if (!droppers || droppers->empty()) return unseen;
  unseen.by_policy = std::ranges::none_of(
      *droppers, [](const NftDropper& dropper) { return dropper.handle != 0; });
  unseen.explanation.emplace();
  unseen.explanation->sentence = sentence_of(*droppers, unseen.by_policy, hook_name(drop.hook));
  unseen.explanation->evidence = facts_of(*droppers);
  return unseen;
}

// A large ruleset takes long to read: it is read once for each version of it, and nobody waits
// while that of another netns is read.
std::optional<Explanation> prove_unseen(const DropFacts& drop, bool by_policy) {
  constexpr std::size_t kKept = 64;
  static std::mutex mutex;
  static std::map<std::tuple<std::uint64_t, std::string, std::uint8_t>, Unseen> kept;
  const std::tuple key{netns_cookie(), drop.ran_rules, drop.hook};
  const auto before = nft_generation();
  if (!before || std::get<0>(key) == 0) return {};
  const auto told = [&](const Unseen& unseen) {
    return unseen.by_policy == by_policy ? unseen.explanation : std::nullopt;
  };
  {
    const std::lock_guard lock(mutex);
    const auto found = kept.find(key);
    if (found != kept.end() && found->second.generation == *before) return told(found->second);
  }
  Unseen unseen = read_unseen(drop);
  const auto after = nft_generation();
  if (!after || *after != *before) return {};
  unseen.generation = *before;
  const std::lock_guard lock(mutex);
  if (kept.size() >= kKept) kept.clear();
  return told(kept.insert_or_assign(key, std::move(unseen)).first->second);
}

std::optional<Explanation> prove_policy(const DropFacts& drop) { return prove_unseen(drop, true); }
std::optional<Explanation> prove_rule(const DropFacts& drop) { return prove_unseen(drop, false); }

constexpr std::array kCauses = {
    Cause{"netfilter-policy", may_be_unseen, prove_policy},
    Cause{"netfilter-rule", may_be_unseen, prove_rule},
};

}  // namespace

std::span<const Cause> unseen_rule_causes() { return kCauses; }

}  // namespace dptrace
