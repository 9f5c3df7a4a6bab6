// Causes of routes: none leads to the destination, or one bars the way.
#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "explain/cause.hpp"
#include "model/shell_word.hpp"
#include "node/state/policy_rule.hpp"
#include "node/state/route.hpp"

namespace dptrace {

namespace {

bool may_be_reason(const DropFacts& drop, std::string_view reason) {
  return drop.reason.empty() || drop.reason == reason;
}

bool refused_by_routing(const DropFacts& drop) {
  if (drop.family == 4) return drop.by("ip_error");
  return drop.by("ip6_pkt_drop") || drop.by("ip6_pkt_discard") || drop.by("ip6_pkt_prohibit");
}

std::uint8_t family_of(const DropFacts& drop) { return drop.family == 4 ? AF_INET : AF_INET6; }
std::string_view ip(const DropFacts& drop) { return drop.family == 4 ? "ip" : "ip -6"; }

// The errno with which the kernel refuses the packet as it came in; 0: it does not.
int refusal_of(const DropFacts& drop) {
  const auto route = look_up_route({drop.destination, drop.source, drop.device, drop.mark});
  return route ? route->error : 0;
}

std::string refusal_fact(const DropFacts& drop, int error) {
  std::string question =
      fmt::format("{} route get {} from {} iif {}", ip(drop), drop.destination.text(),
                  drop.source.text(), shell_word(device_name(drop.device)));
  if (drop.mark != 0) question += fmt::format(" mark {:#x}", drop.mark);
  return fmt::format("{}: {}", question, std::strerror(error));
}

std::vector<PolicyRule> rules_of(const DropFacts& drop) {
  auto rules = read_policy_rules(family_of(drop));
  return rules ? std::move(*rules) : std::vector<PolicyRule>();
}

// True when the rule is for the packet, beyond doubt.
bool is_for(const PolicyRule& rule, const DropFacts& drop) {
  return is_for(rule, {drop.source, drop.destination, device_name(drop.device), drop.mark});
}

// ---- route-blackhole, route-unreachable, route-prohibit

struct Bar {
  std::uint8_t type;    // RTN_*
  std::uint8_t action;  // FR_ACT_*
  int error;            // of a route; a rule that says "unreachable" has the error of no route
  int rule_error;
};
constexpr Bar kBlackhole{RTN_BLACKHOLE, FR_ACT_BLACKHOLE, EINVAL, EINVAL};
constexpr Bar kUnreachable{RTN_UNREACHABLE, FR_ACT_UNREACHABLE, EHOSTUNREACH, ENETUNREACH};
constexpr Bar kProhibit{RTN_PROHIBIT, FR_ACT_PROHIBIT, EACCES, EACCES};

bool may_be_barred(const DropFacts& drop) {
  if (drop.device == 0) return false;
  // IPv6 gives all of them the reason of a route that is missing.
  if (drop.family == 6)
    return refused_by_routing(drop) || drop.by("dst_discard") || drop.by("dst_discard_out");
  return drop.by("ip_error") && may_be_reason(drop, "IP_INNOROUTES");
}

// The routes that may bar the way. Which of several tables was asked first is not known.
std::vector<TableRoute> barriers_before(const DropFacts& drop, std::uint8_t type) {
  auto barriers = read_routes(family_of(drop), type);
  if (!barriers) return {};
  std::erase_if(*barriers, [&](const TableRoute& barrier) {
    return !is_in_prefix(drop.destination, barrier.prefix, barrier.length);
  });
  return std::move(*barriers);
}

// The route that bars the way; nothing when it may be one of several tables'.
const TableRoute* only_barrier(const std::vector<TableRoute>& barriers) {
  const TableRoute* longest = nullptr;
  for (const TableRoute& barrier : barriers) {
    if (longest != nullptr && longest->table != barrier.table) return nullptr;
    if (longest == nullptr || barrier.length > longest->length) longest = &barrier;
  }
  return longest;
}

// The rules of policy routing that may bar the way.
std::vector<PolicyRule> barring_rules(const DropFacts& drop, std::uint8_t action) {
  auto rules = rules_of(drop);
  std::erase_if(rules, [&](const PolicyRule& rule) {
    return rule.action != action || !(rule.asks_more || is_for(rule, drop));
  });
  return rules;
}

// Routes that a person wrote. An agent would write its own again.
bool is_by_hand(const TableRoute& route) {
  return route.protocol == RTPROT_STATIC || route.protocol == RTPROT_BOOT;
}

// True when a route of the same table leads to the destination once the barrier is gone.
bool has_way_behind(const DropFacts& drop, const TableRoute& barrier) {
  const auto routes = read_routes(family_of(drop), RTN_UNICAST);
  return routes && std::ranges::any_of(*routes, [&](const TableRoute& route) {
           return route.table == barrier.table && route.length < barrier.length &&
                  is_in_prefix(drop.destination, route.prefix, route.length);
         });
}

std::optional<Explanation> barred_by_rule(const DropFacts& drop, const Bar& bar,
                                          const std::vector<PolicyRule>& rules) {
  if (rules.size() != 1 || rules.front().asks_more) return {};
  return Explanation{{},
                     fmt::format("a rule of policy routing says {} for {}", barrier_name(bar.type),
                                 drop.destination.text()),
                     {policy_text(rules.front()), refusal_fact(drop, bar.rule_error)},
                     {}};
}

std::optional<Explanation> prove_barred(const DropFacts& drop, const Bar& bar) {
  const int refusal = refusal_of(drop);
  if (refusal != bar.error && refusal != bar.rule_error) return {};
  const auto rules = barring_rules(drop, bar.action);
  const auto barriers = barriers_before(drop, bar.type);
  const bool may_be_rule = refusal == bar.rule_error && !rules.empty();
  const bool may_be_route = refusal == bar.error && !barriers.empty();
  if (may_be_rule) return may_be_route ? std::nullopt : barred_by_rule(drop, bar, rules);
  const TableRoute* barrier = may_be_route ? only_barrier(barriers) : nullptr;
  if (barrier == nullptr) return {};
  const std::string prefix = prefix_text(barrier->prefix, barrier->length);
  std::string route = fmt::format("{} {}", barrier_name(bar.type), prefix);
  if (barrier->table != RT_TABLE_MAIN) route += fmt::format(" table {}", barrier->table);
  std::string fact = fmt::format("{} route: {}", ip(drop), route);
  if (const auto protocol = route_protocol(barrier->protocol); !protocol.empty())
    fact += fmt::format(" proto {}", protocol);
  Explanation explanation{{},
                          fmt::format("a route of type {} covers {}, and so {}",
                                      barrier_name(bar.type), prefix, drop.destination.text()),
                          {std::move(fact), refusal_fact(drop, bar.error)},
                          {}};
  if (is_by_hand(*barrier) && has_way_behind(drop, *barrier))
    explanation.fix.push_back(fmt::format("{} route del {}", ip(drop), route));
  return explanation;
}

std::optional<Explanation> prove_blackhole(const DropFacts& drop) {
  return prove_barred(drop, kBlackhole);
}
std::optional<Explanation> prove_unreachable(const DropFacts& drop) {
  return prove_barred(drop, kUnreachable);
}
std::optional<Explanation> prove_prohibit(const DropFacts& drop) {
  return prove_barred(drop, kProhibit);
}

// ---- no-route

bool may_be_unrouted(const DropFacts& drop) {
  return refused_by_routing(drop) && may_be_reason(drop, "IP_INNOROUTES") && drop.device != 0;
}

// The route to the network next to the destination's: the ranges of the nodes lie side by side, and
// routes to other nodes are alike.
std::optional<TableRoute> sibling_of(const DropFacts& drop) {
  constexpr int kSide = 8;  // bits: as 10.244.6.0/24 and 10.244.7.0/24 share all but eight or fewer
  const auto routes = read_routes(family_of(drop), RTN_UNICAST);
  if (!routes) return {};
  const TableRoute* nearest = nullptr;
  int most = 0;
  for (const TableRoute& route : *routes) {
    const int shared = common_bits(drop.destination, route.prefix);
    if (!route.gateway || route.output == 0 || route.length - shared > kSide) continue;
    if (shared >= route.length || shared <= most) continue;
    nearest = &route;
    most = shared;
  }
  return nearest == nullptr ? std::nullopt : std::optional(*nearest);
}

std::optional<Explanation> prove_unrouted(const DropFacts& drop) {
  if (refusal_of(drop) != ENETUNREACH) return {};
  // A rule that says so has the same error.
  if (!barring_rules(drop, FR_ACT_UNREACHABLE).empty()) return {};
  Explanation explanation{{},
                          fmt::format("no route leads to {}", drop.destination.text()),
                          {refusal_fact(drop, ENETUNREACH)},
                          {}};
  for (const PolicyRule& rule : rules_of(drop)) {
    if (is_for(rule, drop)) explanation.evidence.push_back(policy_text(rule));
  }
  if (const auto sibling = sibling_of(drop)) {
    explanation.evidence.push_back(fmt::format("the network beside it has one: {} via {} dev {}",
                                               prefix_text(sibling->prefix, sibling->length),
                                               sibling->gateway->text(),
                                               device_name(sibling->output)));
  }
  return explanation;
}

constexpr std::array kCauses = {
    Cause{"route-blackhole", may_be_barred, prove_blackhole},
    Cause{"route-unreachable", may_be_barred, prove_unreachable},
    Cause{"route-prohibit", may_be_barred, prove_prohibit},
    Cause{"no-route", may_be_unrouted, prove_unrouted},
};

}  // namespace

std::span<const Cause> route_causes() { return kCauses; }

}  // namespace dptrace
