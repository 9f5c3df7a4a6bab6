// Which functions netfilter hooks call: probed at their entry, they tell which of them ended a
// packet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "names/symbols.hpp"

namespace dptrace {

struct HookFunction {
  std::string name;
  std::uint64_t address = 0;
};

/// Those that this kernel has with the modules loaded now, the ones that most often end a packet
/// first.
std::vector<HookFunction> hook_functions(const Symbols& symbols);

}  // namespace dptrace
