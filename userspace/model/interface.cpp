#include "model/interface.hpp"

#include <array>
#include <utility>

namespace dptrace {

namespace {
constexpr std::array<std::pair<Role, std::string_view>, 6> kRoles = {{
    {Role::kPod, "pod"},
    {Role::kBridge, "bridge"},
    {Role::kOverlay, "overlay"},
    {Role::kUplink, "uplink"},
    {Role::kLoopback, "loopback"},
    {Role::kOther, "other"},
}};
}

std::string_view role_name(Role role) { return kRoles[static_cast<std::size_t>(role)].second; }

Role role_from_name(std::string_view name) {
  for (const auto& [role, text] : kRoles) {
    if (text == name) return role;
  }
  return Role::kOther;
}

}  // namespace dptrace
