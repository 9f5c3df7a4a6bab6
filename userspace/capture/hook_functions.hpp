// Which functions netfilter hooks call: probed at their entry, they tell which of them ended a
// packet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dptrace/drops.h"
#include "names/symbols.hpp"

namespace dptrace {

struct HookFunction {
  std::string name;
  std::uint64_t address = 0;
};

/// Those that this kernel has with the modules loaded now, the ones that most often end a packet
/// first.
std::vector<HookFunction> hook_functions(const Symbols& symbols);

/// The code of nf_hook_slow, which calls them; of size 0: not known.
dpt_range hook_caller(const Symbols& symbols);

struct Hooks {
  std::vector<HookFunction> functions;
  dpt_range caller{};
};

}  // namespace dptrace
