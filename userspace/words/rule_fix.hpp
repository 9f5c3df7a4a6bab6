// The command that lets a packet pass which a rule dropped.
#pragma once

#include <optional>
#include <string>

#include "model/names.hpp"

namespace dptrace {

/// Deletes the rule or, where a policy dropped the packet, accepts packets like this one. Nothing
/// for rules that a known program owns, because it would write them again; where each of several
/// rules may have decided; and where deleting the rule would let more pass than it has to.
std::optional<std::string> rule_fix(const DecidingRule& rule, const dpt_flow& flow,
                                    const Names& names);

/// The words of a rule as iptables-save prints them: some in double quotes, in which a backslash
/// stands before a quote or a backslash.
std::vector<std::string> saved_words(std::string_view text);

}  // namespace dptrace
