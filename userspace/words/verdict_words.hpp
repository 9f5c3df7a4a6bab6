// append_verdict() puts the end of a packet's way into words.
#pragma once

#include "model/names.hpp"
#include "model/packet.hpp"
#include "words/style.hpp"

namespace dptrace {

/// Appends the last line of a packet's block and, for a drop, what else is known of it. Each line
/// ends with a newline.
void append_verdict(Buffer& out, const Packet& packet, const Names& names, const Paint& paint,
                    bool verbose);

/// `IP_INADDRERRORS`, or `reason 117` when the kernel's name for it is not known.
void append_reason(Buffer& out, std::uint32_t reason, const Names& names);

}  // namespace dptrace
