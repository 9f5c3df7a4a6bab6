// SIGINT, SIGTERM and SIGHUP end the process in order, or at once while nothing is attached.
#pragma once

#include <cstdint>

namespace dptrace::stop {

/// From now on these signals end the process at once with status 0: nothing has been seen yet, and
/// what is attached goes with the process. A closed pipe is the end of output, not a signal.
void take_signals();

/// To be called when everything is attached. From now on the first signal can be waited for with
/// fd() and asked for with came(). Another signal ends the process at once, unless it is the echo
/// of the first.
void end_in_order();

/// The descriptor is readable once a signal came; -1 before take_signals().
int fd();
bool came();

/// Sets the function that is called before a sudden end; it must be async-signal-safe. Null: none.
void before_sudden_end(void (*call)());

}  // namespace dptrace::stop
