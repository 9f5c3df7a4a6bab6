// The readers of rulesets: each reads one table of the network namespace that the calling thread is
// in, by the kernel's own interfaces, and changes nothing.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "model/result.hpp"
#include "model/rule.hpp"

namespace dptrace {

struct Rules {
  /// The generation that the text belongs to (nftables); 0: the kernel tells none (xtables,
  /// ebtables).
  std::uint64_t revision = 0;
  /// The number of rules of the table, as dpt_rule::rules counts them; 0: not known (nftables).
  std::uint32_t count = 0;
  /// What each rule and policy says, by RuleId::number. Strings are clean_name() or cleaned alike.
  std::map<std::uint64_t, RuleText> texts;
};

/// `family` is an NFPROTO_*. `table` is the name. An error says what could not be read, and why.
Result<Rules> read_xtables(std::uint8_t family, const std::string& table);
Result<Rules> read_nftables(std::uint8_t family, const std::string& table);

/// Returns why rules are told without their text here, and what to do about it; empty: they have
/// it.
std::string why_no_xtables_text();
std::string why_no_nftables_text();

}  // namespace dptrace
