#include "node/state/xfrm.hpp"

#include <fmt/format.h>
#include <linux/xfrm.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "node/netlink.hpp"

namespace dptrace {

namespace {

Address address_of(const xfrm_address_t& address, std::uint16_t family) {
  dpt_address wire{};
  if (family == AF_INET) {
    wire.bytes[10] = wire.bytes[11] = 0xff;
    std::memcpy(wire.bytes + 12, &address.a4, sizeof address.a4);
  } else {
    std::memcpy(wire.bytes, address.a6, sizeof address.a6);
  }
  return Address(wire);
}

void parse_templates(const nlattr* attribute, std::vector<XfrmTemplate>& templates) {
  const auto* bytes = static_cast<const char*>(mnl_attr_get_payload(attribute));
  for (std::size_t left = mnl_attr_get_payload_len(attribute); left >= sizeof(xfrm_user_tmpl);
       left -= sizeof(xfrm_user_tmpl), bytes += sizeof(xfrm_user_tmpl)) {
    xfrm_user_tmpl wire{};
    std::memcpy(&wire, bytes, sizeof wire);
    std::optional<Address> destination;
    if (std::ranges::any_of(wire.id.daddr.a6, [](auto part) { return part != 0; }))
      destination = address_of(wire.id.daddr, wire.family);
    templates.push_back({wire.id.proto, wire.reqid, destination, wire.optional != 0});
  }
}

void parse_policy(const nlmsghdr* message, std::vector<XfrmPolicy>& policies) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(xfrm_userpolicy_info)) return;
  xfrm_userpolicy_info info{};
  std::memcpy(&info, mnl_nlmsg_get_payload(message), sizeof info);
  // Those of a socket have directions beyond.
  if (info.dir > XFRM_POLICY_FWD) return;
  const xfrm_selector& selector = info.sel;
  XfrmPolicy policy;
  policy.direction = info.dir;
  policy.blocks = info.action == XFRM_POLICY_BLOCK;
  policy.priority = info.priority;
  policy.source = address_of(selector.saddr, selector.family);
  policy.destination = address_of(selector.daddr, selector.family);
  policy.source_length = selector.prefixlen_s;
  policy.destination_length = selector.prefixlen_d;
  policy.is_narrow = selector.proto != 0 || selector.sport_mask != 0 || selector.dport_mask != 0 ||
                     selector.ifindex != 0;
  for_each_attribute(message, sizeof info, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case XFRMA_TMPL:
        return parse_templates(attribute, policy.templates);
      case XFRMA_MARK:
      case XFRMA_IF_ID:
        policy.is_narrow = true;
        return;
      default:
        return;
    }
  });
  policies.push_back(std::move(policy));
}

void parse_state(const nlmsghdr* message, std::vector<XfrmState>& states) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(xfrm_usersa_info)) return;
  xfrm_usersa_info info{};
  std::memcpy(&info, mnl_nlmsg_get_payload(message), sizeof info);
  states.push_back({address_of(info.id.daddr, info.family), info.id.proto, info.reqid});
}

int dump_xfrm(std::uint16_t type, mnl_cb_t on_message, void* context) {
  alignas(nlmsghdr) std::array<char, NLMSG_HDRLEN> bytes{};
  nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
  request->nlmsg_type = type;
  return run_dump(request, on_message, context, Dump::kXfrm);
}

std::string prefix_words(const Address& address, std::uint8_t length) {
  return fmt::format("{}/{}", address.text(), length);
}

}  // namespace

std::string XfrmPolicy::words() const {
  constexpr std::array kDirections = {"in", "out", "fwd"};
  return fmt::format("src {} dst {} dir {}", prefix_words(source, source_length),
                     prefix_words(destination, destination_length), kDirections[direction]);
}

Result<std::vector<XfrmPolicy>> read_xfrm_policies(std::uint8_t family, std::size_t most) {
  auto policies = dump_with<XfrmPolicy>(
      "IPsec policies",
      [](mnl_cb_t on_message, void* context) {
        return dump_xfrm(XFRM_MSG_GETPOLICY, on_message, context);
      },
      parse_policy, most);
  if (policies) {
    std::erase_if(*policies, [&](const XfrmPolicy& policy) {
      return policy.destination.is_ipv4() != (family == AF_INET);
    });
  }
  return policies;
}

Result<std::vector<XfrmState>> read_xfrm_states(std::size_t most) {
  return dump_with<XfrmState>(
      "IPsec states",
      [](mnl_cb_t on_message, void* context) {
        return dump_xfrm(XFRM_MSG_GETSA, on_message, context);
      },
      parse_state, most);
}

std::string xfrm_protocol(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_ESP:
      return "esp";
    case IPPROTO_AH:
      return "ah";
    case IPPROTO_COMP:
      return "comp";
    default:
      return fmt::format("{}", protocol);
  }
}

}  // namespace dptrace
