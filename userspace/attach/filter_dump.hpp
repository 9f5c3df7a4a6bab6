// dump_filters() lists the tc filters on a device, as far as telling ours from others' needs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.hpp"

namespace dptrace {

struct TcFilter {
  std::uint32_t handle = 0;
  std::uint16_t priority = 0;
  std::string kind;              ///< `bpf`, `u32`, ...
  std::string program;           ///< the name that a bpf filter has from its program
  std::uint32_t program_id = 0;  ///< 0: it has no BPF program
  std::uint32_t chain = 0;
  bool shared = false;  ///< it is of a block that other devices share
};

/// What the names of dptrace's own tc programs begin with.
inline constexpr std::string_view kOwnPrograms = "dptrace_l";

enum class TcDirection { kIngress, kEgress };

/// The list is empty when the device has no clsact qdisc.
Result<std::vector<TcFilter>> dump_filters(std::uint32_t ifindex, TcDirection direction);

}  // namespace dptrace
