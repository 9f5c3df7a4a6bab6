// A role says what a device of a network namespace is to the node. It follows from how the device
// is wired; names of devices say nothing here.
//
// A netns is like a node's when it has one of
//   - a bridge or an Open vSwitch device;
//   - a tunnel that is up: tunl0, sit0 and gre0 are in every netns, but down, once their modules
//     are loaded; wireguard and tun prove nothing, a pod may have a VPN;
//   - the host side of a pod's veth: its peer is in another netns, no route leaves through it by a
//     gateway or by default, and it has no address of a subnet (a ptp or Calico veth has none, or
//     a /32);
//   - a physical device, unless a veth or macvlan has the default route (a pod with a virtual
//     function).
// A container that runs containers of its own is therefore taken for a node, as in kind.
//
// The role of a device is the first that fits:
//   loopback: IFF_LOOPBACK.
//   other: an internal port of Open vSwitch with an address of a subnet: the node's own port.
//   bridge: bridge, openvswitch.
//   overlay: vxlan, geneve, ipip, gre, sit, ip6tnl, wireguard, ..., and tun without a link header.
//   uplink, in a node: physical devices, bond, team, vlan; a veth to another netns or a macvlan
//     that is a way out.
//   pod: any other veth to another netns, unless that is known to be like a node's (see Namer); in
//     a pod, whatever leads out of it.
//   other: a tap (of a virtual machine), dummy (kube-ipvs0, flannel.null), ifb, vrf, a veth with
//     both ends here, ...
//
// A way out is a device with a default route or a route by a gateway, one below a VLAN or a bond,
// the underlay of a tunnel, or the device that holds a tunnel's local address. Where there is none
// but a tunnel is up (its remotes are told by flows or by routes on itself: Antrea, Calico), every
// veth to elsewhere with an address of a subnet is a way out.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "model/interface.hpp"
#include "node/topology.hpp"

namespace dptrace {

bool is_node_like(const NetnsTopology& topology);

/// The role of each device, by its index.
std::map<std::uint32_t, Role> roles(const NetnsTopology& topology);
/// The role of one device; to get those of all devices, use roles().
Role role_of(const Link& link, const NetnsTopology& topology);

/// The devices that get tc programs unless told otherwise: every veth, bridges, tunnels and Open
/// vSwitch's internal ports while they are up, uplinks with their bonds and VLANs.
bool is_datapath_device(const Link& link, Role role);
bool is_datapath_device(const Link& link, const NetnsTopology& topology);

/// The device as events and outputs name it.
Interface to_interface(const Link& link, std::uint32_t netns, Role role);
std::vector<Interface> interfaces(std::uint32_t netns, const NetnsTopology& topology);

}  // namespace dptrace
