// dump_filters() lists the tc filters on a device, as far as telling ours from others' needs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/result.hpp"

namespace dptrace {

struct TcFilter {
  std::uint32_t handle = 0;
  std::uint16_t priority = 0;
  std::string kind;     ///< `bpf`, `u32`, ...
  std::string program;  ///< the name that a bpf filter has from its program
};

enum class TcDirection { kIngress, kEgress };

/// The list is empty when the device has no clsact qdisc.
Result<std::vector<TcFilter>> dump_filters(std::uint32_t ifindex, TcDirection direction);

}  // namespace dptrace
