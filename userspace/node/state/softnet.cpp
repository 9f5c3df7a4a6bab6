#include "node/state/softnet.hpp"

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace dptrace {

std::optional<std::uint64_t> parse_backlog_drops(std::string_view table) {
  std::optional<std::uint64_t> drops;
  std::istringstream lines{std::string(table)};
  for (std::string line; std::getline(lines, line);) {
    // processed dropped time_squeeze ...
    std::istringstream fields(line);
    std::uint64_t processed = 0, dropped = 0;
    if (!(fields >> std::hex >> processed)) continue;
    if (!(fields >> dropped)) return {};
    drops = drops.value_or(0) + dropped;
  }
  return drops;
}

std::optional<std::uint64_t> read_backlog_drops() {
  std::ifstream file("/proc/thread-self/net/softnet_stat");
  return parse_backlog_drops(std::string(std::istreambuf_iterator<char>(file), {}));
}

}  // namespace dptrace
