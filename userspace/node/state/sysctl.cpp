#include "node/state/sysctl.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "model/shell_word.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

std::optional<int> read_sysctl(std::string_view path) {
  const OwnedFd file(open(fmt::format("/proc/sys/{}", path).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  std::array<char, 32> text{};
  const ssize_t length = read(file.get(), text.data(), text.size());
  if (length <= 0) return {};
  int value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + length, value);
  if (parsed.ec != std::errc()) return {};
  return value;
}

bool can_write_sysctl(std::string_view path) {
  const OwnedFd file(open(fmt::format("/proc/sys/{}", path).c_str(), O_WRONLY | O_CLOEXEC));
  return static_cast<bool>(file);
}

std::string sysctl_name(std::string_view path) {
  std::string name(path);
  if (name.find('.') == std::string::npos) std::replace(name.begin(), name.end(), '/', '.');
  return name;
}

std::string sysctl_fact(std::string_view path, int value) {
  return fmt::format("{} = {}", sysctl_name(path), value);
}

std::string sysctl_command(std::string_view path, int value) {
  return fmt::format("sysctl -w {}", shell_word(fmt::format("{}={}", sysctl_name(path), value)));
}

}  // namespace dptrace
