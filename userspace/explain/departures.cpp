#include "explain/departures.hpp"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "explain/cause.hpp"
#include "model/flow.hpp"
#include "node/state/route.hpp"

namespace dptrace {

namespace {

constexpr std::uint8_t kSyn = 0x02, kAck = 0x10;
constexpr std::uint16_t kDns = 53;
constexpr std::uint8_t kEchoRequest = 8, kEchoRequest6 = 128;

struct Prefix {
  const char* address;
  std::uint8_t length;
};

bool is_private(const Address& address) {
  constexpr std::array kPrivate = {Prefix{"10.0.0.0", 8}, Prefix{"172.16.0.0", 12},
                                   Prefix{"192.168.0.0", 16}, Prefix{"100.64.0.0", 10},
                                   Prefix{"fc00::", 7}};
  return std::ranges::any_of(kPrivate, [&](const Prefix& prefix) {
    return is_in_prefix(address, *Address::parse(prefix.address), prefix.length);
  });
}

// Of other packets it is not known that somebody should answer them.
bool wants_answer(const dpt_flow& flow) {
  if (is_later_fragment(flow)) return false;
  switch (flow.protocol) {
    case IPPROTO_TCP:
      return (flow.tcp_flags & (kSyn | kAck)) == kSyn;
    case IPPROTO_UDP:
      return flow.l4.port.destination == kDns;
    case IPPROTO_ICMP:
      return flow.l4.icmp.type == kEchoRequest;
    case IPPROTO_ICMPV6:
      return flow.l4.icmp.type == kEchoRequest6;
    default:
      return false;
  }
}

// The route tells whether a device leads out. Not each way out has a role: a tun device has none.
bool may_lead_out(const Interface* interface) {
  return interface != nullptr &&
         (interface->role == Role::kUplink || interface->role == Role::kOther);
}

}  // namespace

std::optional<DropFacts> departure_facts(const dpt_hop& hop, const Names& names) {
  // Before this point, a tc program may still translate the address (Cilium's does).
  if (hop.point != DPT_POINT_DEVICE_TRANSMIT || hop.iif == 0 ||
      hop.tunnel.kind != DPT_TUNNEL_NONE || !wants_answer(hop.flow) || is_multicast(hop.flow))
    return {};
  if (!may_lead_out(names.interface({hop.netns, hop.ifindex}))) return {};
  const Address source(hop.flow.source);
  if (names.pod_of_address(source, hop.event.time_ns).empty() || !is_private(source)) return {};
  DropFacts facts;
  facts.departed = true;
  facts.netns = hop.netns;
  facts.device = hop.ifindex;
  facts.input = hop.iif;
  facts.family = hop.flow.family;
  facts.source = source;
  facts.destination = Address(hop.flow.destination);
  return facts;
}

std::optional<Explanation> explain_departure_here(const DropFacts& departure) {
  const auto route = match_route({departure.destination, departure.source, departure.input});
  if (!route || route->length != 0) return {};
  if (route->output != 0 && route->output != departure.device) return {};
  const std::string device = device_name(departure.device);
  const std::string source = departure.source.text();
  return Explanation{
      "not-masqueraded",
      fmt::format("likely lost, unless the network routes pods: it left by {} unmasqueraded",
                  device),
      {fmt::format("source {} behind POSTROUTING", source),
       fmt::format("route to {}: default, dev {}", departure.destination.text(), device)},
      {}};
}

}  // namespace dptrace
