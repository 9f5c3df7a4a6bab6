"""What a case runs and waits for, and how long at most."""

import os
import pathlib
import re
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
DPTRACE = os.path.abspath(os.environ.get("DPTRACE", ROOT / "build" / "dptrace"))
IN_VM = "DPTRACE_VM" in os.environ
# Upper bounds only: everything is polled. Guests are emulated and some ten times slower.
TIMEOUT = 90 if IN_VM else 20
POLL = 0.01


def wait_until(condition, what, timeout=TIMEOUT):
    """Returns condition()'s first true value. `what` is a text, or a function that makes one when it is too late."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what() if callable(what) else what}: not within {timeout} s")
        time.sleep(POLL)


def run(*command, check=True, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stderr}{done.stdout}")
    return done


def resident_kib(pid):
    """What the process has in memory now."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])
