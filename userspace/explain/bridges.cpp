// Causes of bridges: the port does not let the frame in, or no port may send it.
#include <fmt/format.h>
#include <linux/if_bridge.h>

#include <algorithm>
#include <array>

#include "explain/cause.hpp"
#include "explain/dead_end.hpp"
#include "explain/links.hpp"
#include "model/shell_word.hpp"
#include "node/state/route.hpp"

namespace dptrace {

namespace {

// ---- what may be behind the drop

bool is_unicast(const DropFacts& drop) {
  static const Address ipv4 = *Address::parse("224.0.0.0"), ipv6 = *Address::parse("ff00::");
  return !is_in_prefix(drop.destination, ipv4, 3) && !is_in_prefix(drop.destination, ipv6, 8);
}

bool is_of_bridge(const DropFacts& drop) {
  return drop.device != 0 && drop.family != 0 && is_unicast(drop);
}

// Kernels before 6.14 give no reasons here.
bool may_be_shut(const DropFacts& drop) {
  if (!is_of_bridge(drop)) return false;
  if (drop.reason == "BRIDGE_INGRESS_STP_STATE") return true;
  return drop.reason.empty() && (drop.by("br_handle_frame") || drop.by("br_handle_frame_finish"));
}

bool found_no_port(const DropFacts& drop) {
  if (!is_of_bridge(drop) || !(drop.reason.empty() || drop.reason == "NO_TX_TARGET")) return false;
  return drop.by("br_handle_frame_finish") || drop.by("br_dev_xmit") || drop.by("br_flood") ||
         drop.by("br_forward") || drop.by("__br_forward");
}

bool is_of_no_vlan(const DropFacts& drop) {
  return drop.device != 0 && drop.reason.empty() &&
         (drop.by("__allowed_ingress") || drop.by("br_allowed_ingress"));
}

// ---- how it is said

std::string fact(const BridgeSituation& now, const Target& target, Obstacle obstacle) {
  const std::string& name = target.link.name;
  switch (obstacle) {
    case Obstacle::kDown:
      return fmt::format("{}: not UP", name);
    case Obstacle::kNoCarrier:
      return fmt::format("{}: NO-CARRIER", name);
    case Obstacle::kState:
      return fmt::format("{}: state {}", name, port_state(target.port.state));
    case Obstacle::kHairpin:
      return fmt::format("{}: hairpin off", name);
    case Obstacle::kIsolated:
      return fmt::format("{}: isolated on", name);
    case Obstacle::kVlan:
      return fmt::format("{}: not of VLAN {}", name, vlan_of(now).value_or(0));
    case Obstacle::kFlood:
      return fmt::format("{}: flood off", name);
  }
  return {};
}

void append_facts(const BridgeSituation& now, std::vector<std::string>& evidence) {
  constexpr std::size_t kShown = 4;
  std::vector<std::string> facts;
  for (const Target& target : now.targets) {
    for (const Obstacle obstacle : target.obstacles) facts.push_back(fact(now, target, obstacle));
  }
  for (std::size_t i = 0; i < facts.size() && i < kShown; ++i) evidence.push_back(facts[i]);
  if (facts.size() > kShown) evidence.push_back(fmt::format("and {} more", facts.size() - kShown));
}

std::string subject(const BridgeSituation& now) {
  if (now.targets.size() > 1)
    return fmt::format("no {}port of {}", now.in ? "other " : "", now.bridge.name);
  return fmt::format("{}, a port of {},", now.targets.front().link.name, now.bridge.name);
}

/// `veth2, a port of cni0, is not forwarding`, or `no other port of cni0 is forwarding`.
std::string subject_is_not(const BridgeSituation& now, std::string_view what) {
  return fmt::format("{} is {}{}", subject(now), now.targets.size() > 1 ? "" : "not ", what);
}

std::string port_command(const Link& link, std::string_view setting) {
  return fmt::format("bridge link set dev {} {}", shell_word(link.name), setting);
}

// Where STP runs, it decides, and the kernel lets nobody else. A port that cannot send has no other
// state than disabled.
void add_state_fix(const BridgeSituation& now, const Link& link, std::vector<std::string>& fix) {
  if (!now.bridge.runs_stp && link.is_up() && link.has_carrier())
    fix.push_back(port_command(link, fmt::format("state {}", BR_STATE_FORWARDING)));
}

// ---- bridge-port-blocked

std::optional<Explanation> prove_shut(const DropFacts& drop) {
  const auto now = read_bridge_situation(drop);
  if (!now || !now->in || now->in->forwards()) return {};
  if (drop.by("br_handle_frame") && now->in->lets_in()) return {};
  const Link* link = find_link(now->links, now->in->index);
  if (link == nullptr) return {};
  const std::string_view state = port_state(now->in->state);
  Explanation explanation;
  explanation.sentence = fmt::format("{}, a port of {}, is {}: it lets nothing in", link->name,
                                     now->bridge.name, state);
  explanation.evidence.push_back(fmt::format("{}: state {}", link->name, state));
  explanation.evidence.push_back(
      fmt::format("{}: STP {}", now->bridge.name, now->bridge.runs_stp ? "runs" : "is off"));
  add_state_fix(*now, *link, explanation.fix);
  return explanation;
}

// ---- causes at the port that the frame would leave by

template <Obstacle obstacle>
std::optional<Explanation> prove(const DropFacts& drop) {
  const auto now = read_dead_end(drop);
  if (!now || common_obstacle(*now) != obstacle) return {};
  const Target& first = now->targets.front();
  const bool single = now->targets.size() == 1;
  Explanation explanation;
  auto& [cause, sentence, evidence, fix, fix_netns] = explanation;
  const Link* in = now->in ? find_link(now->links, now->in->index) : nullptr;
  if (obstacle == Obstacle::kIsolated && in != nullptr)
    evidence.push_back(fmt::format("{}: isolated on", in->name));
  append_facts(*now, evidence);
  switch (obstacle) {
    case Obstacle::kDown:
      sentence = subject_is_not(*now, "up");
      if (single) fix.push_back(fmt::format("ip link set {} up", shell_word(first.link.name)));
      break;
    case Obstacle::kNoCarrier:
      if (single) {
        if (auto peer = explain_veth_peer(first.link, now->links)) return peer;
      }
      sentence = fmt::format("{} has {}carrier", subject(*now), single ? "no " : "a ");
      break;
    case Obstacle::kState:
      sentence = subject_is_not(*now, "forwarding");
      evidence.push_back(
          fmt::format("{}: STP {}", now->bridge.name, now->bridge.runs_stp ? "runs" : "is off"));
      if (single) add_state_fix(*now, first.link, fix);
      break;
    case Obstacle::kHairpin:
      sentence = fmt::format("the frame would leave {} by {}, the port that it came in by",
                             now->bridge.name, first.link.name);
      fix.push_back(port_command(first.link, "hairpin on"));
      break;
    case Obstacle::kIsolated:
      if (in == nullptr) return {};
      sentence = fmt::format("{} is isolated, and may send to no other isolated port of {}",
                             in->name, now->bridge.name);
      if (single) fix.push_back(port_command(*in, "isolated off"));
      break;
    case Obstacle::kVlan:
      sentence = subject_is_not(
          *now, fmt::format("of VLAN {}, which is the frame's", vlan_of(*now).value_or(0)));
      if (single)
        fix.push_back(fmt::format("bridge vlan add dev {} vid {} {}untagged",
                                  shell_word(first.link.name), vlan_of(*now).value_or(0),
                                  first.port.pvid == 0 ? "pvid " : ""));
      break;
    case Obstacle::kFlood:
      return {};
  }
  return explanation;
}

// ---- bridge-vlan-filtered

std::optional<Explanation> prove_no_vlan(const DropFacts& drop) {
  if (!is_of_no_vlan(drop)) return prove<Obstacle::kVlan>(drop);
  const auto now = read_bridge_situation(drop);
  if (!now || !now->in || !now->bridge.vlan_filtering) return {};
  const std::string name = device_name(drop.device);
  Explanation explanation;
  explanation.evidence = {fmt::format("{}: vlan_filtering 1", now->bridge.name),
                          fmt::format("{}: VLANs {}", name, fmt::join(now->in->vlans, " "))};
  if (now->in->vlans.empty()) explanation.evidence.back() = fmt::format("{}: of no VLAN", name);
  explanation.sentence =
      fmt::format("{}, a port of {}, is not of the frame's VLAN", name, now->bridge.name);
  if (now->in->pvid == 0) explanation.sentence += ", and has none for frames without a tag";
  return explanation;
}

// ---- bridge-no-port

std::optional<Explanation> prove_no_port(const DropFacts& drop) {
  const auto now = read_dead_end(drop);
  if (!now) return {};
  const auto common = common_obstacle(*now);
  if (common && *common != Obstacle::kFlood) return {};
  Explanation explanation;
  explanation.sentence =
      fmt::format("{} has no {}port that may take it", now->bridge.name, now->in ? "other " : "");
  if (common)
    explanation.sentence =
        fmt::format("{} does not know the frame's MAC address, and no port takes such frames",
                    now->bridge.name);
  append_facts(*now, explanation.evidence);
  if (now->targets.empty())
    explanation.evidence.push_back(
        fmt::format("{}: no {}port", now->bridge.name, now->in ? "other " : ""));
  if (common && now->targets.size() == 1)
    explanation.fix.push_back(port_command(now->targets.front().link, "flood on"));
  return explanation;
}

constexpr std::array kCauses = {
    Cause{"bridge-port-blocked", may_be_shut, prove_shut},
    Cause{"device-down", found_no_port, prove<Obstacle::kDown>},
    Cause{"no-carrier", found_no_port, prove<Obstacle::kNoCarrier>},
    Cause{"bridge-port-blocked", found_no_port, prove<Obstacle::kState>},
    Cause{"bridge-hairpin-off", found_no_port, prove<Obstacle::kHairpin>},
    Cause{"bridge-port-isolated", found_no_port, prove<Obstacle::kIsolated>},
    Cause{"bridge-vlan-filtered",
          [](const DropFacts& drop) { return is_of_no_vlan(drop) || found_no_port(drop); },
          prove_no_vlan},
    Cause{"bridge-no-port", found_no_port, prove_no_port},
};

}  // namespace

std::span<const Cause> bridge_causes() { return kCauses; }

}  // namespace dptrace
