// Losses of parts with the same place and reason are told together.
#pragma once

#include <vector>

#include "model/packet.hpp"
#include "words/style.hpp"

namespace dptrace {

/// The losses of one packet that have the same place and reason, in order of time.
struct LossGroup {
  std::vector<const Drop*> drops;  ///< never empty
  bool decides = false;            ///< the drop that decided is among them

  const Drop& first() const { return *drops.front(); }
};

/// All losses of the packet or, when there is none, its frees. The group that decided is the first.
std::vector<LossGroup> loss_groups(const Packet& packet);

/// `, 2 of 18 segments (seq 1448–4343)`, `, 1 fragment (bytes 1480–2959)`; nothing when the loss
/// was not that of a part.
void append_lost_parts(Buffer& out, const LossGroup& group, const Packet& packet);

}  // namespace dptrace
