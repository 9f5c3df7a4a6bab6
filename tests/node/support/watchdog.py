"""Bounds the time of a case: one that hangs fails, and tells what it, the other processes and the kernel were doing."""

import faulthandler
import os
import pathlib
import signal
import subprocess
import sys

from .commands import IN_VM

# No case takes a fifth of it, its set-up included.
LIMIT = 450 if IN_VM else 120
# Then it has to clean up. If that hangs too, or the signal finds nobody to interrupt, the run ends.
LAST_RESORT = LIMIT + 120


class TookTooLong(AssertionError):
    pass


def _tell(*command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                              timeout=20)
        said = done.stdout + done.stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        said = f"{error}\n"
    print(f"---- {' '.join(command)}\n{said}", file=sys.stderr, end="", flush=True)


def _report(*_):
    print(f"\n==== no end within {LIMIT} s", file=sys.stderr, flush=True)
    faulthandler.dump_traceback(all_threads=True)
    # Natively the others' processes are none of our business.
    whose = ("-e",) if IN_VM else ("-s", str(os.getsid(0)))
    _tell("ps", *whose, "-o", "pid,ppid,stat,wchan:24,etimes,args", "--forest")
    if IN_VM:  # into the kernel's log: tasks that are blocked, and what the CPUs are at
        pathlib.Path("/proc/sysrq-trigger").write_text("w")
        pathlib.Path("/proc/sysrq-trigger").write_text("l")
    _tell("sh", "-c", "dmesg | tail -n 150")
    raise TookTooLong(f"no end within {LIMIT} s; what was going on is told above")


def arm():
    """From now on, until armed anew."""
    signal.signal(signal.SIGALRM, _report)
    signal.alarm(LIMIT)
    faulthandler.dump_traceback_later(LAST_RESORT, exit=True)
