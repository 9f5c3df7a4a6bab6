// Which functions netfilter hooks call: probed at their entry, they tell which of them ended a
// packet.
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

/// Those that this kernel has with the modules loaded now, the ones that most often end a packet
/// first.
std::vector<HookFunction> hook_functions(const Symbols& symbols);
std::vector<HookFunction> hook_functions(const Symbols& symbols, const KernelBtf& btf);

/// The code of nf_hook_slow, which calls them; of size 0: not known.
dpt_range hook_caller(const Symbols& symbols);

struct Hooks {
  std::vector<HookFunction> functions;
  dpt_range caller{};
};

}  // namespace dptrace
