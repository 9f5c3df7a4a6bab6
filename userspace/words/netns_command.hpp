// What a command begins with that is meant for another network namespace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/names.hpp"

namespace dptrace {

/// Empty for dptrace's own netns; `ip netns exec NAME ` where it has a name there, else
/// `nsenter --net=PATH `. Nothing when no way into it is known.
std::optional<std::string> netns_command(std::uint32_t netns, std::uint64_t at_ns,
                                         const Names& names);

/// Makes commands for a netns into such that work where dptrace runs; none where no way into it is
/// known.
void enter(std::vector<std::string>& commands, std::uint32_t netns, std::uint64_t at_ns,
           const Names& names);

}  // namespace dptrace
