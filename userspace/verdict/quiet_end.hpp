// A quiet end is a free that the kernel does not call a drop.
#pragma once

#include <cstdint>
#include <string_view>

namespace dptrace {

enum class QuietEnd : std::uint8_t {
  kUnknown,
  kTaken,      ///< a protocol of the kernel understood it
  kDiscarded,  ///< a filter of tc stole it, and may have given it to nobody
};

/// By the function that freed it, as the kernel names it.
QuietEnd quiet_end_of(std::string_view function);

}  // namespace dptrace
