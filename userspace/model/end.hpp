// An end says what the kernel's free of a packet means: a loss, or one of the ends that are no
// loss.
#pragma once

#include <cstdint>
#include <string_view>

namespace dptrace {

enum class End : std::uint8_t {
  kLoss,
  kTaken,     ///< a protocol handler had understood it
  kCopy,      ///< a part, a copy, a leftover: the free says nothing about the packet
  kUnwanted,  ///< meant for others: a flood, or a multicast or broadcast that nobody here wants
  kClosed,    ///< its reader had closed, or the connection was over
};

/// The name in JSON: `loss`, `taken`, `copy`, `unwanted`, `closed`.
std::string_view end_name(End end);

}  // namespace dptrace
