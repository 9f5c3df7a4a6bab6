// These functions talk to rtnetlink, and to nfnetlink, in the network namespace of the calling
// thread.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/address.hpp"
#include "model/result.hpp"
#include "os/deleter.hpp"

namespace dptrace {

using NetlinkSocket = std::unique_ptr<mnl_socket, Deleter<mnl_socket_close>>;

/// Null, with errno set, when the socket cannot be had. `protocol` is a NETLINK_*.
NetlinkSocket open_netlink(int protocol, unsigned groups = 0);

/// `groups` is a mask of RTMGRP_*.
NetlinkSocket open_route_netlink(unsigned groups = 0);

/// Calls `visit` with every attribute of a payload; libmnl's own macro for this is not C++.
template <typename Visit>
void for_each_attribute(const void* payload, std::size_t size, Visit visit) {
  const auto* at = static_cast<const nlattr*>(payload);
  const auto* end = static_cast<const char*>(payload) + size;
  for (; mnl_attr_ok(at, static_cast<int>(end - reinterpret_cast<const char*>(at)));
       at = mnl_attr_next(at)) {
    visit(at);
  }
}

/// `header_size` is the size of the header of the message's type.
template <typename Visit>
void for_each_attribute(const nlmsghdr* message, std::size_t header_size, Visit visit) {
  const std::size_t offset = MNL_ALIGN(header_size);
  const std::size_t size = mnl_nlmsg_get_payload_len(message);
  if (size < offset) return;
  for_each_attribute(mnl_nlmsg_get_payload_offset(message, header_size), size - offset, visit);
}

template <typename Visit>
void for_each_nested(const nlattr* nest, Visit visit) {
  for_each_attribute(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), visit);
}

/// The address in an attribute of 4 or 16 bytes; nothing for other sizes and for the unspecified
/// address.
std::optional<Address> address_attribute(const nlattr* attribute);

/// Appends an address in the bytes of its family.
void put_address(nlmsghdr* message, std::uint16_t type, const Address& address);

/// Stands for the calling thread's netns where the number of another one may be given.
inline constexpr std::int32_t kHere = -1;

/// One RTM_GET* dump of a family.
struct DumpRequest {
  const char* what;  ///< for messages: "network interfaces"
  std::uint16_t type;
  std::uint8_t family;
  /// The netns to ask, by the number that the own netns has for it (kernel 5.0 and later; links and
  /// addresses only). Nobody has to enter it.
  std::int32_t nsid = kHere;
};

enum class Dump : std::uint8_t {
  kRoute,
  kStrictRoute,  ///< the kernel must understand each attribute
  kNetfilter,
  kXfrm,
};

/// Sends `request`, which is complete except for its flags and number, as a dump, and calls
/// `on_message` with `context` for every message of the answer. Returns an errno, or 0; EINTR says
/// that something changed meanwhile.
int run_dump(nlmsghdr* request, mnl_cb_t on_message, void* context, Dump dump = Dump::kRoute);

/// Sends `request`, which is complete except for its flags and number, for one answer of rtnetlink,
/// and calls `on_answer` with `context` for it. Returns what the kernel says instead, an errno, or
/// 0. An error: the kernel could not be asked.
Result<int> ask_route_netlink(nlmsghdr* request, const char* what, mnl_cb_t on_answer,
                              void* context);

/// Runs run_dump() on a netlink message that is made from `request`.
int dump_once(const DumpRequest& request, mnl_cb_t on_message, void* context);

std::string dump_error(const char* what, int error);

/// No bound on the number of messages that dump_with() looks at, over all its attempts.
inline constexpr std::size_t kAllOfDump = SIZE_MAX;

/// Makes up to 20 attempts at a dump, until nothing changes meanwhile. `run(on_message, context)`
/// makes one attempt, as run_dump() does; `parse` appends what a message says. When there are more
/// than `most` messages, the first ones are returned.
template <typename T, typename Run>
Result<std::vector<T>> dump_with(const char* what, Run run,
                                 void (*parse)(const nlmsghdr*, std::vector<T>&),
                                 std::size_t most = kAllOfDump) {
  constexpr int kAttempts = 20;
  struct Context {
    void (*parse)(const nlmsghdr*, std::vector<T>&);
    std::vector<T> found;
    std::size_t left;
  };
  int error = 0;
  std::size_t left = most;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Context context{parse, {}, left};
    const auto on_message = [](const nlmsghdr* message, void* data) {
      auto& into = *static_cast<Context*>(data);
      if (into.left == 0) return MNL_CB_STOP;
      --into.left;
      into.parse(message, into.found);
      return MNL_CB_OK;
    };
    error = run(on_message, &context);
    left = context.left;
    if (error == 0 || left == 0) return std::move(context.found);
    if (error != EINTR) break;
  }
  return failure(dump_error(what, error));
}

template <typename T>
Result<std::vector<T>> dump(const DumpRequest& request,
                            void (*parse)(const nlmsghdr*, std::vector<T>&),
                            std::size_t most = kAllOfDump) {
  return dump_with<T>(
      request.what,
      [&](mnl_cb_t on_message, void* context) { return dump_once(request, on_message, context); },
      parse, most);
}

}  // namespace dptrace
