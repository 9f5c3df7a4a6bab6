// A link is a network device of a network namespace, as rtnetlink tells it.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/address.hpp"
#include "model/result.hpp"
#include "node/netlink.hpp"

namespace dptrace {

struct Link {
  std::uint32_t index = 0;
  std::string name{};          ///< as clean_name() leaves it
  std::string kind{};          ///< rtnl_link_ops.kind; empty for a physical device and for lo
  std::uint16_t arp_type = 0;  ///< ARPHRD_*
  std::uint32_t flags = 0;     ///< IFF_*
  std::uint32_t mtu = 0;
  std::uint32_t master = 0;     ///< index of the bridge, bond or datapath it is a port of; 0: none
  std::uint32_t link = 0;       ///< index of its peer or lower device, in that one's netns; 0: none
  bool peer_elsewhere = false;  ///< `link` is of another netns
  std::int32_t peer_nsid = -1;  ///< number that this netns has for that one; -1: not known

  // These are set for tunnels only.
  std::uint32_t underlay = 0;       ///< index of the device it is bound to; 0: none
  std::optional<Address> local{};   ///< outer source address; nothing: any
  std::optional<Address> remote{};  ///< outer destination address; nothing: any
  std::uint16_t vxlan_port = 0;     ///< host byte order
  std::uint16_t geneve_port = 0;
  std::uint32_t vni = 0;       ///< of VXLAN; 0 also where it is not known
  bool takes_any_vni = false;  ///< VXLAN: packets of all VNIs (metadata mode)

  // These are set for bridges only.
  bool vlan_filtering = false;
  bool runs_stp = false;  ///< by the kernel or by a program

  bool is_up() const;
  /// True when something is at the other end that takes packets; false for a device that is down.
  bool has_carrier() const;
  /// True when the device's packets begin with a link header. Those of tunl0 and of WireGuard begin
  /// with the network header.
  bool has_link_header() const;
};

/// The first `most` links of the calling thread's netns, or of the netns that it numbers `nsid`.
Result<std::vector<Link>> read_links(std::size_t most = SIZE_MAX, std::int32_t nsid = kHere);

/// The link with that index; null when there is none.
const Link* find_link(const std::vector<Link>& links, std::uint32_t index);

/// The link that a message is about. Nothing for messages that tell only a part: those of a bridge
/// about its port, or of a wireless driver.
std::optional<Link> parse_link(const nlmsghdr* message);

}  // namespace dptrace
