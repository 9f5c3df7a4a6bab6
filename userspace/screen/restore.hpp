// Brings the terminal back when the process ends by a signal or by exit().
#pragma once

#include <termios.h>

namespace dptrace {

/// From now on the process does not end without leave_screen(), if it can be helped. `before` is
/// what the terminal of `input` is set to then, `output` what the screen is shown on.
void keep_restorable(int input, int output, const termios& before);

/// Takes the terminal, if need be waiting in the background for it, and shows the screen.
/// leave_screen() is due from now on.
void enter_screen(const termios& settings);

/// Leaves the screen; does nothing when it was left, or when the terminal is another job's by now.
/// Async-signal-safe.
void leave_screen();

/// The end of keep_restorable().
void forget_restorable();

}  // namespace dptrace
