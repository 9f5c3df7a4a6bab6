#include "explain/way_back.hpp"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "explain/cause.hpp"
#include "explain/links.hpp"
#include "model/shell_word.hpp"
#include "node/state/route.hpp"

namespace dptrace {

namespace {

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

// Adds the route by which the answer leaves and, if it is certain, the one by which it would leave
// by the device that its request came by. A look-up tells of a route but the destination that was
// asked for, so that its prefix is asked for apart.
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

}  // namespace

Explanation takes_another_way(const DropFacts& reply) {
  const std::string in = device_name(reply.asked_by), out = device_name(reply.device);
  Explanation explanation{
      "asymmetric-route",
      fmt::format("likely lost: it leaves by {}, but its request came by {}, and came again", out,
                  in),
      {fmt::format("the request came by {}, and once more after its answer had left by {}", in,
                   out)},
      {}};
  add_route(reply, explanation);
  return explanation;
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

}  // namespace dptrace
