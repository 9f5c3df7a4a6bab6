// hook_functions() lists the functions that netfilter hooks call: probed at their entry, they tell
// which of them ended a packet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dptrace/drops.h"
#include "names/symbols.hpp"
#include "node/kernel_btf.hpp"

namespace dptrace {

struct HookFunction {
  std::string name;
  std::uint64_t address = 0;
  bool has_btf = false;  ///< the kernel knows its arguments: a fentry program can be put on it
};

/// Returns the hook functions that this kernel has with the modules loaded now; the functions that
/// most often end a packet come first. Only with `btf` is .has_btf set.
std::vector<HookFunction> hook_functions(const Symbols& symbols);
std::vector<HookFunction> hook_functions(const Symbols& symbols, const KernelBtf& btf);

}  // namespace dptrace
