// A rule of a netfilter ruleset: the number by which the kernel knows it, and what it says.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace dptrace {

/// Names one rule, or one chain, of one version of a table.
struct RuleId {
  std::uint32_t netns = 0;
  std::uint8_t ruleset = 0;    ///< enum dpt_ruleset
  std::uint64_t table = 0;     ///< dpt_rule::table
  std::uint64_t revision = 0;  ///< dpt_rule::revision
  /// The rule's place in the table from 0 on (xtables, ebtables), or its handle or that of its chain
  /// (nftables, which gives a table's rules and chains different handles).
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
  /// `tcp dport 81 drop`; for a policy `policy DROP`.
  std::string text;

  friend bool operator==(const RuleText&, const RuleText&) = default;
};

}  // namespace dptrace
