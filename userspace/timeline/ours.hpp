// A packet is ours, and shown, when the filter matched it somewhere on its way, or when it ended
// before NAT could tell whose it is.
#pragma once

#include "verdict/live.hpp"

namespace dptrace {

/// The kernel's side also follows what bears the addresses that NAT gave a packet of ours. They may
/// have a new owner since; behind NAT the filter matches what is ours, and shows who it is.
/// `verdict`: of the whole packet. Asks the hops, which must be in order.
bool is_ours(const Live& live, Verdict verdict);

}  // namespace dptrace
