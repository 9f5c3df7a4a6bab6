// Bytes to Event: the one way in for the live ring, recordings and the fuzzer.
#pragma once

#include <cstddef>
#include <span>

#include "model/event.hpp"
#include "model/result.hpp"

namespace dptrace {

/// One record, as the kernel wrote it. Pure; every length is checked, what is beyond the record is
/// never read.
Result<Event> decode(std::span<const std::byte> record);

}  // namespace dptrace
