#include "explain/departures.hpp"

#include <fmt/format.h>
#include <linux/neighbour.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "explain/cause.hpp"
#include "explain/filters.hpp"
#include "explain/links.hpp"
#include "explain/way_back.hpp"
#include "model/flow.hpp"
#include "node/state/neighbour.hpp"
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

bool is_transmit(std::uint8_t point) {
  return point == DPT_POINT_TC_EGRESS || point == DPT_POINT_DEVICE_TRANSMIT;
}

// ---- neighbour-unresolved

// The kernel still sends to the address that it knows, while it asks whether that is still so. The
// second question says that the first had no answer within a second.
std::optional<Explanation> next_hop_is_silent(const DropFacts& departure) {
  constexpr std::uint32_t kAskedAgain = 2;
  const auto route = look_up_route({departure.destination});
  if (!route || route->error != 0 || !is_below(departure.device, route->output)) return {};
  const Address hop = route->gateway.value_or(departure.destination);
  const auto neighbour = find_neighbour(hop, route->output);
  if (!neighbour || !(neighbour->state & NUD_PROBE) || neighbour->probes < kAskedAgain) return {};
  const std::string device = device_name(route->output);
  return Explanation{"neighbour-unresolved",
                     fmt::format("likely lost: {} does not answer {} on {} any more", hop.text(),
                                 hop.is_ipv4() ? "ARP" : "neighbour discovery", device),
                     {fmt::format("neighbour {} dev {}: PROBE, asked {} times", hop.text(), device,
                                  neighbour->probes)},
                     {}};
}

// ---- not-masqueraded

// What lies behind a route of its own may know the pods' addresses.
std::optional<Explanation> not_masqueraded(const DropFacts& departure) {
  if (!departure.from_pod) return {};
  const auto route = match_route({departure.destination, departure.source, departure.input});
  if (!route || route->length != 0) return {};
  if (route->output != 0 && !is_below(departure.device, route->output)) return {};
  if (departure.before_tc && !is_untouched_at_egress(departure.device)) return {};
  const std::string source = departure.source.text();
  return Explanation{
      "not-masqueraded",
      fmt::format("likely lost, unless the network routes pods: it left by {} unmasqueraded",
                  device_name(departure.device)),
      {fmt::format("source {} behind POSTROUTING", source),
       fmt::format("route to {}: default, dev {}", departure.destination.text(),
                   device_name(route->output != 0 ? route->output : departure.device))},
      {}};
}

}  // namespace

std::optional<DropFacts> departure_facts(const dpt_hop& hop, const Names& names, ReplyWays& ways) {
  const bool asks = is_transmit(hop.point) && hop.iif != 0 && hop.tunnel.kind == DPT_TUNNEL_NONE &&
                    !is_multicast(hop.flow) && wants_answer(hop.flow);
  const bool has_way = ways.wants(hop);
  if (!asks && !has_way) return {};
  if (!may_lead_out(names.interface({hop.netns, hop.ifindex}))) return {};
  const auto asked_by = has_way ? ways.see(hop) : std::nullopt;
  if (!asks && !asked_by) return {};
  DropFacts facts;
  facts.departed = asks ? Departed::kRequest : Departed::kReply;
  facts.netns = hop.netns;
  facts.device = hop.ifindex;
  facts.input = hop.iif;
  facts.asked_by = asked_by.value_or(0);
  facts.family = hop.flow.family;
  facts.source = Address(hop.flow.source);
  facts.destination = Address(hop.flow.destination);
  facts.from_pod = asks && is_private(facts.source) &&
                   !names.pod_of_address(facts.source, hop.event.time_ns).empty();
  facts.before_tc = hop.point == DPT_POINT_TC_EGRESS;
  return facts;
}

std::optional<Explanation> explain_departure_here(const DropFacts& departure) {
  if (departure.departed == Departed::kReply) return takes_another_way(departure);
  if (auto silent = next_hop_is_silent(departure)) return silent;
  return not_masqueraded(departure);
}

}  // namespace dptrace
