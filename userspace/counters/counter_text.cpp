#include "counters/counter_text.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace dptrace {

namespace {

// Columns of /proc/net/softnet_stat.
constexpr std::size_t kSoftnetDropped = 1;
constexpr std::size_t kSoftnetCpu = 12;

// Cuts off the text before `end`, and `end` itself. Returns the text before `end`.
std::string_view take_until(std::string_view& text, char end) {
  const std::size_t length = std::min(text.find(end), text.size());
  const std::string_view taken = text.substr(0, length);
  text.remove_prefix(std::min(length + 1, text.size()));
  return taken;
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> found;
  while (!line.empty()) {
    std::string_view word = take_until(line, ' ');
    if (!word.empty()) found.push_back(word);
  }
  return found;
}

std::optional<std::uint64_t> number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

void append_wanted(std::span<const std::string_view> names,
                   std::span<const std::string_view> values,
                   std::span<const std::string_view> wanted, std::uint32_t cpu, int base,
                   std::vector<NamedCounter>& found) {
  for (std::size_t i = 0; i < std::min(names.size(), values.size()); ++i) {
    const auto name = std::find(wanted.begin(), wanted.end(), names[i]);
    if (name == wanted.end()) continue;
    if (const auto value = number(values[i], base)) found.push_back({*name, cpu, *value});
  }
}

}  // namespace

std::vector<NamedCounter> parse_netstat(std::string_view text, std::string_view section,
                                        std::span<const std::string_view> wanted) {
  std::vector<NamedCounter> found;
  while (!text.empty()) {
    std::string_view names = take_until(text, '\n');
    std::string_view values = take_until(text, '\n');
    if (take_until(names, ':') != section || take_until(values, ':') != section) continue;
    append_wanted(words(names), words(values), wanted, 0, 10, found);
  }
  return found;
}

std::vector<NamedCounter> parse_snmp6(std::string_view text,
                                      std::span<const std::string_view> wanted) {
  std::vector<NamedCounter> found;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    std::string_view name = take_until(line, '\t');
    while (name.ends_with(' ')) name.remove_suffix(1);
    while (line.starts_with(' ') || line.starts_with('\t')) line.remove_prefix(1);
    append_wanted({&name, 1}, {&line, 1}, wanted, 0, 10, found);
  }
  return found;
}

std::vector<NamedCounter> parse_per_cpu_stat(std::string_view text,
                                             std::span<const std::string_view> wanted) {
  std::vector<NamedCounter> found;
  const auto names = words(take_until(text, '\n'));
  for (std::uint32_t cpu = 0; !text.empty(); ++cpu) {
    append_wanted(names, words(take_until(text, '\n')), wanted, cpu, 16, found);
  }
  return found;
}

std::uint32_t parse_softnet_received(std::string_view text) {
  std::uint32_t sum = 0;
  while (!text.empty()) {
    const auto values = words(take_until(text, '\n'));
    if (values.empty()) continue;
    if (const auto received = number(values[0], 16)) sum += static_cast<std::uint32_t>(*received);
  }
  return sum;
}

std::vector<NamedCounter> parse_softnet(std::string_view text) {
  std::vector<NamedCounter> found;
  while (!text.empty()) {
    const auto values = words(take_until(text, '\n'));
    if (values.size() <= kSoftnetCpu) continue;
    const auto cpu = number(values[kSoftnetCpu], 16);
    const auto dropped = number(values[kSoftnetDropped], 16);
    if (!cpu || !dropped) continue;
    found.push_back({"dropped", static_cast<std::uint32_t>(*cpu), *dropped});
  }
  return found;
}

}  // namespace dptrace
