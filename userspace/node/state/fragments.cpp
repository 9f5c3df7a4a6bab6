#include "node/state/fragments.hpp"

#include <fstream>
#include <sstream>
#include <string>

namespace dptrace {

std::optional<std::uint64_t> parse_fragment_memory(std::istream& lines, std::string_view label) {
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(label)) continue;
    std::istringstream words(line);
    std::uint64_t bytes = 0;
    for (std::string word; words >> word;) {
      if (word == "memory" && words >> bytes) return bytes;
    }
  }
  return {};
}

std::optional<std::uint64_t> fragment_memory(std::uint8_t family) {
  std::ifstream file(family == 4 ? "/proc/thread-self/net/sockstat"
                                 : "/proc/thread-self/net/sockstat6");
  return parse_fragment_memory(file, family == 4 ? "FRAG:" : "FRAG6:");
}

}  // namespace dptrace
