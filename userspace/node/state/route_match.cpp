#include "node/state/route_match.hpp"

#include <array>

#include "node/netlink.hpp"

namespace dptrace {

namespace {

constexpr std::uint32_t kSequence = 1;
// A request is its headers and three attributes; an answer is one route.
constexpr std::size_t kRequestBytes = 128;
constexpr std::size_t kAnswerBytes = 8192;
constexpr std::size_t kIpv4At = 12;  // where an IPv4 address begins in the sixteen bytes

void put_address(nlmsghdr* message, std::uint16_t type, const Address& address) {
  const std::size_t begin = address.is_ipv4() ? kIpv4At : 0;
  mnl_attr_put(message, type, sizeof address.bytes.bytes - begin, address.bytes.bytes + begin);
}

int take_match(const nlmsghdr* message, void* data) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(rtmsg)) return MNL_CB_ERROR;
  const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  if (info->rtm_type != RTN_UNICAST) return MNL_CB_STOP;
  RouteMatch match;
  match.length = info->rtm_dst_len;
  for_each_attribute(message, sizeof *info, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == RTA_OIF) match.output = mnl_attr_get_u32(attribute);
  });
  *static_cast<std::optional<RouteMatch>*>(data) = match;
  return MNL_CB_STOP;
}

}  // namespace

std::optional<RouteMatch> match_route(const RouteQuestion& question) {
  const auto socket = open_route_netlink();
  if (!socket) return {};
  const bool is_ipv4 = question.destination.is_ipv4();
  alignas(nlmsghdr) std::array<char, kRequestBytes> bytes{};
  nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
  request->nlmsg_type = RTM_GETROUTE;
  request->nlmsg_flags = NLM_F_REQUEST;
  request->nlmsg_seq = kSequence;
  auto* info = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)));
  info->rtm_family = is_ipv4 ? AF_INET : AF_INET6;
  info->rtm_flags = RTM_F_FIB_MATCH;  // the route itself, not what it says of this destination
  info->rtm_dst_len = is_ipv4 ? 32 : 128;
  put_address(request, RTA_DST, question.destination);
  if (question.source) {
    info->rtm_src_len = info->rtm_dst_len;
    put_address(request, RTA_SRC, *question.source);
  }
  if (question.input != 0) mnl_attr_put_u32(request, RTA_IIF, question.input);
  if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0) return {};
  alignas(nlmsghdr) std::array<char, kAnswerBytes> answer{};
  const ssize_t length = mnl_socket_recvfrom(socket.get(), answer.data(), answer.size());
  if (length < 0) return {};
  std::optional<RouteMatch> match;
  mnl_cb_run(answer.data(), static_cast<std::size_t>(length), kSequence,
             mnl_socket_get_portid(socket.get()), take_match, &match);
  return match;
}

}  // namespace dptrace
