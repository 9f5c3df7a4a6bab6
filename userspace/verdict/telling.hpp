// A packet that is about to be told: its hops in order and complete, without what its copies did
// beside it; its losses, copies and parts counted.
#pragma once

#include "verdict/live.hpp"
#include "verdict/verdict.hpp"

namespace dptrace {

/// Hops come nearly in order: a netfilter verdict is told after the free that it led to, an
/// uplink's receive after NAT has shown whose packet it was.
void put_in_order(Packet& packet);

/// `every_end`: also the ends that are no loss are kept.
void make_ready(Live& live, const Names& names, bool every_end);

}  // namespace dptrace
