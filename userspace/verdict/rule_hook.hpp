// rule_hook_of() tells from a stack at which netfilter hook rules of nftables dropped a packet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/names.hpp"
#include "model/packet.hpp"

namespace dptrace {

struct RuleHook {
  std::string function;   ///< the hook function that runs the rules: `nft_do_chain_ipv4`
  std::uint8_t hook = 0;  ///< NF_INET_*, or NF_BR_* of nft_do_chain_bridge
};

/// Nothing when no rule freed the packet, or when this version does not know what called the hook.
std::optional<RuleHook> rule_hook_of(const Drop& drop, const Names& names);

}  // namespace dptrace
