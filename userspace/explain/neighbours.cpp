// Causes of neighbours: nobody answers for an address.
#include <fmt/format.h>
#include <linux/neighbour.h>

#include <array>

#include "explain/cause.hpp"
#include "node/state/neighbour.hpp"
#include "node/state/route.hpp"

namespace dptrace {

namespace {

bool may_be_unresolved(const DropFacts& drop) {
  if (drop.device == 0) return false;
  return drop.reason == "NEIGH_FAILED" ||
         (drop.reason.empty() && (drop.by("neigh_invalidate") || drop.by("__neigh_event_send") ||
                                  drop.by("arp_error_report") || drop.by("ndisc_error_report")));
}

// The packet waits for its neighbour in the queue of the device that it would leave by.
std::optional<Explanation> prove_unresolved(const DropFacts& drop) {
  const auto route = look_up_route({drop.destination});
  if (!route) return {};
  const bool by_gateway = route->error == 0 && route->output == drop.device && route->gateway;
  const Address hop = by_gateway ? *route->gateway : drop.destination;
  const auto neighbour = find_neighbour(hop, drop.device);
  if (!neighbour || !*neighbour || !((*neighbour)->state & (NUD_FAILED | NUD_INCOMPLETE)))
    return {};
  const std::string device = device_name(drop.device);
  const std::string_view protocol = hop.is_ipv4() ? "ARP" : "neighbour discovery";
  Explanation explanation;
  explanation.sentence =
      fmt::format("nobody on {} answers {} for {}", device, protocol, hop.text());
  if (by_gateway)
    explanation.sentence += fmt::format(", the gateway to {}", drop.destination.text());
  explanation.evidence.push_back(fmt::format("neighbour {} dev {}: {}", hop.text(), device,
                                             neighbour_state((*neighbour)->state)));
  return explanation;
}

constexpr std::array kCauses = {
    Cause{"neighbour-unresolved", may_be_unresolved, prove_unresolved},
};

}  // namespace

std::span<const Cause> neighbour_causes() { return kCauses; }

}  // namespace dptrace
