// Text that others wrote (names of devices, pods and functions; recordings; results of CNI plugins)
// is bounded, and cleaned of what a terminal could take for a command, before anything else gets
// it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dptrace {

/// The name as valid UTF-8 of at most kLongestName bytes. Other bytes, control characters and those
/// that turn the direction of writing become U+FFFD.
std::string clean_name(std::string_view foreign);

inline constexpr std::size_t kLongestName = 512;

/// The bound leaves room: names of ten thousand devices are a hundred thousand values.
inline constexpr std::size_t kMostJsonValues = 500'000;

/// True when JSON text is bounded in depth and number of values, so that it can be parsed to a
/// tree. A tree takes up to a hundred bytes for a character.
bool is_modest_json(std::string_view text, std::size_t most_values = kMostJsonValues);

}  // namespace dptrace
