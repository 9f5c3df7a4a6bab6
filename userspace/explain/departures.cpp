#include "explain/departures.hpp"

#include <fmt/format.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "explain/cause.hpp"
#include "explain/filters.hpp"
#include "explain/links.hpp"
#include "model/flow.hpp"
#include "model/shell_word.hpp"
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

// True when what leaves by `device` is what was routed to `output`: a bond's port, the device below
// a VLAN, a bridge's port.
bool is_below(std::uint32_t device, std::uint32_t output) {
  constexpr int kMostLayers = 4;
  if (device == output) return true;
  const auto links = read_links(kMostLinks);
  if (!links) return false;
  for (int layer = 0; layer < kMostLayers; ++layer) {
    if (device == output) return true;
    const Link* below = find_link(*links, output);
    const Link* port = find_link(*links, device);
    if (port != nullptr && port->master == output) return true;
    if (below == nullptr || below->link == 0 || below->peer_elsewhere) {
      if (port == nullptr || port->master == 0) return false;
      device = port->master;
    } else {
      output = below->link;
    }
  }
  return false;
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

// ---- asymmetric-route

// The gateway behind which all routes by that device lead; nothing when there are several.
std::optional<Address> only_gateway(const DropFacts& reply, std::uint32_t device) {
  const auto routes = read_routes(reply.family == 4 ? AF_INET : AF_INET6, RTN_UNICAST);
  if (!routes) return {};
  std::optional<Address> only;
  for (const TableRoute& route : *routes) {
    if (route.output != device || !route.gateway) continue;
    if (only && *only != *route.gateway) return {};
    only = route.gateway;
  }
  return only;
}

// What the answer would leave by: the device that its request came by. Its prefix is that of the
// match, because of a look-up the kernel tells the destination alone.
void add_route(const DropFacts& reply, Explanation& explanation) {
  const RouteQuestion question{reply.destination};
  const auto route = look_up_route(question);
  const auto match = match_route(question);
  if (!route || route->error != 0 || !match || !is_below(reply.device, route->output)) return;
  const std::string client = reply.destination.text();
  explanation.evidence.push_back(fmt::format("route to {}: {}dev {}", client,
                                             match->length == 0 ? "default, " : "",
                                             device_name(route->output)));
  const auto gateway = only_gateway(reply, reply.asked_by);
  const bool is_of_its_own = match->length == (reply.family == 4 ? 32 : 128);
  if (gateway && !is_of_its_own && route->table == RT_TABLE_MAIN)
    explanation.fix.push_back(
        fmt::format("{} route add {} via {} dev {}", reply.family == 4 ? "ip" : "ip -6", client,
                    gateway->text(), shell_word(device_name(reply.asked_by))));
}

Explanation takes_another_way(const DropFacts& reply) {
  const std::string in = device_name(reply.asked_by), out = device_name(reply.device);
  Explanation explanation{
      "asymmetric-route",
      fmt::format("likely lost: it leaves by {}, its request came by {}, again and again", out, in),
      {fmt::format("the request came by {}, and once more after its answer had left by {}", in,
                   out)},
      {}};
  add_route(reply, explanation);
  return explanation;
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

void add_way_back(const DropFacts& drop, Explanation& explanation) {
  if (drop.asked_by == 0 || drop.asked_by == drop.device) return;
  Explanation way;
  add_route(drop, way);
  if (way.evidence.empty()) return;  // it had not come to its way out
  explanation.evidence.push_back(
      fmt::format("it answers a request that came by {}", device_name(drop.asked_by)));
  std::ranges::move(way.evidence, std::back_inserter(explanation.evidence));
  if (explanation.fix.empty()) explanation.fix = std::move(way.fix);
}

std::optional<Explanation> explain_departure_here(const DropFacts& departure) {
  if (departure.departed == Departed::kReply) return takes_another_way(departure);
  if (auto silent = next_hop_is_silent(departure)) return silent;
  return not_masqueraded(departure);
}

}  // namespace dptrace
