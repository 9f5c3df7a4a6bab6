// A quiet end is a free that the kernel does not call a drop.
#pragma once

#include <cstdint>
#include <string_view>

namespace dptrace {

enum class QuietEnd : std::uint8_t {
  kUnknown,
  kTaken,      ///< a protocol of the kernel understood the packet
  kDiscarded,  ///< a tc filter stole the packet, and may have given it to nobody
};

/// The quiet end of a packet that `function` freed; the name is the kernel's.
QuietEnd quiet_end_of(std::string_view function);

}  // namespace dptrace
