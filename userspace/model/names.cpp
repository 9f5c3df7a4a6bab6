#include "model/names.hpp"

#include <fmt/format.h>

namespace dptrace {

const Interface* Names::interface(InterfaceId id) const {
  const auto found = interfaces.find(id);
  return found == interfaces.end() ? nullptr : &found->second;
}

std::string Names::function(std::uint64_t address) const {
  const auto found = symbols.find(address);
  return found == symbols.end() ? std::string() : found->second.name;
}

std::string Names::location(std::uint64_t address) const {
  const auto found = symbols.find(address);
  if (found == symbols.end()) return fmt::format("{:#x}", address);
  return fmt::format("{}+{:#x}", found->second.name, address - found->second.start);
}

}  // namespace dptrace
