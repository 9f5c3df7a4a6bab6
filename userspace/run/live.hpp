// Names that commands which watch the running kernel begin with.
#pragma once

#include "model/names.hpp"
#include "node/kernel_btf.hpp"

namespace dptrace {

Names names_of_node(const KernelBtf& btf);
/// To be called before times are told: the clock may have been set meanwhile.
void follow_wall_clock(Names& names);

}  // namespace dptrace
