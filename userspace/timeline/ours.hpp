// A packet is ours, and is shown, when the filter matched it somewhere on its way, or when it ended
// before NAT could tell whose packet it is.
#pragma once

#include "verdict/live.hpp"

namespace dptrace {

/// The programs in the kernel also follow packets with an address that NAT gave to a packet of
/// ours. This address may have a new owner by now. Behind NAT the filter itself matches the packets
/// that are ours, so one that passed NAT without a match is not. `verdict` is that of the whole
/// packet; its hops must be in order.
bool is_ours(const Live& live, Verdict verdict);

}  // namespace dptrace
