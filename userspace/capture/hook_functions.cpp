#include "capture/hook_functions.hpp"

#include "verdict/hook_names.hpp"

namespace dptrace {

std::vector<HookFunction> hook_functions(const Symbols& symbols) {
  std::vector<HookFunction> found;
  for (const auto name : hook_names()) {
    if (const auto address = symbols.address(name)) found.push_back({std::string(name), *address});
  }
  return found;
}

dpt_range hook_caller(const Symbols& symbols) {
  const auto ranges = symbols.ranges([](std::string_view name) { return name == "nf_hook_slow"; });
  return ranges.empty() ? dpt_range{} : ranges.front();
}

}  // namespace dptrace
