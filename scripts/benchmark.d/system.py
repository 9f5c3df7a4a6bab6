"""What the measuring needs of this machine."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TOOLS = ROOT / "build" / "tools"  # what scripts/install-dependencies puts beside the system's own
IN_GUEST = "DPTRACE_VM" in os.environ

SENDER_CPU = min(1, os.cpu_count() - 1)
TRACER_CPU = 0


class Failed(Exception):
    pass


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode:
        raise Failed(f"{' '.join(str(word) for word in command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def cpu_ns(pid):
    """CPU time of a process with all its threads."""
    total = 0
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        total += int(path.read_text().split()[0])
    return total


def kernel_thread(name):
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().strip() == name:
                return int(path.parent.name)
        except OSError:  # ended meanwhile
            continue
    return None
