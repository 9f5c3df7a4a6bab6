#include "node/links.hpp"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>

#include <algorithm>
#include <string_view>

#include "model/foreign.hpp"
#include "node/netlink.hpp"

namespace dptrace {

namespace {

// The attributes that tell the underlay and the addresses of a kind of tunnel; 0 when the kind
// has no such attribute.
struct TunnelAttributes {
  std::string_view kind;
  std::uint16_t underlay;
  std::uint16_t local;
  std::uint16_t local6;
  std::uint16_t remote;
};

constexpr TunnelAttributes kTunnels[] = {
    {"vxlan", IFLA_VXLAN_LINK, IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6, 0},
    {"ipip", IFLA_IPTUN_LINK, IFLA_IPTUN_LOCAL, 0, IFLA_IPTUN_REMOTE},
    {"sit", IFLA_IPTUN_LINK, IFLA_IPTUN_LOCAL, 0, IFLA_IPTUN_REMOTE},
    {"ip6tnl", IFLA_IPTUN_LINK, IFLA_IPTUN_LOCAL, 0, IFLA_IPTUN_REMOTE},
    {"gre", IFLA_GRE_LINK, IFLA_GRE_LOCAL, 0, IFLA_GRE_REMOTE},
    {"gretap", IFLA_GRE_LINK, IFLA_GRE_LOCAL, 0, IFLA_GRE_REMOTE},
    {"ip6gre", IFLA_GRE_LINK, IFLA_GRE_LOCAL, 0, IFLA_GRE_REMOTE},
    {"ip6gretap", IFLA_GRE_LINK, IFLA_GRE_LOCAL, 0, IFLA_GRE_REMOTE},
    {"erspan", IFLA_GRE_LINK, IFLA_GRE_LOCAL, 0, IFLA_GRE_REMOTE},
    {"ip6erspan", IFLA_GRE_LINK, IFLA_GRE_LOCAL, 0, IFLA_GRE_REMOTE},
    {"vti", IFLA_VTI_LINK, IFLA_VTI_LOCAL, 0, IFLA_VTI_REMOTE},
    {"vti6", IFLA_VTI_LINK, IFLA_VTI_LOCAL, 0, IFLA_VTI_REMOTE},
};

std::uint32_t number(const nlattr* attribute) {
  return mnl_attr_validate(attribute, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(attribute);
}

std::uint16_t port(const nlattr* attribute) {
  return mnl_attr_validate(attribute, MNL_TYPE_U16) < 0 ? 0 : ntohs(mnl_attr_get_u16(attribute));
}

bool is_set(const nlattr* attribute) {
  return mnl_attr_validate(attribute, MNL_TYPE_U8) >= 0 && mnl_attr_get_u8(attribute) != 0;
}

std::string text(const nlattr* attribute) {
  return mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0 ? "" : mnl_attr_get_str(attribute);
}

void parse_kind_data(const nlattr* data, Link& link) {
  for_each_nested(data, [&](const nlattr* attribute) {
    const std::uint16_t type = mnl_attr_get_type(attribute);
    if (link.kind == "vxlan" && type == IFLA_VXLAN_PORT) link.vxlan_port = port(attribute);
    if (link.kind == "vxlan" && type == IFLA_VXLAN_ID) link.vni = number(attribute);
    if (link.kind == "vxlan" && type == IFLA_VXLAN_COLLECT_METADATA)
      link.takes_any_vni = is_set(attribute);
    if (link.kind == "bridge" && type == IFLA_BR_VLAN_FILTERING)
      link.vlan_filtering = mnl_attr_get_payload_len(attribute) == 1 && mnl_attr_get_u8(attribute);
    if (link.kind == "bridge" && type == IFLA_BR_STP_STATE) link.runs_stp = number(attribute) != 0;
    if (link.kind == "geneve" && type == IFLA_GENEVE_PORT) link.geneve_port = port(attribute);
    for (const auto& tunnel : kTunnels) {
      if (link.kind != tunnel.kind || type == 0) continue;
      if (type == tunnel.underlay) link.underlay = number(attribute);
      if (type == tunnel.local || type == tunnel.local6) {
        if (const auto local = address_attribute(attribute)) link.local = local;
      }
      if (type == tunnel.remote) link.remote = address_attribute(attribute);
    }
  });
}

void parse_link_info(const nlattr* info, Link& link) {
  const nlattr* data = nullptr;
  for_each_nested(info, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND) link.kind = clean_name(text(attribute));
    if (mnl_attr_get_type(attribute) == IFLA_INFO_DATA) data = attribute;
  });
  if (data != nullptr) parse_kind_data(data, link);
}

void append_link(const nlmsghdr* message, std::vector<Link>& links) {
  if (auto link = parse_link(message)) links.push_back(std::move(*link));
}

}  // namespace

bool Link::is_up() const { return (flags & IFF_UP) != 0; }

bool Link::has_carrier() const { return (flags & IFF_LOWER_UP) != 0; }

const Link* find_link(const std::vector<Link>& links, std::uint32_t index) {
  const auto found =
      std::ranges::find_if(links, [&](const Link& link) { return link.index == index; });
  return found == links.end() ? nullptr : &*found;
}

bool Link::has_link_header() const {
  return arp_type == ARPHRD_ETHER || arp_type == ARPHRD_LOOPBACK;
}

std::optional<Link> parse_link(const nlmsghdr* message) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg)) return {};
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  if (info->ifi_family != AF_UNSPEC) return {};

  Link link;
  link.index = static_cast<std::uint32_t>(info->ifi_index);
  link.arp_type = info->ifi_type;
  link.flags = info->ifi_flags;
  bool whole = true;
  for_each_attribute(message, sizeof *info, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_IFNAME:
        link.name = clean_name(text(attribute));
        break;
      case IFLA_MTU:
        link.mtu = number(attribute);
        break;
      case IFLA_MASTER:
        link.master = number(attribute);
        break;
      case IFLA_LINK:
        link.link = number(attribute);
        break;
      case IFLA_LINK_NETNSID:
        link.peer_elsewhere = true;
        link.peer_nsid = static_cast<std::int32_t>(number(attribute));
        break;
      case IFLA_LINKINFO:
        parse_link_info(attribute, link);
        break;
      case IFLA_WIRELESS:
        whole = false;
        break;
      default:
        break;
    }
  });
  if (!whole || link.name.empty()) return {};
  return link;
}

Result<std::vector<Link>> read_links(std::size_t most, std::int32_t nsid) {
  return dump<Link>({"network interfaces", RTM_GETLINK, AF_UNSPEC, nsid}, append_link, most);
}

}  // namespace dptrace
