// kfree_skb fires for much that is no loss: the rules that tell, as data. What they are given is in
// freed.hpp, of a trace's drop and of a watch's kind alike.
#pragma once

#include "model/end.hpp"
#include "model/names.hpp"
#include "model/packet.hpp"
#include "verdict/freed.hpp"

namespace dptrace {

End end_of(const Freed& freed);

/// The end of a packet that is followed, so that its copies are known. `hop` is the place of the
/// free: flow, flags, packet type, interface.
End end_of(const Drop& drop, const dpt_hop& hop, const Names& names);

/// Is this how the kernel frees a TCP segment that meets no connection, or one in TIME_WAIT? Only
/// whether the connection was over before tells whether anything was lost.
bool may_be_time_wait(const Drop& drop, const Names& names);

}  // namespace dptrace
