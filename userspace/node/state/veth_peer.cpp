#include "node/state/veth_peer.hpp"

#include "node/netns.hpp"

namespace dptrace {

std::optional<VethPeer> find_veth_peer(const Link& link, const std::vector<Link>& links) {
  constexpr std::size_t kMostLinks = 4096;
  if (link.kind != "veth" || link.link == 0) return {};
  if (!link.peer_elsewhere) {
    const Link* peer = find_link(links, link.link);
    return peer == nullptr ? std::nullopt : std::optional(VethPeer{*peer, 0});
  }
  if (link.peer_nsid < 0) return {};
  const auto others = read_links(kMostLinks, link.peer_nsid);
  const Link* peer = others ? find_link(*others, link.link) : nullptr;
  if (peer == nullptr) return {};
  NetnsFinder finder;
  return VethPeer{*peer, finder.find_nsid(current_netns(), link.peer_nsid)};
}

}  // namespace dptrace
