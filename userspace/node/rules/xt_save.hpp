// The words of xtables rules are those of iptables-legacy-save, which knows all matches and
// targets.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.hpp"

namespace dptrace {

/// The rules of each chain in order, without the chain: `-p tcp -j DROP`. Not cleaned.
using SavedChains = std::map<std::string, std::vector<std::string>, std::less<>>;

SavedChains parse_saved(std::string_view saved);

/// Returns whether the program is installed for this NFPROTO_*.
bool can_save_xtables(std::uint8_t family);

/// Runs the program in the network namespace that the calling thread is in.
Result<SavedChains> save_xtables(std::uint8_t family, const std::string& table);

}  // namespace dptrace
