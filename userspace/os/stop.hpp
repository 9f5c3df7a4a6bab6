// SIGINT, SIGTERM and SIGHUP, whatever the process is at.
#pragma once

#include <cstdint>

namespace dptrace::stop {

/// From now on these signals end the process at once with status 0: nothing has been seen yet, and
/// what is attached goes with it. A closed pipe is an end of output and no signal.
void take_signals();

/// Everything is attached: from now on the first signal is to be waited for with fd() and asked for
/// with came(). Another one, if it is not the first one's echo, ends the process where it is.
void end_in_order();

/// Readable once a signal came; -1 where none are taken.
int fd();
bool came();

/// Called before an end at once; async-signal-safe. Null: nothing.
void before_sudden_end(void (*call)());

}  // namespace dptrace::stop
