// Text that others wrote (names of devices, pods and functions; recordings, results of CNI plugins)
// is bounded and cleaned of what a terminal could take for a command, before anything else gets it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dptrace {

/// Valid UTF-8 of at most kLongestName bytes: other bytes, control characters and those that turn
/// the direction of writing become U+FFFD.
std::string clean_name(std::string_view foreign);

inline constexpr std::size_t kLongestName = 512;

/// Names of ten thousand devices are a hundred thousand values.
inline constexpr std::size_t kMostJsonValues = 500'000;

/// Is JSON that is parsed to a tree bounded in depth and number of values? Trees take up to a
/// hundred bytes for a character.
bool is_modest_json(std::string_view text, std::size_t most_values = kMostJsonValues);

}  // namespace dptrace
