// What commands that watch the running kernel have in common: clocks, the node's names.
#pragma once

#include <cstdint>
#include <ctime>

#include "model/names.hpp"
#include "node/kernel_btf.hpp"

namespace dptrace {

std::uint64_t now_ns(clockid_t clock);

Names names_of_node(const KernelBtf& btf);
/// To be called before times are told: the clock may have been set meanwhile.
void follow_wall_clock(Names& names);

}  // namespace dptrace
