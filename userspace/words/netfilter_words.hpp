// These functions name netfilter families, hooks and verdicts, for JSON and text.
#pragma once

#include <cstdint>
#include <string_view>

namespace dptrace {

/// `ipv4`, `bridge`, ...; empty for a family this version does not know.
std::string_view netfilter_family(std::uint8_t family);
/// As nft calls a table's family: `ip`, `ip6`, `inet`, ...
std::string_view nft_family(std::uint8_t family);
/// `FORWARD`, ...; empty for a hook that this version does not know. Hooks are numbered per family.
std::string_view netfilter_hook(std::uint8_t family, std::uint8_t hook);
/// `accept`, `drop` or `stolen`, from the result of nf_hook_slow.
std::string_view netfilter_verdict(std::int32_t result);

}  // namespace dptrace
