// Netfilter families, hooks and verdicts by name, as JSON and text both give them.
#pragma once

#include <cstdint>
#include <string_view>

namespace dptrace {

/// `ipv4`, `bridge`, ...; empty for a family this version does not know.
std::string_view netfilter_family(std::uint8_t family);
/// `FORWARD`, ...; hooks are numbered per family; empty for one this version does not know.
std::string_view netfilter_hook(std::uint8_t family, std::uint8_t hook);
/// `accept`, `drop` or `stolen`, from the result of nf_hook_slow.
std::string_view netfilter_verdict(std::int32_t result);

}  // namespace dptrace
