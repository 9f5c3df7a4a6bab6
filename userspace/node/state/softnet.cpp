#include "node/state/softnet.hpp"

#include <charconv>
#include <fstream>
#include <iterator>
#include <string>

namespace dptrace {

std::optional<std::uint64_t> parse_backlog_drops(std::string_view table) {
  std::optional<std::uint64_t> drops;
  while (!table.empty()) {
    const std::size_t end = std::min(table.find('\n'), table.size());
    const std::string_view line = table.substr(0, end);
    table.remove_prefix(std::min(end + 1, table.size()));
    // processed dropped time_squeeze ...
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    std::uint64_t count = 0;
    const char* begin = line.data() + space + 1;
    if (std::from_chars(begin, line.data() + line.size(), count, 16).ec != std::errc()) return {};
    drops = drops.value_or(0) + count;
  }
  return drops;
}

std::optional<std::uint64_t> read_backlog_drops() {
  std::ifstream file("/proc/thread-self/net/softnet_stat");
  return parse_backlog_drops(std::string(std::istreambuf_iterator<char>(file), {}));
}

}  // namespace dptrace
