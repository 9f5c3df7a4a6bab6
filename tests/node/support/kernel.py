"""The running kernel: what its version decides, its symbols and drop reasons."""

import functools
import os
import re

from .commands import run

KERNEL = tuple(int(part) for part in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())
HAS_REASONS = KERNEL >= (5, 17)
HAS_TCX = KERNEL >= (6, 6)
TCX, CLSACT = "tcx (6.6 and later)", "clsact as the way to attach (before 6.6)"


@functools.lru_cache(maxsize=None)
def symbols():
    with open("/proc/kallsyms") as lines:
        return {line.split()[2] for line in lines}


def first_symbol(*names):
    """The first that the running kernel has: functions are renamed and inlined from version to version."""
    return next(name for name in names if name in symbols())


@functools.lru_cache(maxsize=None)
def reason_codes():
    """Drop reasons by name, from the BTF of the running kernel."""
    dump = run("bpftool", "btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "raw").stdout
    return {name: int(code) for name, code in re.findall(r"'SKB_(?:DROP_REASON_)?(\w+)' val=(\d+)", dump)}
