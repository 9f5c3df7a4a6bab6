// decode() makes an Event of bytes: it is the one way in for the live ring, recordings and the
// fuzzer.
#pragma once

#include <cstddef>
#include <span>

#include "model/event.hpp"
#include "model/result.hpp"

namespace dptrace {

/// Decodes one record, as the kernel wrote it. The function is pure; it checks every length, and
/// never reads what is beyond the record.
Result<Event> decode(std::span<const std::byte> record);

}  // namespace dptrace
