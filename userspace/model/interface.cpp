#include "model/interface.hpp"

#include <algorithm>
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

// MACsec is not among them: it encrypts only where it was told to.
constexpr std::array<std::string_view, 5> kEncrypting = {"wireguard", "xfrm", "vti", "vti6",
                                                         "ovpn"};

}  // namespace

std::string_view role_name(Role role) { return kRoles[static_cast<std::size_t>(role)].second; }

Role role_from_name(std::string_view name) {
  for (const auto& [role, text] : kRoles) {
    if (text == name) return role;
  }
  return Role::kOther;
}

bool is_encrypting(std::string_view kind) {
  return std::find(kEncrypting.begin(), kEncrypting.end(), kind) != kEncrypting.end();
}

}  // namespace dptrace
