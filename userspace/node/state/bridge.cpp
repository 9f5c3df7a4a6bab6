#include "node/state/bridge.hpp"

#include <linux/if_bridge.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>

#include "node/netlink.hpp"
#include "node/state/mac.hpp"

namespace dptrace {

namespace {

bool is_set(const nlattr* attribute) {
  return mnl_attr_get_payload_len(attribute) == 1 && mnl_attr_get_u8(attribute) != 0;
}

std::uint32_t number(const nlattr* attribute) {
  return mnl_attr_validate(attribute, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(attribute);
}

void read_port(const nlattr* info, BridgePort& port) {
  for_each_nested(info, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_BRPORT_STATE:
        if (mnl_attr_get_payload_len(attribute) == 1) port.state = mnl_attr_get_u8(attribute);
        break;
      case IFLA_BRPORT_MODE:
        port.hairpin = is_set(attribute);
        break;
      case IFLA_BRPORT_ISOLATED:
        port.isolated = is_set(attribute);
        break;
      case IFLA_BRPORT_UNICAST_FLOOD:
        port.floods = is_set(attribute);
        break;
      case IFLA_BRPORT_LOCKED:
        port.locked = is_set(attribute);
        break;
      default:
        break;
    }
  });
}

void read_vlans(const nlattr* bridging, BridgePort& port) {
  for_each_nested(bridging, [&](const nlattr* attribute) {
    bridge_vlan_info vlan{};
    if (mnl_attr_get_type(attribute) != IFLA_BRIDGE_VLAN_INFO ||
        mnl_attr_get_payload_len(attribute) < sizeof vlan)
      return;
    std::memcpy(&vlan, mnl_attr_get_payload(attribute), sizeof vlan);
    port.vlans.push_back(vlan.vid);
    if (vlan.flags & BRIDGE_VLAN_INFO_PVID) port.pvid = vlan.vid;
  });
}

struct Search {
  std::uint32_t bridge;
  const std::string& mac;
  std::vector<std::uint32_t> ports{};
};

int take_entry(const nlmsghdr* message, void* data) {
  auto& search = *static_cast<Search*>(data);
  if (mnl_nlmsg_get_payload_len(message) < sizeof(ndmsg)) return MNL_CB_OK;
  const auto* info = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message));
  std::uint32_t bridge = 0;
  bool is_sought = false;
  for_each_attribute(message, sizeof *info, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == NDA_MASTER) bridge = number(attribute);
    if (mnl_attr_get_type(attribute) == NDA_LLADDR) is_sought = mac_text(attribute) == search.mac;
  });
  const auto index = static_cast<std::uint32_t>(info->ndm_ifindex);
  // What a port's own table has (NTF_SELF) does not lead the bridge.
  const bool is_bridges = bridge == search.bridge || index == search.bridge;
  if (is_sought && is_bridges && !(info->ndm_flags & NTF_SELF)) search.ports.push_back(index);
  return MNL_CB_OK;
}

}  // namespace

bool BridgePort::forwards() const { return state == BR_STATE_FORWARDING; }

bool BridgePort::lets_in() const { return forwards() || state == BR_STATE_LEARNING; }

bool BridgePort::has_vlan(std::uint16_t vlan) const {
  return std::ranges::find(vlans, vlan) != vlans.end();
}

std::optional<BridgePort> parse_bridge_port(const nlmsghdr* message) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg)) return {};
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  BridgePort port;
  port.index = static_cast<std::uint32_t>(info->ifi_index);
  bool is_port = false;
  for_each_attribute(message, sizeof *info, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_MASTER:
        port.bridge = number(attribute);
        break;
      case IFLA_PROTINFO:
        is_port = true;
        read_port(attribute, port);
        break;
      case IFLA_AF_SPEC:
        read_vlans(attribute, port);
        break;
      default:
        break;
    }
  });
  if (!is_port || port.bridge == 0) return {};
  return port;
}

Result<std::vector<BridgePort>> read_bridge_ports() {
  constexpr std::size_t kMostPorts = 4096;
  const auto run = [](mnl_cb_t on_message, void* context) {
    alignas(nlmsghdr) std::array<char, 64> bytes{};
    nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
    request->nlmsg_type = RTM_GETLINK;
    auto* info = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)));
    info->ifi_family = AF_BRIDGE;
    mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN);
    return run_dump(request, on_message, context);
  };
  const auto parse = [](const nlmsghdr* message, std::vector<BridgePort>& ports) {
    if (auto port = parse_bridge_port(message)) ports.push_back(std::move(*port));
  };
  return dump_with<BridgePort>("ports of bridges", run, parse, kMostPorts);
}

std::string_view port_state(std::uint8_t state) {
  constexpr std::array<std::string_view, 5> kStates = {"disabled", "listening", "learning",
                                                       "forwarding", "blocking"};
  return state < kStates.size() ? kStates[state] : "unknown";
}

Result<std::vector<std::uint32_t>> find_ports_of(std::uint32_t bridge, const std::string& mac) {
  alignas(nlmsghdr) std::array<char, 64> bytes{};
  nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
  request->nlmsg_type = RTM_GETNEIGH;
  auto* info = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ndmsg)));
  info->ndm_family = AF_BRIDGE;
  mnl_attr_put_u32(request, NDA_MASTER, bridge);
  Search search{bridge, mac};
  const int error = run_dump(request, take_entry, &search, Dump::kStrictRoute);
  if (error != 0) return failure(dump_error("a bridge's addresses", error));
  std::ranges::sort(search.ports);
  const auto repeated = std::ranges::unique(search.ports);
  search.ports.erase(repeated.begin(), repeated.end());
  return std::move(search.ports);
}

}  // namespace dptrace
