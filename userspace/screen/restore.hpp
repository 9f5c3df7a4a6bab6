// Brings the terminal back when the process ends by a signal or by exit().
#pragma once

#include <termios.h>

namespace dptrace {

/// From now on the process does not end without leave_screen(), where that is possible. `before` is
/// the state that the terminal of `input` gets then; `output` shows the screen.
void keep_restorable(int input, int output, const termios& before);

/// Takes the terminal, waiting for it in the background if need be, and shows the screen. From now
/// on leave_screen() has to follow.
void enter_screen(const termios& settings);

/// Leaves the screen. Does nothing when it was left already, or when the terminal belongs to
/// another job by now. Async-signal-safe.
void leave_screen();

/// Ends what keep_restorable() began.
void forget_restorable();

}  // namespace dptrace
