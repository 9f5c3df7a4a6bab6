// nft_droppers() finds what of a netns's nftables may drop packets at a hook: rules, and the
// policies of base chains. What iptables-nft makes is found, too.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/result.hpp"

namespace dptrace {

struct NftDropper {
  std::uint8_t family = 0;  ///< NFPROTO_* of the table
  std::string table, chain;
  std::uint64_t handle = 0;  ///< of the rule; 0: it is the chain's policy

  friend bool operator==(const NftDropper&, const NftDropper&) = default;
};

/// All that a packet may meet at the hook (NF_INET_*, NF_BR_*) in tables of the family (NFPROTO_*)
/// of the calling thread's netns: the rules that drop, reject, queue or translate, and those with a
/// map of verdicts, in the order of tables and chains. Chains for NAT and for routing are left out:
/// other functions run them. An error also when there are more rules than are looked at.
Result<std::vector<NftDropper>> nft_droppers(std::uint8_t family, std::uint8_t hook);

}  // namespace dptrace
