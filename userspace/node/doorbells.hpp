// The doorbells of addresses are those ends in this netns of pods' veths through which goes all
// that enters or leaves the network namespaces which have the addresses.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "model/address.hpp"
#include "node/topology.hpp"

namespace dptrace {

/// A netns that has some of the addresses.
struct PodNetns {
  std::int32_t nsid = -1;  ///< as the own netns numbers it
  std::vector<Link> links;
  std::vector<InterfaceAddress> addresses;
};

/// Indices of links among `home`; none when an address is of no netns, or when its netns has
/// another way out.
std::set<std::uint32_t> doorbells(const std::vector<Link>& home, const std::vector<PodNetns>& pods,
                                  const std::vector<Address>& asked);

/// Those of `asked` that are beyond the veths of `home`, the links of the calling thread's netns.
Result<std::vector<PodNetns>> find_pod_netns(const std::vector<Link>& home,
                                             const std::vector<Address>& asked);

}  // namespace dptrace
