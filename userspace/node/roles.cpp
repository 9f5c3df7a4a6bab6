#include "node/roles.hpp"

#include <linux/if.h>
#include <linux/if_arp.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

namespace dptrace {

namespace {

using Indices = std::set<std::uint32_t>;

constexpr std::array<std::string_view, 2> kBridges = {"bridge", "openvswitch"};
constexpr std::array<std::string_view, 2> kPairs = {"veth", "netkit"};
constexpr std::array<std::string_view, 4> kShared = {"macvlan", "macvtap", "ipvlan", "ipvtap"};
// Devices of these kinds stand for a physical device that is below them.
constexpr std::array<std::string_view, 4> kStacked = {"bond", "team", "vlan", "macsec"};
constexpr std::array<std::string_view, 15> kTunnels = {
    "vxlan", "geneve", "ipip",    "gre",       "gretap", "ip6gre", "ip6gretap", "erspan",
    "sit",   "ip6tnl", "bareudp", "ip6erspan", "vti",    "vti6",   "xfrm"};

template <std::size_t Size>
bool is_one_of(const Link& link, const std::array<std::string_view, Size>& kinds) {
  return std::find(kinds.begin(), kinds.end(), link.kind) != kinds.end();
}

bool is_vpn(const Link& link) {
  return link.kind == "wireguard" || (link.kind == "tun" && link.arp_type != ARPHRD_ETHER);
}

bool is_physical(const Link& link) {
  constexpr std::array<std::uint16_t, 4> kTypes = {ARPHRD_ETHER, ARPHRD_INFINIBAND, ARPHRD_PPP,
                                                   ARPHRD_RAWIP};
  return link.kind.empty() && !(link.flags & IFF_LOOPBACK) &&
         std::find(kTypes.begin(), kTypes.end(), link.arp_type) != kTypes.end();
}

bool is_to_elsewhere(const Link& link) {
  return link.peer_elsewhere && (is_one_of(link, kPairs) || is_one_of(link, kShared));
}

// True for an address of a subnet that others share; false for an address of the host alone (/32,
// /128) and for a link-local one.
bool is_of_subnet(const InterfaceAddress& held) {
  const bool ipv4 = held.address.is_ipv4();
  const auto* bytes = held.address.bytes.bytes;
  const bool link_local =
      ipv4 ? bytes[12] == 169 && bytes[13] == 254 : bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
  return !link_local && held.prefix_length < (ipv4 ? 32 : 128);
}

Indices with_subnet(const NetnsTopology& topology) {
  Indices indices;
  for (const auto& held : topology.addresses) {
    if (is_of_subnet(held)) indices.insert(held.index);
  }
  return indices;
}

Indices with_route_out(const NetnsTopology& topology) {
  Indices indices;
  for (const auto& hop : topology.next_hops) {
    if (hop.is_default || hop.gateway) indices.insert(hop.index);
  }
  return indices;
}

// The devices of which VLANs and bonds are made.
Indices below_stacked(const NetnsTopology& topology) {
  Indices stacked;
  Indices below;
  for (const auto& link : topology.links) {
    if (!is_one_of(link, kStacked)) continue;
    stacked.insert(link.index);
    if (!link.peer_elsewhere) below.insert(link.link);
  }
  for (const auto& link : topology.links) {
    if (stacked.contains(link.master)) below.insert(link.index);
  }
  return below;
}

Indices ways_out(const NetnsTopology& topology) {
  Indices out = with_route_out(topology);
  out.merge(below_stacked(topology));
  bool tunnel_is_up = false;
  for (const auto& link : topology.links) {
    if (!is_one_of(link, kTunnels) && !is_vpn(link)) continue;
    tunnel_is_up |= link.is_up();
    out.insert(link.underlay);
    for (const auto& held : topology.addresses) {
      if (link.local == held.address) out.insert(held.index);
    }
  }

  // Routes to other nodes' pods lead through bridges and tunnels, and do not tell which device
  // carries these.
  const auto defaults = default_route_interfaces(topology.next_hops);
  const bool known =
      std::any_of(topology.links.begin(), topology.links.end(), [&](const Link& link) {
        if (is_one_of(link, kBridges)) return defaults.contains(link.index);
        return is_physical(link) || is_one_of(link, kStacked) ||
               (is_to_elsewhere(link) && out.contains(link.index));
      });
  if (known || !tunnel_is_up) return out;
  const auto subnet = with_subnet(topology);
  for (const auto& link : topology.links) {
    if (is_to_elsewhere(link) && link.master == 0 && subnet.contains(link.index)) {
      out.insert(link.index);
    }
  }
  return out;
}

// Wiring has the facts that are the same for every device of a netns.
struct Wiring {
  explicit Wiring(const NetnsTopology& topology)
      : node_like(is_node_like(topology)), out(ways_out(topology)), held(with_subnet(topology)) {}

  bool node_like;
  Indices out;
  Indices held;  // devices with an address of a subnet
};

Role role_in(const Wiring& wiring, const Link& link) {
  if (link.flags & IFF_LOOPBACK) return Role::kLoopback;
  // An internal port with an address is the node's own port on Open vSwitch (antrea-gw0); it is not
  // the bridge that has other devices as ports.
  if (link.kind == "openvswitch" && wiring.held.contains(link.index)) return Role::kOther;
  if (is_one_of(link, kBridges)) return Role::kBridge;
  if (is_one_of(link, kTunnels) || is_vpn(link)) return Role::kOverlay;
  const Role to_outside = wiring.node_like ? Role::kUplink : Role::kPod;
  if (is_physical(link) || is_one_of(link, kStacked)) return to_outside;
  if (is_to_elsewhere(link)) {
    if (wiring.out.contains(link.index)) return to_outside;
    return is_one_of(link, kPairs) || !wiring.node_like ? Role::kPod : Role::kOther;
  }
  if (is_one_of(link, kShared) && wiring.out.contains(link.index)) return to_outside;
  return Role::kOther;
}

}  // namespace

bool is_node_like(const NetnsTopology& topology) {
  const auto routed = with_route_out(topology);
  const auto subnet = with_subnet(topology);
  const auto defaults = default_route_interfaces(topology.next_hops);
  const bool leaves_by_veth = std::any_of(
      topology.links.begin(), topology.links.end(),
      [&](const Link& link) { return is_to_elsewhere(link) && defaults.contains(link.index); });
  return std::any_of(topology.links.begin(), topology.links.end(), [&](const Link& link) {
    if (is_one_of(link, kBridges)) return true;
    if (is_one_of(link, kTunnels)) return link.is_up();
    if (is_physical(link)) return !leaves_by_veth;
    return is_one_of(link, kPairs) && link.peer_elsewhere && !routed.contains(link.index) &&
           !subnet.contains(link.index);
  });
}

std::map<std::uint32_t, Role> roles(const NetnsTopology& topology) {
  const Wiring wiring(topology);
  std::map<std::uint32_t, Role> roles;
  for (const auto& link : topology.links) roles[link.index] = role_in(wiring, link);
  return roles;
}

Role role_of(const Link& link, const NetnsTopology& topology) {
  return role_in(Wiring(topology), link);
}

bool is_datapath_device(const Link& link, Role role) {
  switch (role) {
    case Role::kOverlay:
      return link.is_up();
    case Role::kBridge:
      return link.kind != "openvswitch" || link.is_up();
    case Role::kPod:
    case Role::kUplink:
      return true;
    case Role::kLoopback:
    case Role::kOther:
      break;
  }
  const bool is_tap_of_bridge = link.kind == "tun" && link.master != 0;
  return is_one_of(link, kPairs) || is_tap_of_bridge ||
         (link.kind == "openvswitch" && link.is_up());
}

bool is_datapath_device(const Link& link, const NetnsTopology& topology) {
  return is_datapath_device(link, role_of(link, topology));
}

Interface to_interface(const Link& link, std::uint32_t netns, Role role) {
  std::string kind = link.kind;
  if (kind.empty()) kind = role == Role::kLoopback ? "loopback" : "device";
  return {{netns, link.index}, link.name, kind, role, link.mtu, 0, link.master};
}

std::vector<Interface> interfaces(std::uint32_t netns, const NetnsTopology& topology) {
  const Wiring wiring(topology);
  std::vector<Interface> interfaces;
  for (const auto& link : topology.links) {
    interfaces.push_back(to_interface(link, netns, role_in(wiring, link)));
  }
  return interfaces;
}

}  // namespace dptrace
