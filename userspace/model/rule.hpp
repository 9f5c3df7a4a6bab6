// A rule of a netfilter ruleset: the number by which the kernel knows it, what it says, and what it
// has to do with a drop.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "dptrace/event.h"

namespace dptrace {

/// Names one rule, or one chain, of one version of a table.
struct RuleId {
  std::uint32_t netns = 0;
  std::uint8_t ruleset = 0;    ///< enum dpt_ruleset
  std::uint64_t table = 0;     ///< dpt_rule::table
  std::uint64_t revision = 0;  ///< dpt_rule::revision
  /// The rule's place in the table from 0 on (xtables, ebtables), or its handle or that of its
  /// chain (nftables, which gives a table's rules and chains different handles).
  std::uint64_t number = 0;

  friend auto operator<=>(const RuleId&, const RuleId&) = default;
};

/// What a rule, or a chain's policy, says in user space.
struct RuleText {
  std::string chain;
  /// The rule's number in its chain from 1 on, as `iptables -L --line-numbers` counts; 0 for a
  /// policy.
  std::uint32_t number = 0;
  /// The rule as its own tool would print it, without the chain: `-p tcp --dport 81 -j DROP`, or
  /// `tcp dport 81 drop`; for a policy `policy DROP`. Empty: only its place is known.
  std::string text;
  std::string jump;  ///< the chain that the rule jumps or goes to; empty: none, or several
  bool changed =
      false;  ///< the rules were replaced before they were read, so nothing else is known

  friend bool operator==(const RuleText&, const RuleText&) = default;
};

/// The rule that dropped a packet, as the kernel's side told it.
struct DecidingRule {
  std::uint32_t netns = 0;
  std::uint8_t ruleset = 0;  ///< enum dpt_ruleset
  std::uint8_t family = 0;   ///< NFPROTO_* of the table
  std::uint8_t hook = 0;     ///< NF_INET_*
  std::uint8_t flags = 0;    ///< enum dpt_rule_flag
  std::uint64_t table = 0;
  std::uint64_t revision = 0;
  std::uint64_t chain_handle = 0;   ///< nftables; 0: not known
  std::string table_name, chain;    ///< chain: empty where only the text tells it
  std::vector<std::uint64_t> path;  ///< RuleId::number of the rules that led to the end
  bool path_is_whole = false;

  RuleId id(std::uint64_t number) const { return {netns, ruleset, table, revision, number}; }
  bool is_policy() const { return (flags & DPT_RULE_POLICY) != 0; }
  /// Each rule of .path may be the one.
  bool is_one_of() const { return (flags & DPT_RULE_ONE_OF) != 0; }
  /// The number of the rule that decided, or of the policy's chain or rule.
  std::uint64_t decided() const {
    const bool by_chain = is_policy() && ruleset == DPT_RULESET_NFTABLES;
    return by_chain || path.empty() ? chain_handle : path.back();
  }
};

DecidingRule deciding_rule(const dpt_rule& wire);

}  // namespace dptrace
