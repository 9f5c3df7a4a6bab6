// telling prepares a packet that is about to be told: its hops are put in order and completed,
// without what its copies did beside it, and its losses, copies and parts are counted.
#pragma once

#include "verdict/live.hpp"
#include "verdict/verdict.hpp"

namespace dptrace {

/// Sorts the hops by time. They come nearly in order: a netfilter verdict is recorded after the
/// free to which it led, and an uplink's receive is recorded after NAT has shown whose packet it
/// was.
void put_in_order(Packet& packet);

/// `every_end` keeps also the ends that are no loss.
void make_ready(Live& live, const Names& names, bool every_end);

}  // namespace dptrace
