#include "explain/dead_end.hpp"

#include <algorithm>

#include "explain/links.hpp"
#include "node/state/neighbour.hpp"

namespace dptrace {

namespace {

// What keeps the frame from a port; nothing when it is not known.
std::optional<std::vector<Obstacle>> obstacles_of(const BridgeSituation& now,
                                                  const Target& target) {
  const auto& [port, link, none] = target;
  std::vector<Obstacle> obstacles;
  // A port that is down, or without a carrier, is not forwarding either.
  if (!link.is_up())
    obstacles.push_back(Obstacle::kDown);
  else if (!link.has_carrier())
    obstacles.push_back(Obstacle::kNoCarrier);
  else if (!port.forwards())
    obstacles.push_back(Obstacle::kState);
  if (now.in && now.in->index == port.index && !port.hairpin)
    obstacles.push_back(Obstacle::kHairpin);
  if (now.in && now.in->isolated && port.isolated) obstacles.push_back(Obstacle::kIsolated);
  const auto vlan = vlan_of(now);
  if (!vlan) return {};
  if (*vlan != 0 && !port.has_vlan(*vlan)) obstacles.push_back(Obstacle::kVlan);
  if (now.is_flooded && !port.floods) obstacles.push_back(Obstacle::kFlood);
  return obstacles;
}

// The ports that the bridge would choose from; false when they are not known.
bool find_targets(const DropFacts& drop, BridgeSituation& now) {
  std::optional<std::uint32_t> only;
  now.is_flooded = drop.reason == "NO_TX_TARGET";
  if (!now.is_flooded) {
    const auto neighbours = find_neighbours(drop.destination, now.bridge.index);
    if (!neighbours || neighbours->empty() || neighbours->front().mac.empty()) return false;
    const auto leads_to = find_ports_of(now.bridge.index, neighbours->front().mac);
    if (!leads_to || leads_to->size() > 1) return false;
    if (!leads_to->empty()) only = leads_to->front();
    now.is_flooded = leads_to->empty();
  }
  for (const BridgePort& port : now.ports) {
    if (port.bridge != now.bridge.index || (only && port.index != *only)) continue;
    // A flood goes back by no port but one with hairpin.
    if (now.is_flooded && now.in && now.in->index == port.index && !port.hairpin) continue;
    const Link* link = find_link(now.links, port.index);
    if (link == nullptr) return false;
    now.targets.push_back({port, *link});
  }
  return !only || now.targets.size() == 1;
}

}  // namespace

std::optional<std::uint16_t> vlan_of(const BridgeSituation& now) {
  if (!now.bridge.vlan_filtering) return 0;
  // What has a tag may be of any VLAN of the port.
  if (!now.in || now.in->vlans.size() != 1 || now.in->pvid == 0) return {};
  return now.in->pvid;
}

std::optional<BridgeSituation> read_bridge_situation(const DropFacts& drop) {
  auto links = read_links(kMostLinks);
  auto ports = read_bridge_ports();
  // Of what is not read there may be a port that takes the frame.
  if (!links || !ports || links->size() >= kMostLinks) return {};
  BridgeSituation now;
  now.links = std::move(*links);
  now.ports = std::move(*ports);
  const auto in = std::ranges::find(now.ports, drop.device, &BridgePort::index);
  if (in != now.ports.end()) now.in = *in;
  const Link* bridge = find_link(now.links, now.in ? now.in->bridge : drop.device);
  if (bridge == nullptr || bridge->kind != "bridge") return {};
  now.bridge = *bridge;
  return now;
}

std::optional<BridgeSituation> read_dead_end(const DropFacts& drop) {
  auto now = read_bridge_situation(drop);
  if (!now || !find_targets(drop, *now)) return {};
  if (now->in && (now->in->locked || !now->in->forwards())) return {};
  for (Target& target : now->targets) {
    const auto obstacles = obstacles_of(*now, target);
    if (!obstacles || obstacles->empty()) return {};
    target.obstacles = *obstacles;
  }
  return now;
}

std::optional<Obstacle> common_obstacle(const BridgeSituation& now) {
  std::optional<Obstacle> common;
  for (const Target& target : now.targets) {
    if (target.obstacles.size() != 1 || (common && *common != target.obstacles.front())) return {};
    common = target.obstacles.front();
  }
  return common;
}

}  // namespace dptrace
