#include "cli/values.hpp"

#include <netinet/in.h>

#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace dptrace {

namespace {

struct Number {
  std::uint64_t value;
  std::string_view unit;  // text behind the number
};

std::optional<Number> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return Number{value, text.substr(static_cast<std::size_t>(end - text.data()))};
}

template <std::size_t N>
std::optional<std::uint64_t> scaled(
    std::string_view text, const std::array<std::pair<std::string_view, std::uint64_t>, N>& units) {
  const auto number = parse_number(text);
  if (!number) return std::nullopt;
  for (const auto& [unit, factor] : units) {
    if (unit != number->unit) continue;
    if (number->value > std::numeric_limits<std::int64_t>::max() / factor) return std::nullopt;
    return number->value * factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> kUnits = {
      {{"", 1}, {"K", 1U << 10}, {"M", 1U << 20}, {"G", 1U << 30}}};
  return scaled(text, kUnits);
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  const auto number = parse_number(text);
  if (!number || !number->unit.empty()) return std::nullopt;
  return number->value;
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> kUnits = {
      {{"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}}};
  const auto value = scaled(text, kUnits);
  if (!value || *value == 0) return std::nullopt;
  return std::chrono::nanoseconds(*value);
}

std::optional<std::uint8_t> parse_protocol(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::uint8_t>, 5> kNames = {
      {{"tcp", IPPROTO_TCP},
       {"udp", IPPROTO_UDP},
       {"icmp", IPPROTO_ICMP},
       {"icmpv6", IPPROTO_ICMPV6},
       {"sctp", IPPROTO_SCTP}}};
  for (const auto& [name, number] : kNames) {
    if (text == name) return number;
  }
  const auto number = parse_number(text);
  if (!number || !number->unit.empty() || number->value > 255) return std::nullopt;
  return static_cast<std::uint8_t>(number->value);
}

}  // namespace dptrace
