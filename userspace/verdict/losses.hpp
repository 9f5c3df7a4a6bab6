// The rules, which are data, tell which frees are losses: kfree_skb fires also for many frees that
// are none. They judge the facts in freed.hpp, which a trace has of a drop, and the drop-watch has
// of a kind.
#pragma once

#include "model/end.hpp"
#include "model/names.hpp"
#include "model/packet.hpp"
#include "verdict/freed.hpp"

namespace dptrace {

End end_of(const Freed& freed);

/// The end of a packet that is followed, so that its copies are known. `hop` is the place of the
/// free; its flow, flags, packet type and interface are used.
End end_of(const Drop& drop, const dpt_hop& hop, const Names& names);

/// True when the kernel frees in this way a TCP segment that meets no connection, or one in
/// TIME_WAIT. Whether anything was lost depends on whether the connection was over before.
bool may_be_time_wait(const Drop& drop, const Names& names);

}  // namespace dptrace
