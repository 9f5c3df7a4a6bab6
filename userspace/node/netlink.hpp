// Conversations over rtnetlink in the network namespace of the calling thread.
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

/// Null and errno when it cannot be had. `groups` is a mask of RTMGRP_*.
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

/// `header_size` is that of the type's own header.
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

/// An attribute of 4 or 16 bytes; nothing for other sizes and for the unspecified address.
std::optional<Address> address_attribute(const nlattr* attribute);

/// The calling thread's netns, where one of those that it numbers could be asked for.
inline constexpr std::int32_t kHere = -1;

/// One RTM_GET* dump of a family.
struct DumpRequest {
  const char* what;  ///< for messages: "network interfaces"
  std::uint16_t type;
  std::uint8_t family;
  /// The netns, as the own one numbers it (5.0 and later; links and addresses only). Nobody has to
  /// enter it.
  std::int32_t nsid = kHere;
};

/// Sends `request`, which has its type and all behind it, as a dump, and calls `on_message` with
/// `context` for every message of the answer. The error is an errno; EINTR: something changed
/// meanwhile. `strictly`: the kernel must understand each attribute.
int run_dump(nlmsghdr* request, mnl_cb_t on_message, void* context, bool strictly = false);

/// The same of a request of these.
int dump_once(const DumpRequest& request, mnl_cb_t on_message, void* context);

std::string dump_error(const char* what, int error);

/// As many messages of a dump as are looked at, all attempts together.
inline constexpr std::size_t kAllOfDump = SIZE_MAX;

/// `run(on_message, context)` is one attempt, as run_dump; `parse` appends what a message says. Of
/// more than `most` messages the first ones are told.
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
