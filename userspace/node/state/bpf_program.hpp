// The BPF programs of this kernel: what they are called, and which of them are on a device of the
// calling thread's network namespace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dptrace {

/// As clean_name() leaves it; the kernel keeps fifteen characters. Nothing when the program is gone
/// or the kernel does not tell it to us; empty when it has no name.
std::optional<std::string> bpf_program_name(std::uint32_t id);

enum class TcxDirection { kIngress, kEgress };

/// The programs that tcx (6.6 and later) runs for a device; empty before. Nothing when they are not
/// known.
std::optional<std::vector<std::uint32_t>> tcx_programs(std::uint32_t device,
                                                       TcxDirection direction);

/// The XDP programs of a device; 0: none.
struct XdpPrograms {
  std::uint32_t generic = 0;  ///< run by the kernel for any device
  std::uint32_t native = 0;   ///< run by the device's driver
};
std::optional<XdpPrograms> xdp_programs(std::uint32_t device);

/// True when a link of BPF's holds the program on some device, so that `ip link` cannot take it
/// away; nothing when the kernel does not tell.
std::optional<bool> is_held_by_xdp_link(std::uint32_t program);

/// The network agent that a program of this name belongs to: `Cilium`, `Calico`; empty: none that
/// is known.
std::string_view agent_of_program(std::string_view name);

}  // namespace dptrace
