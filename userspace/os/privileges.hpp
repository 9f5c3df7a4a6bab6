// A thread gives up rights that it needs no longer. Capabilities and system call filters are each
// thread's own, and threads inherit them from the one that starts them.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "model/result.hpp"

namespace dptrace {

/// Of the calling thread, for good. `kept`: CAP_*; those of them that it does not have it does not
/// get.
Result<> keep_capabilities(std::initializer_list<std::uint8_t> kept);

/// For a thread that serves clients over descriptors that are open already: no capability, no new
/// file, process or executable page. The system calls that it has left read, write, accept, wait
/// and give memory; all others fail with EPERM.
Result<> confine_to_serving();

}  // namespace dptrace
