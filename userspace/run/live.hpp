// names_of_node() gives the names with which commands begin that watch the running kernel.
#pragma once

#include "model/names.hpp"
#include "node/kernel_btf.hpp"

namespace dptrace {

Names names_of_node(const KernelBtf& btf);
/// Takes over a change of the wall clock; to be called before times are told, because the clock may
/// have been set.
void follow_wall_clock(Names& names);

}  // namespace dptrace
