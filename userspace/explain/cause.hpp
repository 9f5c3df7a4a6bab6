// A cause is a row: which drops it may be behind, and what of the node's state proves it.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "explain/drop_facts.hpp"
#include "model/explanation.hpp"

namespace dptrace {

struct Cause {
  std::string_view name;  ///< identifier, the file of docs/causes
  /// True when what the kernel told lets the drop be of this cause.
  bool (*may_be)(const DropFacts& drop);
  /// Reads the state of the netns that the calling thread is in. Nothing when that does not prove
  /// the cause.
  std::optional<Explanation> (*prove)(const DropFacts& drop);
};

// The families of causes, a file each.
std::span<const Cause> routing_causes();
std::span<const Cause> route_causes();
std::span<const Cause> neighbour_causes();
std::span<const Cause> tunnel_causes();
std::span<const Cause> socket_causes();
std::span<const Cause> protocol_causes();
std::span<const Cause> netfilter_causes();
std::span<const Cause> unseen_rule_causes();
std::span<const Cause> conntrack_causes();
std::span<const Cause> ipsec_causes();
std::span<const Cause> link_causes();
std::span<const Cause> bridge_causes();
std::span<const Cause> queue_causes();
std::span<const Cause> filter_causes();

/// True when some cause may be behind the drop, so that it is worth asking the node.
bool may_have_cause(const DropFacts& drop);

/// The explanation of a drop of which no cause was proved: `unknown`.
Explanation unexplained();

/// The first cause that the state of the calling thread's netns proves; unexplained() when none is.
Explanation explain_here(const DropFacts& drop);

/// The name of a device of the calling thread's netns; `device 7` when it is gone.
std::string device_name(std::uint32_t index);

/// `/proc/sys/net/ipv4/conf/cni0/forwarding` without `/proc/sys/`.
std::string device_setting(const DropFacts& drop, std::string_view device,
                           std::string_view setting);

}  // namespace dptrace
