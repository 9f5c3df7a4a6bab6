#include "node/topology.hpp"

#include <algorithm>
#include <tuple>

#include "node/netlink.hpp"

namespace dptrace {

namespace {

// RTA_VIA stands for RTA_GATEWAY where the gateway of an IPv4 route is an IPv6 address.
bool is_gateway(const nlattr* attribute) {
  const auto type = mnl_attr_get_type(attribute);
  return type == RTA_GATEWAY || type == RTA_VIA;
}

std::optional<Address> gateway_of(const nlattr* attribute) {
  if (mnl_attr_get_type(attribute) == RTA_GATEWAY) return address_attribute(attribute);
  if (mnl_attr_get_payload_len(attribute) != sizeof(rtvia) + 16) return {};
  dpt_address wire{};
  const auto* via = static_cast<const rtvia*>(mnl_attr_get_payload(attribute));
  std::copy_n(via->rtvia_addr, sizeof wire.bytes, wire.bytes);
  return Address(wire);
}

void append_multipath(const nlattr* multipath, bool is_default, std::vector<NextHop>& next_hops) {
  const auto* at = static_cast<const std::uint8_t*>(mnl_attr_get_payload(multipath));
  std::size_t left = mnl_attr_get_payload_len(multipath);
  while (left >= sizeof(rtnexthop)) {
    const auto* hop = static_cast<const rtnexthop*>(static_cast<const void*>(at));
    if (hop->rtnh_len < sizeof *hop || hop->rtnh_len > left) return;
    NextHop next_hop{static_cast<std::uint32_t>(hop->rtnh_ifindex), {}, is_default};
    for_each_attribute(hop + 1, hop->rtnh_len - sizeof *hop, [&](const nlattr* attribute) {
      if (is_gateway(attribute)) next_hop.gateway = gateway_of(attribute);
    });
    next_hops.push_back(next_hop);
    const std::size_t step = RTNH_ALIGN(hop->rtnh_len);
    at += std::min(step, left);
    left -= std::min(step, left);
  }
}

}  // namespace

void parse_address(const nlmsghdr* message, std::vector<InterfaceAddress>& addresses) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(ifaddrmsg)) return;
  const auto* info = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
  std::optional<Address> address;
  std::optional<Address> local;  // on a point-to-point device IFA_ADDRESS is that of the peer
  for_each_attribute(message, sizeof *info, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == IFA_ADDRESS) address = address_attribute(attribute);
    if (mnl_attr_get_type(attribute) == IFA_LOCAL) local = address_attribute(attribute);
  });
  if (!local) local = address;
  if (local) addresses.push_back({info->ifa_index, *local, info->ifa_prefixlen});
}

void parse_next_hops(const nlmsghdr* message, std::vector<NextHop>& next_hops) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(rtmsg)) return;
  const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  if (info->rtm_table != RT_TABLE_MAIN || info->rtm_type != RTN_UNICAST) return;
  if (info->rtm_flags & RTM_F_CLONED) return;
  NextHop next_hop{0, {}, info->rtm_dst_len == 0};
  for_each_attribute(message, sizeof *info, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case RTA_OIF:
        next_hop.index = mnl_attr_get_u32(attribute);
        break;
      case RTA_GATEWAY:
      case RTA_VIA:
        next_hop.gateway = gateway_of(attribute);
        break;
      case RTA_MULTIPATH:
        append_multipath(attribute, next_hop.is_default, next_hops);
        break;
      default:
        break;
    }
  });
  if (next_hop.index != 0) next_hops.push_back(next_hop);
}

const Link* NetnsTopology::link(std::uint32_t index) const {
  const auto found = std::find_if(links.begin(), links.end(),
                                  [&](const Link& link) { return link.index == index; });
  return found == links.end() ? nullptr : &*found;
}

Result<std::vector<InterfaceAddress>> read_addresses(std::size_t most, std::int32_t nsid) {
  return dump<InterfaceAddress>({"addresses", RTM_GETADDR, AF_UNSPEC, nsid}, parse_address, most);
}

Result<std::vector<NextHop>> read_next_hops(std::size_t most) {
  auto next_hops = dump<NextHop>({"routes", RTM_GETROUTE, AF_INET}, parse_next_hops, most);
  if (!next_hops) return next_hops;
  const auto ipv6 = dump<NextHop>({"IPv6 routes", RTM_GETROUTE, AF_INET6}, parse_next_hops, most);
  if (!ipv6) return ipv6;
  next_hops->insert(next_hops->end(), ipv6->begin(), ipv6->end());

  const auto key = [](const NextHop& hop) {
    return std::make_tuple(hop.index, hop.is_default, hop.gateway);
  };
  std::sort(next_hops->begin(), next_hops->end(),
            [&](const NextHop& a, const NextHop& b) { return key(a) < key(b); });
  const auto equal = [&](const NextHop& a, const NextHop& b) { return key(a) == key(b); };
  next_hops->erase(std::unique(next_hops->begin(), next_hops->end(), equal), next_hops->end());
  return next_hops;
}

Result<NetnsTopology> read_topology(std::size_t most) {
  auto links = read_links(most);
  if (!links) return tl::unexpected<Error>(links.error());
  auto addresses = read_addresses(most);
  if (!addresses) return tl::unexpected<Error>(addresses.error());
  auto next_hops = read_next_hops(most);
  if (!next_hops) return tl::unexpected<Error>(next_hops.error());
  return NetnsTopology{std::move(*links), std::move(*addresses), std::move(*next_hops)};
}

std::set<std::uint32_t> default_route_interfaces(const std::vector<NextHop>& next_hops) {
  std::set<std::uint32_t> indices;
  for (const auto& next_hop : next_hops) {
    if (next_hop.is_default) indices.insert(next_hop.index);
  }
  return indices;
}

}  // namespace dptrace
