#include "words/netns_command.hpp"

#include <fmt/format.h>

#include "model/shell_word.hpp"

namespace dptrace {

std::optional<std::string> netns_command(std::uint32_t netns, std::uint64_t at_ns,
                                         const Names& names) {
  constexpr std::string_view kNamed = "/run/netns/";
  if (netns == names.home_netns) return std::string();
  const Netns* known = names.netns_at(netns, at_ns);
  if (known == nullptr || known->path.empty()) return {};
  const std::string_view path = known->path;
  if (path.starts_with(kNamed))
    return fmt::format("ip netns exec {} ", shell_word(path.substr(kNamed.size())));
  return fmt::format("nsenter --net={} ", shell_word(path));
}

void enter(std::vector<std::string>& commands, std::uint32_t netns, std::uint64_t at_ns,
           const Names& names) {
  const auto prefix = netns_command(netns, at_ns, names);
  if (!prefix) return commands.clear();
  for (std::string& command : commands) command.insert(0, *prefix);
}

}  // namespace dptrace
