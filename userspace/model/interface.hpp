// An interface is a network device of some network namespace, with what it is to the node.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace dptrace {

struct InterfaceId {
  std::uint32_t netns = 0;  ///< inode number; 0: not known
  std::uint32_t index = 0;

  auto operator<=>(const InterfaceId&) const = default;
};

enum class Role : std::uint8_t { kPod, kBridge, kOverlay, kUplink, kLoopback, kOther };

/// The name in JSON: `pod`, `bridge`, `overlay`, `uplink`, `loopback`, `other`.
std::string_view role_name(Role role);
/// The role of that name; kOther when there is none.
Role role_from_name(std::string_view name);

/// True for a device that encrypts what it is given: what comes out is another packet, which cannot
/// be read. `kind` is Interface::kind.
bool is_encrypting(std::string_view kind);

struct Interface {
  InterfaceId id;
  std::string name;
  std::string kind;  ///< the kernel's link kind; `device` for a physical one, `loopback` for lo
  Role role = Role::kOther;
  std::uint32_t mtu = 0;
  std::uint32_t peer_netns = 0;  ///< netns of a veth's other end, 0: not known
  /// Index of the bridge, bond or datapath, in the same netns, of which this device is a port; 0:
  /// none, or not known.
  std::uint32_t master = 0;

  friend bool operator==(const Interface&, const Interface&) = default;
};

}  // namespace dptrace
