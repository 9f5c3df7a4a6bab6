// The memory that fragments have which wait for others of their packet, in the calling thread's
// network namespace.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string_view>

namespace dptrace {

/// In bytes; `family` is 4 or 6. Nothing when the kernel does not tell.
std::optional<std::uint64_t> fragment_memory(std::uint8_t family);

/// The number behind `memory` in the line that begins with `label`: `FRAG: inuse 2 memory 4096`.
std::optional<std::uint64_t> parse_fragment_memory(std::istream& lines, std::string_view label);

}  // namespace dptrace
