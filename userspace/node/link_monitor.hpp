// LinkMonitor tells of the network devices of this netns as they come, change and go.
#pragma once

#include <vector>

#include "model/result.hpp"
#include "node/links.hpp"
#include "node/netlink.hpp"

namespace dptrace {

struct LinkChange {
  Link link;
  bool gone = false;     ///< false: the device is new or has changed
  bool tc_only = false;  ///< its tc filters or qdiscs changed; only the index of `link` is known
};

class LinkMonitor {
 public:
  /// Begins to follow changes. To miss none, call it before the first read_links(). `with_tc` adds
  /// changes of tc filters and qdiscs.
  static Result<LinkMonitor> start(bool with_tc = false);

  /// The descriptor becomes readable when there are changes.
  int fd() const { return mnl_socket_get_fd(socket_.get()); }

  /// Hands each change that has arrived to `on_change`, without waiting for more. Returns false
  /// when changes were lost, so that the caller has to read everything anew.
  template <typename OnChange>
  [[nodiscard]] bool drain(OnChange&& on_change) {
    bool complete = true;
    for (const auto& change : receive(complete)) on_change(change);
    return complete;
  }

 private:
  explicit LinkMonitor(NetlinkSocket socket) : socket_(std::move(socket)) {}
  std::vector<LinkChange> receive(bool& complete);

  NetlinkSocket socket_;
};

}  // namespace dptrace
