// nft_dump() asks the kernel where each rule of a table of nftables is, where it jumps to, whether
// it may drop, and for the comments that nft does not print: those of iptables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.hpp"

struct nlattr;

namespace dptrace {

/// A name in an attribute, and a number of four bytes; 0 when it has another size.
std::string_view nft_text(const nlattr* attribute);
std::uint32_t nft_number(const nlattr* attribute);

struct NftRule {
  std::uint64_t handle = 0;
  std::string chain;
  std::vector<std::string> comments;  ///< of matches of iptables; foreign
  std::string jump;  ///< the chain that it jumps or goes to; empty: none, or by a map
  bool has_verdict_map = false;
  /// It drops, rejects, queues or translates (which drops what no address is left for), or has a
  /// map of verdicts.
  bool may_drop = false;
};

/// The rules of a table of the calling thread's netns in their order, at most `most`.
Result<std::vector<NftRule>> nft_dump(std::uint8_t family, const std::string& table,
                                      std::size_t most);

}  // namespace dptrace
