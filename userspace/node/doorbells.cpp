#include "node/doorbells.hpp"

#include <linux/if.h>

#include <algorithm>

namespace dptrace {

namespace {

bool has(const std::vector<InterfaceAddress>& addresses, const Address& wanted) {
  return std::any_of(addresses.begin(), addresses.end(),
                     [&](const InterfaceAddress& held) { return held.address == wanted; });
}

bool leads_out(const Link& link) { return link.is_up() && (link.flags & IFF_LOOPBACK) == 0; }

bool is_veth_to(const Link& home, std::int32_t nsid) {
  return home.kind == "veth" && home.peer_elsewhere && home.peer_nsid == nsid;
}

// Returns false when something else leads out of the netns, too.
bool add_doorbells(const std::vector<Link>& home, const PodNetns& pod,
                   std::set<std::uint32_t>& found) {
  for (const auto& inside : pod.links) {
    if (!leads_out(inside)) continue;
    const auto outside = std::find_if(home.begin(), home.end(), [&](const Link& link) {
      return is_veth_to(link, pod.nsid) && link.link == inside.index;
    });
    if (outside == home.end()) return false;
    found.insert(outside->index);
  }
  return true;
}

}  // namespace

std::set<std::uint32_t> doorbells(const std::vector<Link>& home, const std::vector<PodNetns>& pods,
                                  const std::vector<Address>& asked) {
  std::set<std::uint32_t> found;
  for (const auto& address : asked) {
    bool is_found = false;
    for (const auto& pod : pods) {
      if (!has(pod.addresses, address)) continue;
      if (!add_doorbells(home, pod, found)) return {};
      is_found = true;
    }
    if (!is_found) return {};
  }
  return found;
}

Result<std::vector<PodNetns>> find_pod_netns(const std::vector<Link>& home,
                                             const std::vector<Address>& asked) {
  std::set<std::int32_t> nsids;
  for (const auto& link : home) {
    if (link.peer_nsid >= 0 && is_veth_to(link, link.peer_nsid)) nsids.insert(link.peer_nsid);
  }
  // A pod has at most this many links or addresses; a stranger's netns may have any number.
  constexpr std::size_t kMost = 256;
  std::vector<PodNetns> pods;
  for (const auto nsid : nsids) {
    auto addresses = read_addresses(kMost, nsid);
    if (!addresses) return tl::unexpected(addresses.error());
    const bool is_asked_for = std::any_of(asked.begin(), asked.end(), [&](const Address& address) {
      return has(*addresses, address);
    });
    if (!is_asked_for) continue;
    auto links = read_links(kMost, nsid);
    if (!links) return tl::unexpected(links.error());
    pods.push_back({nsid, std::move(*links), std::move(*addresses)});
  }
  return pods;
}

}  // namespace dptrace
