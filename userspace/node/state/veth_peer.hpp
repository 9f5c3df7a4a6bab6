// The other end of a veth.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "node/links.hpp"

namespace dptrace {

struct VethPeer {
  Link link;
  std::uint32_t netns = 0;  ///< inode; 0: the calling thread's, or it is not found
};

/// `links` are those of the calling thread's netns, and `link` is one of them. Nothing for other
/// devices, and when the netns of the other end cannot be looked into.
std::optional<VethPeer> find_veth_peer(const Link& link, const std::vector<Link>& links);

}  // namespace dptrace
