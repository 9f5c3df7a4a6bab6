// Causes of IPsec: a policy of the kernel refuses the packet.
#include <fmt/format.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "explain/cause.hpp"
#include "node/state/route.hpp"
#include "node/state/xfrm.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kMostPolicies = 10'000;

bool forwards(const DropFacts& drop) { return drop.by("ip_forward") || drop.by("ip6_forward"); }

bool may_be_refused(const DropFacts& drop) {
  return drop.reason == "XFRM_POLICY" || (drop.reason.empty() && forwards(drop) && drop.ttl > 1);
}

bool demands(const XfrmPolicy& policy) {
  return policy.blocks || std::ranges::any_of(policy.templates, [](const XfrmTemplate& one) {
           return !one.is_optional;
         });
}

// The policy of the direction that takes the packet. Nothing when it cannot be told which one does.
std::optional<XfrmPolicy> policy_for(const DropFacts& drop, std::uint8_t direction,
                                     const std::vector<XfrmPolicy>& policies) {
  std::optional<XfrmPolicy> first;
  bool is_alone = true;
  for (const XfrmPolicy& policy : policies) {
    if (policy.direction != direction ||
        !is_in_prefix(drop.source, policy.source, policy.source_length) ||
        !is_in_prefix(drop.destination, policy.destination, policy.destination_length))
      continue;
    if (first && policy.priority > first->priority) continue;
    is_alone = !first || policy.priority < first->priority;
    first = policy;
  }
  if (!first || first->is_narrow || !is_alone) return {};
  return first;
}

std::string demanded(const XfrmPolicy& policy) {
  std::string words;
  for (const XfrmTemplate& one : policy.templates) {
    if (!one.is_optional) words += (words.empty() ? "" : " and ") + xfrm_protocol(one.protocol);
  }
  return words;
}

Explanation refused_by(const XfrmPolicy& policy, std::string sentence) {
  return {{}, std::move(sentence), {fmt::format("ip xfrm policy: {}", policy.words())}, {}};
}

std::optional<Explanation> prove_inward(const DropFacts& drop, const XfrmPolicy& policy) {
  if (!demands(policy)) return {};
  auto explanation = refused_by(
      policy,
      policy.blocks
          ? fmt::format("an IPsec policy blocks what comes from {}", drop.source.text())
          : fmt::format("an IPsec policy takes what comes from {} only as {}, and this packet did "
                        "not come like that",
                        drop.source.text(), demanded(policy)));
  explanation.fix.push_back(fmt::format("ip xfrm policy delete {}", policy.words()));
  return explanation;
}

bool serves(const XfrmState& state, const XfrmTemplate& demand, const DropFacts& drop) {
  return state.protocol == demand.protocol && (demand.reqid == 0 || state.reqid == demand.reqid) &&
         state.destination == demand.destination.value_or(drop.destination);
}

// A policy whose state exists may have refused the packet for something else.
std::optional<Explanation> prove_outward(const DropFacts& drop, const XfrmPolicy& policy) {
  if (policy.blocks)
    return refused_by(
        policy, fmt::format("an IPsec policy blocks what goes to {}", drop.destination.text()));
  const auto states = read_xfrm_states(kMostPolicies);
  if (!states || states->size() == kMostPolicies) return {};
  for (const XfrmTemplate& demand : policy.templates) {
    if (demand.is_optional || std::ranges::any_of(*states, [&](const XfrmState& one) {
          return serves(one, demand, drop);
        }))
      continue;
    auto explanation = refused_by(
        policy,
        fmt::format("an IPsec policy wants what goes to {} sent as {}, and there is no state "
                    "(SA) for it",
                    drop.destination.text(), xfrm_protocol(demand.protocol)));
    explanation.evidence.push_back(fmt::format("ip xfrm state: none of proto {} reqid {}",
                                               xfrm_protocol(demand.protocol), demand.reqid));
    return explanation;
  }
  return {};
}

std::optional<Explanation> prove_refused(const DropFacts& drop) {
  const auto policies = read_xfrm_policies(drop.family == 4 ? AF_INET : AF_INET6, kMostPolicies);
  if (!policies || policies->size() == kMostPolicies) return {};
  // What is forwarded has to pass the policy of the way in first.
  const auto inward =
      policy_for(drop, forwards(drop) ? XFRM_POLICY_FWD : XFRM_POLICY_IN, *policies);
  if (inward) {
    if (auto explanation = prove_inward(drop, *inward)) return explanation;
  }
  if (!forwards(drop)) return {};
  const auto outward = policy_for(drop, XFRM_POLICY_OUT, *policies);
  return outward ? prove_outward(drop, *outward) : std::nullopt;
}

constexpr std::array kCauses = {
    Cause{"xfrm-policy", may_be_refused, prove_refused},
};

}  // namespace

std::span<const Cause> ipsec_causes() { return kCauses; }

}  // namespace dptrace
