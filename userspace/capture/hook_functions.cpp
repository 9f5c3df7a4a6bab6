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

std::vector<HookFunction> hook_functions(const Symbols& symbols, const KernelBtf& btf) {
  auto found = hook_functions(symbols);
  for (auto& function : found) function.has_btf = btf.find_function(function.name).has_value();
  return found;
}

}  // namespace dptrace
