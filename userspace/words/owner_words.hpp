// A rule that a known program made is told in that program's terms.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/names.hpp"
#include "words/owner_rows.hpp"

namespace dptrace {

struct OwnerMatch {
  const Owner* owner = nullptr;
  const OwnerRow* row = nullptr;
  std::string words;  ///< `kube-proxy: service default/web:http has no endpoints`
};

/// The owner of the rule that decided, and what it means by it. None when nothing proves whose it
/// is, or when each of several rules may have decided.
std::optional<OwnerMatch> owner_of(const DecidingRule& rule, const Names& names);

/// What a rule's text says, without what others may write into it.
struct RuleParts {
  std::string plain;                  ///< without comments and other quoted words
  std::vector<std::string> comments;  ///< without quotes
};

/// The parts of a text that iptables-save (`is_saved`) or nft printed.
RuleParts parts_of(std::string_view text, bool is_saved);

}  // namespace dptrace
