// Words for a packet that came by the same devices again and again, until its TTL was used up.
#pragma once

#include <optional>
#include <string>

#include "model/names.hpp"
#include "model/packet.hpp"

namespace dptrace {

/// `it went in circles: it came by eth0 of node-2 and eth0 31 times`: the devices by which the
/// packet was received at least twice, each time with a smaller TTL. Nothing: there are none.
std::optional<std::string> rounds_of(const Packet& packet, const Names& names);

}  // namespace dptrace
