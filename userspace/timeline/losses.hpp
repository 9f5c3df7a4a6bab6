// kfree_skb fires for much that is no loss: the rules that tell, as data.
#pragma once

#include "model/names.hpp"
#include "model/packet.hpp"

namespace dptrace {

enum class End {
  kLoss,
  kTaken,    ///< a protocol handler had understood it
  kNothing,  ///< a part, a copy, a leftover
};

/// What the free of a packet with this flow was.
End end_of(const Drop& drop, const dpt_flow& flow, const Names& names);

}  // namespace dptrace
