// A doorbell of an address is the end of a pod's veth in this netns. All packets that enter or
// leave the netns that has the address go through its doorbells.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "model/address.hpp"
#include "node/topology.hpp"

namespace dptrace {

/// A netns that has some of the addresses.
struct PodNetns {
  std::int32_t nsid = -1;  ///< the number that the own netns has for it
  std::vector<Link> links;
  std::vector<InterfaceAddress> addresses;
};

/// The indices of the links in `home` that are doorbells of `asked`. Empty when no netns has one of
/// the addresses, or when its netns has another way out.
std::set<std::uint32_t> doorbells(const std::vector<Link>& home, const std::vector<PodNetns>& pods,
                                  const std::vector<Address>& asked);

/// The network namespaces behind the veths of `home` that have some of the addresses in `asked`.
/// `home` has the links of the calling thread's netns.
Result<std::vector<PodNetns>> find_pod_netns(const std::vector<Link>& home,
                                             const std::vector<Address>& asked);

}  // namespace dptrace
