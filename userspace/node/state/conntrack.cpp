#include "node/state/conntrack.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <vector>

#include "node/netlink.hpp"

namespace dptrace {

namespace {

constexpr std::uint32_t kSequence = 1;
constexpr std::size_t kRequestBytes = 256;
constexpr std::size_t kAnswerBytes = 8192;
constexpr std::size_t kIpv4At = 12;  // where an IPv4 address begins in the sixteen bytes

std::uint16_t message_type(int type) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | type);
}

nlmsghdr* put_header(char* bytes, std::uint16_t type, std::uint8_t family) {
  nlmsghdr* request = mnl_nlmsg_put_header(bytes);
  request->nlmsg_type = type;
  auto* general = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(nfgenmsg)));
  general->nfgen_family = family;
  return request;
}

void put_address(nlmsghdr* request, const Address& address, std::uint16_t type) {
  const std::size_t begin = address.is_ipv4() ? kIpv4At : 0;
  mnl_attr_put(request, type, sizeof address.bytes.bytes - begin, address.bytes.bytes + begin);
}

void put_tuple(nlmsghdr* request, const ConntrackTuple& tuple) {
  const bool v4 = tuple.source.is_ipv4();
  nlattr* whole = mnl_attr_nest_start(request, CTA_TUPLE_ORIG);
  nlattr* ip = mnl_attr_nest_start(request, CTA_TUPLE_IP);
  put_address(request, tuple.source, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC);
  put_address(request, tuple.destination, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST);
  mnl_attr_nest_end(request, ip);
  nlattr* protocol = mnl_attr_nest_start(request, CTA_TUPLE_PROTO);
  mnl_attr_put_u8(request, CTA_PROTO_NUM, tuple.protocol);
  mnl_attr_put_u16(request, CTA_PROTO_SRC_PORT, htons(tuple.source_port));
  mnl_attr_put_u16(request, CTA_PROTO_DST_PORT, htons(tuple.destination_port));
  mnl_attr_nest_end(request, protocol);
  mnl_attr_nest_end(request, whole);
}

// Numbers are in network byte order.
template <typename Number>
std::optional<Number> number_of(const nlattr* attribute) {
  if (mnl_attr_get_payload_len(attribute) != sizeof(Number)) return {};
  if constexpr (sizeof(Number) == 1) return mnl_attr_get_u8(attribute);
  if constexpr (sizeof(Number) == 2) return ntohs(mnl_attr_get_u16(attribute));
  if constexpr (sizeof(Number) == 4) return ntohl(mnl_attr_get_u32(attribute));
}

ConntrackTuple parse_tuple(const nlattr* nest) {
  ConntrackTuple tuple;
  for_each_nested(nest, [&](const nlattr* part) {
    const bool is_ip = mnl_attr_get_type(part) == CTA_TUPLE_IP;
    if (!is_ip && mnl_attr_get_type(part) != CTA_TUPLE_PROTO) return;
    for_each_nested(part, [&](const nlattr* one) {
      const int type = mnl_attr_get_type(one);
      const auto address = is_ip ? address_attribute(one) : std::nullopt;
      if (address && (type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC)) tuple.source = *address;
      if (address && (type == CTA_IP_V4_DST || type == CTA_IP_V6_DST)) tuple.destination = *address;
      if (is_ip) return;
      if (type == CTA_PROTO_NUM) tuple.protocol = number_of<std::uint8_t>(one).value_or(0);
      if (type == CTA_PROTO_SRC_PORT) tuple.source_port = number_of<std::uint16_t>(one).value_or(0);
      if (type == CTA_PROTO_DST_PORT)
        tuple.destination_port = number_of<std::uint16_t>(one).value_or(0);
    });
  });
  return tuple;
}

std::uint8_t parse_tcp_state(const nlattr* nest) {
  std::uint8_t state = 0;
  for_each_nested(nest, [&](const nlattr* protocol) {
    if (mnl_attr_get_type(protocol) != CTA_PROTOINFO_TCP) return;
    for_each_nested(protocol, [&](const nlattr* one) {
      if (mnl_attr_get_type(one) == CTA_PROTOINFO_TCP_STATE)
        state = number_of<std::uint8_t>(one).value_or(0);
    });
  });
  return state;
}

std::string end_words(const Address& address, std::uint16_t port) {
  if (address.is_ipv4()) return fmt::format("{}:{}", address.text(), port);
  return fmt::format("[{}]:{}", address.text(), port);
}

int take_entry(const nlmsghdr* message, void* data) {
  *static_cast<std::optional<ConntrackEntry>*>(data) = parse_conntrack(message);
  return MNL_CB_STOP;
}

void parse_failures(const nlmsghdr* message, std::vector<std::uint64_t>& failures) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(nfgenmsg)) return;
  for_each_attribute(message, sizeof(nfgenmsg), [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == CTA_STATS_INSERT_FAILED)
      failures.push_back(number_of<std::uint32_t>(attribute).value_or(0));
  });
}

}  // namespace

std::string ConntrackTuple::words() const {
  return fmt::format("{} > {}", end_words(source, source_port),
                     end_words(destination, destination_port));
}

bool ConntrackEntry::is_answered() const { return (status & IPS_SEEN_REPLY) != 0; }

bool ConntrackEntry::is_assured() const { return (status & IPS_ASSURED) != 0; }

std::string ConntrackEntry::words() const {
  std::string words =
      fmt::format("{} {}", original.protocol == IPPROTO_TCP ? "tcp" : "udp", original.words());
  if (reply != original.reversed()) words += fmt::format(", by NAT {}", reply.reversed().words());
  return words;
}

std::string_view conntrack_tcp_state(std::uint8_t state) {
  constexpr std::array<std::string_view, 10> kStates = {
      "",           "SYN_SENT", "SYN_RECV",  "ESTABLISHED", "FIN_WAIT",
      "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",       "SYN_SENT2"};
  return state < kStates.size() ? kStates[state] : std::string_view();
}

std::optional<ConntrackEntry> parse_conntrack(const nlmsghdr* message) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(nfgenmsg)) return {};
  ConntrackEntry entry;
  for_each_attribute(message, sizeof(nfgenmsg), [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case CTA_TUPLE_ORIG:
        entry.original = parse_tuple(attribute);
        return;
      case CTA_TUPLE_REPLY:
        entry.reply = parse_tuple(attribute);
        return;
      case CTA_STATUS:
        entry.status = number_of<std::uint32_t>(attribute).value_or(0);
        return;
      case CTA_TIMEOUT:
        entry.timeout_s = number_of<std::uint32_t>(attribute).value_or(0);
        return;
      case CTA_PROTOINFO:
        entry.tcp_state = parse_tcp_state(attribute);
        return;
      case CTA_HELP:
        entry.has_helper = true;
        return;
      default:
        return;
    }
  });
  const std::uint8_t protocol = entry.original.protocol;
  if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) return {};
  return entry;
}

Result<std::optional<ConntrackEntry>> find_conntrack(const ConntrackTuple& ends) {
  constexpr const char* kWhat = "an entry of conntrack";
  const auto socket = open_netlink(NETLINK_NETFILTER);
  if (!socket) return failure(dump_error(kWhat, errno));
  alignas(nlmsghdr) std::array<char, kRequestBytes> bytes{};
  nlmsghdr* request = put_header(bytes.data(), message_type(IPCTNL_MSG_CT_GET),
                                 ends.source.is_ipv4() ? AF_INET : AF_INET6);
  request->nlmsg_flags = NLM_F_REQUEST;
  request->nlmsg_seq = kSequence;
  put_tuple(request, ends);
  if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0)
    return failure(dump_error(kWhat, errno));
  alignas(nlmsghdr) std::array<char, kAnswerBytes> answer{};
  const ssize_t length = mnl_socket_recvfrom(socket.get(), answer.data(), answer.size());
  if (length < 0) return failure(dump_error(kWhat, errno));
  std::optional<ConntrackEntry> entry;
  const int status = mnl_cb_run(answer.data(), static_cast<std::size_t>(length), kSequence,
                                mnl_socket_get_portid(socket.get()), take_entry, &entry);
  if (status < 0 && errno == ENOENT) return std::optional<ConntrackEntry>();
  if (status < 0 || !entry) return failure(dump_error(kWhat, status < 0 ? errno : EPROTO));
  return entry;
}

Result<std::uint64_t> read_conntrack_insert_failures() {
  const auto failures = dump_with<std::uint64_t>(
      "the counters of conntrack",
      [](mnl_cb_t on_message, void* context) {
        alignas(nlmsghdr) std::array<char, kRequestBytes> bytes{};
        nlmsghdr* request =
            put_header(bytes.data(), message_type(IPCTNL_MSG_CT_GET_STATS_CPU), AF_UNSPEC);
        return run_dump(request, on_message, context, Dump::kNetfilter);
      },
      parse_failures);
  if (!failures) return tl::unexpected(failures.error());
  std::uint64_t all = 0;
  for (const std::uint64_t count : *failures) all += count;
  return all;
}

}  // namespace dptrace
