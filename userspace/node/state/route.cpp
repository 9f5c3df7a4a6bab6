#include "node/state/route.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "node/netlink.hpp"

namespace dptrace {

namespace {

// A request is its headers and four attributes.
constexpr std::size_t kRequestBytes = 128;
constexpr std::size_t kIpv4At = 12;  // where an IPv4 address begins in the sixteen bytes

std::uint8_t family_of(const Address& address) { return address.is_ipv4() ? AF_INET : AF_INET6; }

std::uint8_t bits_of(const Address& address) { return address.is_ipv4() ? 32 : 128; }

int take_route(const nlmsghdr* message, void* data) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(rtmsg)) return MNL_CB_ERROR;
  auto& route = *static_cast<Route*>(data);
  const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  route.type = info->rtm_type;
  for_each_attribute(message, sizeof *info, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == RTA_OIF) route.output = mnl_attr_get_u32(attribute);
    if (mnl_attr_get_type(attribute) == RTA_GATEWAY) route.gateway = address_attribute(attribute);
    if (mnl_attr_get_type(attribute) == RTA_TABLE) route.table = mnl_attr_get_u32(attribute);
  });
  return MNL_CB_STOP;
}

void take_table_route(const nlmsghdr* message, std::vector<TableRoute>& routes, std::uint8_t type) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(rtmsg)) return;
  const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  if (info->rtm_type != type) return;  // a kernel may not filter
  TableRoute route{type, {}, info->rtm_dst_len, info->rtm_table, info->rtm_protocol};
  if (info->rtm_family == AF_INET) route.prefix = *Address::parse("0.0.0.0");
  for_each_attribute(message, sizeof *info, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case RTA_TABLE:
        route.table = mnl_attr_get_u32(attribute);
        break;
      case RTA_OIF:
        route.output = mnl_attr_get_u32(attribute);
        break;
      case RTA_GATEWAY:
        route.gateway = address_attribute(attribute);
        break;
      case RTA_DST:
        if (const auto prefix = address_attribute(attribute)) route.prefix = *prefix;
        break;
      default:
        break;
    }
  });
  routes.push_back(route);
}

int take_match(const nlmsghdr* message, void* data) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(rtmsg)) return MNL_CB_ERROR;
  const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  if (info->rtm_type != RTN_UNICAST) return MNL_CB_STOP;
  RouteMatch match{info->rtm_dst_len};
  for_each_attribute(message, sizeof *info, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == RTA_OIF) match.output = mnl_attr_get_u32(attribute);
  });
  *static_cast<std::optional<RouteMatch>*>(data) = match;
  return MNL_CB_STOP;
}

// Returns the errno with which the kernel refuses the packet, or 0: then `take` has had its answer.
Result<int> ask_route(const RouteQuestion& question, std::uint32_t flags, mnl_cb_t take,
                      void* into) {
  alignas(nlmsghdr) std::array<char, kRequestBytes> bytes{};
  nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
  request->nlmsg_type = RTM_GETROUTE;
  auto* info = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)));
  info->rtm_family = family_of(question.destination);
  info->rtm_flags = flags;
  info->rtm_dst_len = bits_of(question.destination);
  put_address(request, RTA_DST, question.destination);
  if (question.source) {
    info->rtm_src_len = bits_of(*question.source);
    put_address(request, RTA_SRC, *question.source);
  }
  if (question.input != 0) mnl_attr_put_u32(request, RTA_IIF, question.input);
  if (question.mark != 0) mnl_attr_put_u32(request, RTA_MARK, question.mark);
  return ask_route_netlink(request, "a route", take, into);
}

}  // namespace

Result<Route> look_up_route(const RouteQuestion& question) {
  Route route;
  const auto error = ask_route(question, 0, take_route, &route);
  if (!error) return tl::unexpected(error.error());
  route.error = *error;
  return route;
}

std::optional<RouteMatch> match_route(const RouteQuestion& question) {
  std::optional<RouteMatch> match;
  // The route itself is asked for, not what it says of this destination.
  const auto error = ask_route(question, RTM_F_FIB_MATCH, take_match, &match);
  return error && *error == 0 ? match : std::nullopt;
}

Result<std::vector<TableRoute>> read_routes(std::uint8_t family, std::uint8_t type) {
  struct Context {
    std::uint8_t type;
    std::vector<TableRoute> found;
  };
  alignas(nlmsghdr) std::array<char, kRequestBytes> bytes{};
  nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
  request->nlmsg_type = RTM_GETROUTE;
  auto* info = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)));
  info->rtm_family = family;
  info->rtm_type = type;  // of large tables only these routes are told
  Context context{type, {}};
  const auto on_message = [](const nlmsghdr* message, void* data) {
    auto& into = *static_cast<Context*>(data);
    take_table_route(message, into.found, into.type);
    return MNL_CB_OK;
  };
  const int error = run_dump(request, on_message, &context, Dump::kStrictRoute);
  if (error != 0) return failure(dump_error("routes", error));
  return std::move(context.found);
}

bool is_in_prefix(const Address& address, const Address& prefix, std::uint8_t length) {
  if (address.is_ipv4() != prefix.is_ipv4()) return false;
  const std::size_t begin = address.is_ipv4() ? kIpv4At : 0;
  const std::size_t whole = length / 8, rest = length % 8;
  if (length > bits_of(address)) return false;
  const auto* a = address.bytes.bytes + begin;
  const auto* b = prefix.bytes.bytes + begin;
  if (std::memcmp(a, b, whole) != 0) return false;
  return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

std::string prefix_text(const Address& prefix, std::uint8_t length) {
  return length == 0 ? "default" : fmt::format("{}/{}", prefix.text(), length);
}

std::uint8_t common_bits(const Address& a, const Address& b) {
  if (a.is_ipv4() != b.is_ipv4()) return 0;
  std::uint8_t bits = 0;
  while (bits < bits_of(a) && is_in_prefix(a, b, static_cast<std::uint8_t>(bits + 1))) ++bits;
  return bits;
}

std::string_view route_protocol(std::uint8_t protocol) {
  switch (protocol) {
    case RTPROT_KERNEL:
      return "kernel";
    case RTPROT_BOOT:
      return "boot";
    case RTPROT_STATIC:
      return "static";
    case RTPROT_BIRD:
      return "bird";
    case RTPROT_BGP:
      return "bgp";
    case RTPROT_ZEBRA:
      return "zebra";
    default:
      return {};
  }
}

std::string_view barrier_name(std::uint8_t type) {
  switch (type) {
    case RTN_BLACKHOLE:
      return "blackhole";
    case RTN_UNREACHABLE:
      return "unreachable";
    case RTN_PROHIBIT:
      return "prohibit";
    default:
      return {};
  }
}

}  // namespace dptrace
