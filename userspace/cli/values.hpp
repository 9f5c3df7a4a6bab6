// These functions make values of texts on the command line: 16M, 10s, icmp.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dptrace {

/// `4096`, `512K`, `16M`, `1G` (powers of 1024); nothing for any other text.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// A number of digits only; nothing for any other text.
std::optional<std::uint64_t> parse_count(std::string_view text);
/// `500ms`, `10s`, `2m`, `1h`; nothing for any other text, and for 0.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);
/// `tcp`, `udp`, `icmp`, `icmpv6`, `sctp` or a number from 0 to 255.
std::optional<std::uint8_t> parse_protocol(std::string_view text);

}  // namespace dptrace
