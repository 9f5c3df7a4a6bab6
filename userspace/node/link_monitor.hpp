// Network devices of this netns as they come, change and go.
#pragma once

#include <vector>

#include "model/result.hpp"
#include "node/links.hpp"
#include "node/netlink.hpp"

namespace dptrace {

struct LinkChange {
  Link link;
  bool gone = false;     ///< else new or changed
  bool tc_only = false;  ///< its tc filters or qdiscs changed; of .link only the index is known
};

class LinkMonitor {
 public:
  /// Tells changes from now on: to miss none, start before the first read_links(). `with_tc`: also
  /// those of tc filters and qdiscs.
  static Result<LinkMonitor> start(bool with_tc = false);

  /// Becomes readable when there are changes.
  int fd() const { return mnl_socket_get_fd(socket_.get()); }

  /// Hands each change that has arrived to `on_change` without waiting for more. False: some were
  /// lost, and what the caller knows has to be read anew.
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
