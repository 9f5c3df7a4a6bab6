// parse_nft_listing() reads what libnftables prints of a table, with handles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>

#include "model/rule.hpp"

namespace dptrace {

/// The rules by their handles, and the policies by the handles of their chains. The rules after the
/// first `most` are left out.
std::map<std::uint64_t, RuleText> parse_nft_listing(std::string_view listing, std::size_t most);

}  // namespace dptrace
