// A thread gives up rights that it does not need any more. Each thread has its own capabilities and
// system call filters, and inherits them from the thread that starts it.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "model/result.hpp"

namespace dptrace {

/// Takes all capabilities except those in `kept` (CAP_*) from the calling thread for good. It does
/// not get any of `kept` that it does not have.
Result<> keep_capabilities(std::initializer_list<std::uint8_t> kept);

/// Confines a thread that serves clients over descriptors that are already open: it has no
/// capability and gets no new file, process or executable page. The system calls that are left
/// read, write, accept, wait and give memory; all others fail with EPERM.
Result<> confine_to_serving();

}  // namespace dptrace
