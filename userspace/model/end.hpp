// An end says what the kernel's free of a packet means: a loss, or which kind of none.
#pragma once

#include <cstdint>
#include <string_view>

namespace dptrace {

enum class End : std::uint8_t {
  kLoss,
  kTaken,     ///< a protocol handler had understood it
  kCopy,      ///< a part, a copy, a leftover: says nothing of the packet
  kUnwanted,  ///< for others: a flood, a multicast, a broadcast that nobody here wants
  kClosed,    ///< its reader had closed, or the connection was over
};

/// As JSON names it: `loss`, `taken`, `copy`, `unwanted`, `closed`.
std::string_view end_name(End end);

}  // namespace dptrace
