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

/// A hook, and the families of the tables that are asked there (NFPROTO_*).
struct NftHook {
  std::uint8_t hook = 0;  ///< NF_INET_* or NF_BR_*
  std::vector<std::uint8_t> families;
};

/// All that a packet may meet at the hook in the calling thread's netns: the rules that drop,
/// reject or queue, and those with a map of verdicts. In the order of tables and chains. An error
/// also when there are more rules than are looked at.
Result<std::vector<NftDropper>> nft_droppers(const NftHook& hook);

}  // namespace dptrace
