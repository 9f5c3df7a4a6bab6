// dptrace makes clsact qdiscs that can be told from everybody else's even when empty.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "model/result.hpp"

namespace dptrace {

enum class QdiscMade { kMade, kWasThere };

/// Makes a qdisc that is marked with its owner: by a size table, which a clsact does not use.
Result<QdiscMade> make_clsact_qdisc(std::uint32_t ifindex, std::uint32_t owner);

/// Removes the qdisc with all that is attached to it.
void remove_clsact_qdisc(std::uint32_t ifindex);

/// Returns the devices of this network namespace that have a clsact qdisc, whoever made it.
Result<std::set<std::uint32_t>> devices_with_clsact();

struct MarkedQdisc {
  std::uint32_t ifindex = 0;
  std::uint32_t owner = 0;
};

/// Returns the clsact qdiscs of all devices of this network namespace that bear a mark.
Result<std::vector<MarkedQdisc>> marked_qdiscs();

}  // namespace dptrace
