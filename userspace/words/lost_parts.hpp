// Parts of a packet that were lost together are told together.
#pragma once

#include <vector>

#include "model/packet.hpp"
#include "words/style.hpp"

namespace dptrace {

/// Losses of one packet that have the place and the reason in common, in order of time.
struct LossGroup {
  std::vector<const Drop*> drops;  ///< never empty
  bool decides = false;            ///< the drop that decided is among them

  const Drop& first() const { return *drops.front(); }
};

/// All that the packet knows to have been lost or, without loss, freed; the group that decided is
/// the first.
std::vector<LossGroup> loss_groups(const Packet& packet);

/// `, 2 of 18 segments (seq 1448–4343)`, `, 1 fragment (bytes 1480–2959)`; nothing where what died
/// was no part.
void append_lost_parts(Buffer& out, const LossGroup& group, const Packet& packet);

}  // namespace dptrace
