// What causes of links and of bridges share.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/explanation.hpp"
#include "node/links.hpp"

namespace dptrace {

/// No more of a netns's links are looked at.
inline constexpr std::size_t kMostLinks = 4096;

/// That the other end of a veth is down, and the command for it; nothing when it is not, or not
/// known. `links` are those of the calling thread's netns.
std::optional<Explanation> explain_veth_peer(const Link& link, const std::vector<Link>& links);

/// True when what leaves by `device` is what was routed to `output`: it is the same device, a port
/// of that bond or bridge, or below that VLAN. Of the calling thread's netns.
bool is_below(std::uint32_t device, std::uint32_t output);

}  // namespace dptrace
