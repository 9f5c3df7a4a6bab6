// The dead end of a frame in a bridge: the ports that it might have left by, and what each has
// against it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "explain/drop_facts.hpp"
#include "node/links.hpp"
#include "node/state/bridge.hpp"

namespace dptrace {

enum class Obstacle : std::uint8_t {
  kDown,
  kNoCarrier,
  kState,
  kHairpin,
  kIsolated,
  kVlan,
  kFlood
};

/// A port that the bridge would send the frame by.
struct Target {
  BridgePort port;
  Link link;
  std::vector<Obstacle> obstacles{};
};

struct BridgeSituation {
  std::vector<Link> links{};
  std::vector<BridgePort> ports{};
  Link bridge{};
  std::optional<BridgePort> in{};  ///< nothing: the frame is the node's own
  bool is_flooded = false;         ///< the bridge does not know the address, and asks all ports
  std::vector<Target> targets{};
};

/// The bridge that the drop's device is, or is a port of; without targets. Nothing for other
/// devices.
std::optional<BridgeSituation> read_bridge_situation(const DropFacts& drop);

/// The situation in which each port that the frame might leave by has something against it. Nothing
/// when one has not, or when it is not certain which ports these are.
std::optional<BridgeSituation> read_dead_end(const DropFacts& drop);

/// The one thing that all ports have against the frame; nothing when they have several.
std::optional<Obstacle> common_obstacle(const BridgeSituation& now);

/// The VLAN of the frame; nothing when it is not known, 0 when the bridge has none.
std::optional<std::uint16_t> vlan_of(const BridgeSituation& now);

}  // namespace dptrace
