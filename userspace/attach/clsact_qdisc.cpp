#include "attach/clsact_qdisc.hpp"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "node/netlink.hpp"

namespace dptrace {

namespace {

using Buffer = std::array<char, 16384>;

// The mark is "dptr", in a field that only a queue would look at.
constexpr int kMark = 0x64707472;

nlmsghdr* put_request(Buffer& buffer, std::uint16_t type, std::uint16_t flags,
                      std::uint32_t ifindex) {
  nlmsghdr* header = mnl_nlmsg_put_header(buffer.data());
  header->nlmsg_type = type;
  header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  header->nlmsg_seq = 1;
  auto* message = static_cast<tcmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(tcmsg)));
  message->tcm_family = AF_UNSPEC;
  message->tcm_ifindex = static_cast<int>(ifindex);
  return header;
}

nlmsghdr* put_clsact(Buffer& buffer, std::uint16_t type, std::uint16_t flags,
                     std::uint32_t ifindex) {
  nlmsghdr* header = put_request(buffer, type, flags, ifindex);
  auto* message = static_cast<tcmsg*>(mnl_nlmsg_get_payload(header));
  message->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
  message->tcm_parent = TC_H_CLSACT;
  mnl_attr_put_strz(header, TCA_KIND, "clsact");
  return header;
}

// Returns 0 or an errno.
int talk(Buffer& buffer, nlmsghdr* header, mnl_cb_t on_message, void* context) {
  const auto socket = open_route_netlink();
  if (!socket || mnl_socket_sendto(socket.get(), header, header->nlmsg_len) < 0) return errno;
  for (;;) {
    const ssize_t length = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return errno;
    const int more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), 1,
                                mnl_socket_get_portid(socket.get()), on_message, context);
    if (more < 0) return errno;
    if (more == MNL_CB_STOP) return 0;
  }
}

int on_size_table(const nlattr* attribute, void* context) {
  tc_sizespec spec{};
  if (mnl_attr_get_type(attribute) != TCA_STAB_BASE ||
      mnl_attr_get_payload_len(attribute) < sizeof spec)
    return MNL_CB_OK;
  std::memcpy(&spec, mnl_attr_get_payload(attribute), sizeof spec);
  if (spec.overhead == kMark) *static_cast<std::uint32_t*>(context) = spec.mpu;
  return MNL_CB_OK;
}

struct Seen {
  bool is_clsact = false;
  std::uint32_t owner = 0;
};

int on_attribute(const nlattr* attribute, void* context) {
  auto& seen = *static_cast<Seen*>(context);
  if (mnl_attr_get_type(attribute) == TCA_KIND)
    seen.is_clsact = std::string_view(mnl_attr_get_str(attribute)) == "clsact";
  if (mnl_attr_get_type(attribute) == TCA_STAB)
    return mnl_attr_parse_nested(attribute, on_size_table, &seen.owner);
  return MNL_CB_OK;
}

struct Clsact {
  std::uint32_t ifindex = 0;
  std::uint32_t owner = 0;  // 0: the qdisc bears no mark
};

int on_qdisc(const nlmsghdr* header, void* context) {
  const auto* message = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(header));
  Seen seen;
  mnl_attr_parse(header, sizeof *message, on_attribute, &seen);
  if (seen.is_clsact) {
    static_cast<std::vector<Clsact>*>(context)->push_back(
        {static_cast<std::uint32_t>(message->tcm_ifindex), seen.owner});
  }
  return MNL_CB_OK;
}

Result<std::vector<Clsact>> clsact_qdiscs() {
  Buffer buffer{};
  std::vector<Clsact> found;
  const int error =
      talk(buffer, put_request(buffer, RTM_GETQDISC, NLM_F_DUMP, 0), on_qdisc, &found);
  if (error == 0) return found;
  return failure(fmt::format("listing qdiscs: {}", std::strerror(error)));
}

}  // namespace

Result<QdiscMade> make_clsact_qdisc(std::uint32_t ifindex, std::uint32_t owner) {
  Buffer buffer{};
  nlmsghdr* header =
      put_clsact(buffer, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, ifindex);
  tc_sizespec spec{};
  spec.overhead = kMark;
  spec.mpu = owner;
  nlattr* table = mnl_attr_nest_start(header, TCA_STAB);
  mnl_attr_put(header, TCA_STAB_BASE, sizeof spec, &spec);
  mnl_attr_nest_end(header, table);
  const int error = talk(buffer, header, nullptr, nullptr);
  if (error == 0) return QdiscMade::kMade;
  if (error == EEXIST) return QdiscMade::kWasThere;
  return failure(
      fmt::format("making a clsact qdisc on interface {}: {}", ifindex, std::strerror(error)));
}

void remove_clsact_qdisc(std::uint32_t ifindex) {
  Buffer buffer{};
  talk(buffer, put_clsact(buffer, RTM_DELQDISC, NLM_F_ACK, ifindex), nullptr, nullptr);
}

Result<std::set<std::uint32_t>> devices_with_clsact() {
  const auto found = clsact_qdiscs();
  if (!found) return tl::unexpected(found.error());
  std::set<std::uint32_t> devices;
  for (const auto& qdisc : *found) devices.insert(qdisc.ifindex);
  return devices;
}

Result<std::vector<MarkedQdisc>> marked_qdiscs() {
  const auto found = clsact_qdiscs();
  if (!found) return tl::unexpected(found.error());
  std::vector<MarkedQdisc> marked;
  for (const auto& qdisc : *found) {
    if (qdisc.owner != 0) marked.push_back({qdisc.ifindex, qdisc.owner});
  }
  return marked;
}

}  // namespace dptrace
