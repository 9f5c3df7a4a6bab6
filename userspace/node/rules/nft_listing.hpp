// parse_nft_listing() reads what libnftables prints of a table, with handles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/rule.hpp"

namespace dptrace {

struct NftListing {
  /// The rules by their handles, and the policies by the handles of their chains.
  std::map<std::uint64_t, RuleText> texts;
  /// The rules of chains that stand in the braces of a rule, which are printed without handles, by
  /// the handle of that rule: `ip saddr 127.0.0.0/8 accept`. Cleaned.
  std::map<std::uint64_t, std::vector<std::string>> in_braces;
};

/// The rules after the first `most` are left out.
NftListing parse_nft_listing(std::string_view listing, std::size_t most);

}  // namespace dptrace
