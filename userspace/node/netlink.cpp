#include "node/netlink.hpp"

#include <fmt/format.h>
#include <linux/if_link.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace dptrace {

namespace {

constexpr std::uint32_t kSequence = 1;
// The buffer holds more than the kernel puts into one message of a dump.
constexpr std::size_t kBufferBytes = 65536;

// Every request begins with rtgenmsg. A kernel that checks strictly, as it must in order to look
// into another netns, wants the whole header of each type.
std::size_t header_bytes(std::uint16_t type) {
  switch (type) {
    case RTM_GETLINK:
      return sizeof(ifinfomsg);
    case RTM_GETADDR:
      return sizeof(ifaddrmsg);
    default:
      return sizeof(rtmsg);
  }
}
// A request is that header and two attributes.
constexpr std::size_t kRequestBytes = 64;

bool check_strictly(mnl_socket* socket) {
  int on = 1;
  return setsockopt(mnl_socket_get_fd(socket), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on,
                    sizeof on) == 0;
}

}  // namespace

NetlinkSocket open_netlink(int protocol, unsigned groups) {
  NetlinkSocket socket(mnl_socket_open2(protocol, SOCK_CLOEXEC));
  if (socket && mnl_socket_bind(socket.get(), groups, MNL_SOCKET_AUTOPID) < 0) socket.reset();
  return socket;
}

NetlinkSocket open_route_netlink(unsigned groups) { return open_netlink(NETLINK_ROUTE, groups); }

void put_address(nlmsghdr* message, std::uint16_t type, const Address& address) {
  constexpr std::size_t kIpv4At = 12;  // where an IPv4 address begins in the sixteen bytes
  const std::size_t begin = address.is_ipv4() ? kIpv4At : 0;
  mnl_attr_put(message, type, sizeof address.bytes.bytes - begin, address.bytes.bytes + begin);
}

std::optional<Address> address_attribute(const nlattr* attribute) {
  const std::size_t size = mnl_attr_get_payload_len(attribute);
  if (size != 4 && size != 16) return {};
  const auto* payload = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
  if (std::all_of(payload, payload + size, [](std::uint8_t byte) { return byte == 0; })) return {};
  dpt_address wire{};
  if (size == 4) wire.bytes[10] = wire.bytes[11] = 0xff;
  std::copy_n(payload, size, wire.bytes + sizeof wire.bytes - size);
  return Address(wire);
}

namespace {

int protocol_of(Dump dump) {
  switch (dump) {
    case Dump::kNetfilter:
      return NETLINK_NETFILTER;
    case Dump::kXfrm:
      return NETLINK_XFRM;
    default:
      return NETLINK_ROUTE;
  }
}

}  // namespace

int run_dump(nlmsghdr* request, mnl_cb_t on_message, void* context, Dump dump) {
  const auto socket = open_netlink(protocol_of(dump));
  if (!socket || (dump == Dump::kStrictRoute && !check_strictly(socket.get()))) return errno;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request->nlmsg_seq = kSequence;
  if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0) return errno;
  std::vector<char> buffer(kBufferBytes);
  for (;;) {
    const ssize_t length = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
    if (length < 0) return errno;
    const int status = mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), kSequence,
                                  mnl_socket_get_portid(socket.get()), on_message, context);
    if (status < 0) return errno;
    if (status == MNL_CB_STOP) return 0;
  }
}

Result<int> ask_route_netlink(nlmsghdr* request, const char* what, mnl_cb_t on_answer,
                              void* context) {
  constexpr std::size_t kAnswerBytes = 8192;
  const auto socket = open_route_netlink();
  if (!socket) return failure(dump_error(what, errno));
  request->nlmsg_flags = NLM_F_REQUEST;
  request->nlmsg_seq = kSequence;
  if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0)
    return failure(dump_error(what, errno));
  alignas(nlmsghdr) std::array<char, kAnswerBytes> answer{};
  const ssize_t length = mnl_socket_recvfrom(socket.get(), answer.data(), answer.size());
  if (length < 0) return failure(dump_error(what, errno));
  const int status = mnl_cb_run(answer.data(), static_cast<std::size_t>(length), kSequence,
                                mnl_socket_get_portid(socket.get()), on_answer, context);
  return status < 0 ? errno : 0;
}

int dump_once(const DumpRequest& request, mnl_cb_t on_message, void* context) {
  alignas(nlmsghdr) std::array<char, kRequestBytes> bytes{};
  nlmsghdr* header = mnl_nlmsg_put_header(bytes.data());
  header->nlmsg_type = request.type;
  auto* general =
      static_cast<rtgenmsg*>(mnl_nlmsg_put_extra_header(header, header_bytes(request.type)));
  general->rtgen_family = request.family;
  if (request.type == RTM_GETLINK) mnl_attr_put_u32(header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (request.nsid != kHere) {
    const auto target = request.type == RTM_GETLINK ? +IFLA_TARGET_NETNSID : +IFA_TARGET_NETNSID;
    mnl_attr_put_u32(header, static_cast<std::uint16_t>(target),
                     static_cast<std::uint32_t>(request.nsid));
  }
  return run_dump(header, on_message, context,
                  request.nsid != kHere ? Dump::kStrictRoute : Dump::kRoute);
}

std::string dump_error(const char* what, int error) {
  if (error == EINTR) {
    return fmt::format("listing {}: they kept changing (try again)", what);
  }
  return fmt::format("listing {} by netlink: {}", what, std::strerror(error));
}

}  // namespace dptrace
