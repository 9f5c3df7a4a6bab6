// An explanation says why a packet died: the cause, what the node's state proves of it, and what
// mends it.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace dptrace {

struct Explanation {
  std::string cause;                  ///< an identifier of docs/causes; `unknown`: none was proved
  std::string sentence;               ///< without a full stop; empty for `unknown`
  std::vector<std::string> evidence;  ///< facts that were read from the node, or from the packet
  /// Commands for a shell in the netns .fix_netns, the mildest first; empty: none is certain to
  /// help.
  std::vector<std::string> fix;
  std::uint32_t fix_netns = 0;  ///< inode; 0: that of the drop

  friend bool operator==(const Explanation&, const Explanation&) = default;
};

/// Names one drop.
struct DropId {
  std::uint64_t time_ns = 0;  ///< CLOCK_MONOTONIC
  std::uint32_t netns = 0;
  std::uint32_t index = 0;  ///< of the device, 0: none

  friend auto operator<=>(const DropId&, const DropId&) = default;
};

}  // namespace dptrace
