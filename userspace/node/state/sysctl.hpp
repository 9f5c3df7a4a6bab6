// These functions read the settings below /proc/sys/net of the calling thread's network namespace.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dptrace {

/// The number in a setting, such as `net/ipv4/conf/cni0/forwarding`; nothing when there is no such
/// setting, or it is no number.
std::optional<int> read_sysctl(std::string_view path);

/// True for a setting that this netns may change: others show it for reading only.
bool can_write_sysctl(std::string_view path);

/// The setting as sysctl(8) takes it: `net.ipv4.conf.cni0.forwarding`; with slashes where a
/// device's name has a dot.
std::string sysctl_name(std::string_view path);

/// `net.ipv4.conf.cni0.forwarding = 0`.
std::string sysctl_fact(std::string_view path, int value);

/// `sysctl -w net.ipv4.conf.cni0.forwarding=1`.
std::string sysctl_command(std::string_view path, int value);

}  // namespace dptrace
