#include "words/round_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace dptrace {

namespace {

struct Visits {
  InterfaceId interface;
  std::uint8_t last_ttl = 0;
  std::size_t count = 0;
};

// The order is that in which the packet came to the devices first.
std::vector<Visits> visits_of(const Packet& packet) {
  std::vector<Visits> all;
  for (const Hop& hop : packet.hops) {
    if (hop.point != DPT_POINT_DEVICE_RECEIVE && hop.point != DPT_POINT_TC_INGRESS) continue;
    if (hop.flow.family == 0) continue;
    auto visits = std::ranges::find(all, hop.interface, &Visits::interface);
    if (visits == all.end()) {
      all.push_back({hop.interface, hop.flow.ttl, 1});
    } else if (hop.flow.ttl < visits->last_ttl) {
      ++visits->count;
      visits->last_ttl = hop.flow.ttl;
    }
  }
  return all;
}

std::string device_words(const InterfaceId& id, const Names& names, std::uint64_t at_ns) {
  const Interface* interface = names.interface(id, at_ns);
  std::string text = interface == nullptr ? fmt::format("device {}", id.index) : interface->name;
  if (id.netns == names.home_netns) return text;
  const Netns* netns = names.netns_at(id.netns, at_ns);
  if (netns != nullptr && !netns->name.empty()) text += fmt::format(" of {}", netns->name);
  return text;
}

}  // namespace

std::optional<std::string> rounds_of(const Packet& packet, const Names& names) {
  constexpr std::size_t kShown = 4;
  auto visits = visits_of(packet);
  std::erase_if(visits, [](const Visits& one) { return one.count < 2; });
  if (visits.empty()) return {};
  const std::size_t rounds = std::ranges::max(visits, {}, &Visits::count).count;
  std::string devices;
  for (std::size_t i = 0; i < visits.size() && i < kShown; ++i) {
    if (i > 0) devices += i + 1 == visits.size() ? " and " : ", ";
    devices += device_words(visits[i].interface, names, packet.start_ns());
  }
  if (visits.size() > kShown) devices += fmt::format(" and {} more", visits.size() - kShown);
  return fmt::format("it went in circles: it came by {} {} times", devices, rounds);
}

}  // namespace dptrace
