#include "node/lockdown.hpp"

#include <fstream>
#include <iterator>

namespace dptrace {

std::string lockdown_mode(std::string_view text) {
  const std::size_t begin = text.find('[');
  const std::size_t end = text.find(']', begin);
  if (begin == std::string_view::npos || end == std::string_view::npos) return {};
  const std::string mode(text.substr(begin + 1, end - begin - 1));
  return mode == "none" ? std::string() : mode;
}

std::string lockdown_mode() {
  std::ifstream file("/sys/kernel/security/lockdown");
  return lockdown_mode(std::string(std::istreambuf_iterator<char>(file), {}));
}

std::string lockdown_words(std::string_view mode) {
  if (mode != "confidentiality") return {};
  return "lockdown=confidentiality: this kernel keeps BPF programs from its memory, and so "
         "from every packet; boot it with lockdown=integrity or without";
}

}  // namespace dptrace
