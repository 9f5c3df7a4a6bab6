// kfree_skb fires for much that is no loss: the rules that tell, as data.
#pragma once

#include "model/drop_table.hpp"
#include "model/names.hpp"
#include "model/packet.hpp"

namespace dptrace {

enum class End {
  kLoss,
  kTaken,    ///< a protocol handler had understood it
  kNothing,  ///< a part, a copy, a leftover
};

/// What the free of a packet with this flow was, to one who follows the packet and so knows of its
/// copies.
End end_of(const Drop& drop, const dpt_flow& flow, const Names& names);

/// Is this how the kernel frees what TIME_WAIT has answered? So it frees what no socket takes, too;
/// only whether the connection was closed before tells them apart.
bool may_be_time_wait(const Drop& drop, const Names& names);

/// What the frees of this kind were, to one who sees nothing else of the packets.
End end_of(const DropKind& kind, const Names& names);

}  // namespace dptrace
