#include "attach/filter_dump.hpp"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "node/netlink.hpp"

namespace dptrace {

namespace {

// libmnl calls back for attributes in the order of the message, where the kind comes before what
// depends on it.
int on_option(const nlattr* attribute, void* context) {
  auto& filter = *static_cast<TcFilter*>(context);
  if (mnl_attr_get_type(attribute) == TCA_BPF_NAME) filter.program = mnl_attr_get_str(attribute);
  if (mnl_attr_get_type(attribute) == TCA_BPF_ID) filter.program_id = mnl_attr_get_u32(attribute);
  return MNL_CB_OK;
}

int on_attribute(const nlattr* attribute, void* context) {
  auto& filter = *static_cast<TcFilter*>(context);
  if (mnl_attr_get_type(attribute) == TCA_KIND) filter.kind = mnl_attr_get_str(attribute);
  if (mnl_attr_get_type(attribute) == TCA_CHAIN) filter.chain = mnl_attr_get_u32(attribute);
  if (mnl_attr_get_type(attribute) == TCA_OPTIONS && filter.kind == "bpf") {
    return mnl_attr_parse_nested(attribute, on_option, context);
  }
  return MNL_CB_OK;
}

int on_filter(const nlmsghdr* header, void* context) {
  auto& filters = *static_cast<std::vector<TcFilter>*>(context);
  const auto* message = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(header));
  TcFilter filter;
  filter.handle = message->tcm_handle;
  filter.priority = TC_H_MAJ(message->tcm_info) >> 16;
  filter.shared = static_cast<std::uint32_t>(message->tcm_ifindex) == TCM_IFINDEX_MAGIC_BLOCK;
  mnl_attr_parse(header, sizeof *message, on_attribute, &filter);
  // A chain's head without a filter of its own has handle 0.
  if (filter.handle != 0) filters.push_back(std::move(filter));
  return MNL_CB_OK;
}

}  // namespace

Result<std::vector<TcFilter>> dump_filters(std::uint32_t ifindex, TcDirection direction) {
  const auto failed = [&] {
    return failure(
        fmt::format("listing tc filters of interface {}: {}", ifindex, std::strerror(errno)));
  };
  const auto socket = open_route_netlink();
  if (!socket) return failed();

  std::array<char, 16384> buffer{};
  nlmsghdr* header = mnl_nlmsg_put_header(buffer.data());
  header->nlmsg_type = RTM_GETTFILTER;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header->nlmsg_seq = 1;
  auto* message = static_cast<tcmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(tcmsg)));
  message->tcm_family = AF_UNSPEC;
  message->tcm_ifindex = static_cast<int>(ifindex);
  message->tcm_parent = TC_H_MAKE(
      TC_H_CLSACT, direction == TcDirection::kIngress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
  if (mnl_socket_sendto(socket.get(), header, header->nlmsg_len) < 0) return failed();

  std::vector<TcFilter> filters;
  for (;;) {
    const ssize_t length = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
    if (length < 0) return failed();
    const int more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), 1,
                                mnl_socket_get_portid(socket.get()), on_filter, &filters);
    if (more < 0) {
      // There is no clsact qdisc, or no device.
      if (errno == EINVAL || errno == ENODEV || errno == ENOENT) return filters;
      return failed();
    }
    if (more == MNL_CB_STOP) return filters;
  }
}

}  // namespace dptrace
