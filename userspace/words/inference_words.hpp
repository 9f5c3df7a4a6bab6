// An inference says why a packet came to nothing although nothing was seen to drop it: the kernel
// frees some packets as if they had been taken.
#pragma once

#include <optional>

#include "model/names.hpp"
#include "model/packet.hpp"
#include "words/style.hpp"

namespace dptrace {

/// What the packet and the node's state say of a packet that was not dropped. Nothing when they
/// prove nothing.
std::optional<Explanation> inference_of(const Packet& packet, const Names& names);

/// Appends the lines `why` and `fix` of an inference, as below a drop.
void append_inference(Buffer& out, const Packet& packet, const Names& names, const Paint& paint);

}  // namespace dptrace
