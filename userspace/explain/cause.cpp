#include "explain/cause.hpp"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <array>

#include "model/foreign.hpp"

namespace dptrace {

namespace {

// What is said of a queue holds only for a device that works: its own causes come first.
constexpr std::array kFamilies = {
    &routing_causes,  &route_causes,     &neighbour_causes,   &tunnel_causes,    &socket_causes,
    &protocol_causes, &netfilter_causes, &unseen_rule_causes, &conntrack_causes, &ipsec_causes,
    &link_causes,     &bridge_causes,    &queue_causes,       &filter_causes};

}  // namespace

bool may_have_cause(const DropFacts& drop) {
  return std::any_of(kFamilies.begin(), kFamilies.end(), [&](const auto family) {
    return std::ranges::any_of(family(), [&](const Cause& cause) { return cause.may_be(drop); });
  });
}

Explanation explain_here(const DropFacts& drop) {
  for (const auto family : kFamilies) {
    for (const Cause& cause : family()) {
      if (!cause.may_be(drop)) continue;
      if (auto explanation = cause.prove(drop)) {
        explanation->cause = cause.name;
        return std::move(*explanation);
      }
    }
  }
  return unexplained();
}

Explanation unexplained() { return {"unknown", {}, {}, {}}; }

std::string device_name(std::uint32_t index) {
  std::array<char, IF_NAMESIZE> name{};
  if (if_indextoname(index, name.data()) == nullptr) return fmt::format("device {}", index);
  return clean_name(name.data());
}

std::string device_setting(const DropFacts& drop, std::string_view device,
                           std::string_view setting) {
  return fmt::format("net/ipv{}/conf/{}/{}", drop.family, device, setting);
}

}  // namespace dptrace
