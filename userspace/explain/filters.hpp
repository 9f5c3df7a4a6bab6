// What is asked of a device's tc filters other than why one of them drops.
#pragma once

#include <cstdint>

namespace dptrace {

/// True when nothing but our own looks at packets behind the tc egress of the device, in the
/// calling thread's netns: they leave as they were seen there.
bool is_untouched_at_egress(std::uint32_t device);

}  // namespace dptrace
