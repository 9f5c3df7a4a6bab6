#include "node/link_monitor.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace dptrace {

namespace {

constexpr std::size_t kBufferBytes = 65536;
// The receive buffer of the socket is this large because several hundred devices may change at
// once.
constexpr int kQueueBytes = 4 << 20;

bool is_of_tc(const nlmsghdr* message) {
  switch (message->nlmsg_type) {
    case RTM_NEWQDISC:
    case RTM_DELQDISC:
    case RTM_NEWTFILTER:
    case RTM_DELTFILTER:
      return mnl_nlmsg_get_payload_len(message) >= sizeof(tcmsg);
    default:
      return false;
  }
}

int on_message(const nlmsghdr* message, void* context) {
  auto& changes = *static_cast<std::vector<LinkChange>*>(context);
  if (is_of_tc(message)) {
    LinkChange change{{}, false, true};
    const auto* tc = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(message));
    change.link.index = static_cast<std::uint32_t>(tc->tcm_ifindex);
    changes.push_back(std::move(change));
    return MNL_CB_OK;
  }
  if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) return MNL_CB_OK;
  if (auto link = parse_link(message)) {
    changes.push_back({std::move(*link), message->nlmsg_type == RTM_DELLINK});
  }
  return MNL_CB_OK;
}

}  // namespace

Result<LinkMonitor> LinkMonitor::start(bool with_tc) {
  auto socket = open_route_netlink(RTMGRP_LINK | (with_tc ? RTMGRP_TC : 0));
  if (!socket) {
    return failure(
        fmt::format("following network interfaces by netlink: {}", std::strerror(errno)));
  }
  // Without CAP_NET_ADMIN the buffer keeps its default size, and drain() tells when that was too
  // little.
  setsockopt(mnl_socket_get_fd(socket.get()), SOL_SOCKET, SO_RCVBUFFORCE, &kQueueBytes,
             sizeof kQueueBytes);
  return LinkMonitor(std::move(socket));
}

std::vector<LinkChange> LinkMonitor::receive(bool& complete) {
  std::vector<LinkChange> changes;
  std::vector<char> buffer(kBufferBytes);
  for (;;) {
    const ssize_t length = recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return changes;
    if (length < 0) {
      complete = false;
      if (errno == ENOBUFS) continue;  // messages that are still in the queue are good
      return changes;
    }
    if (static_cast<std::size_t>(length) > buffer.size()) {
      complete = false;
      continue;
    }
    mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), 0, 0, on_message, &changes);
  }
}

}  // namespace dptrace
