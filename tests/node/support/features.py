"""What cases depend on and not every kernel has."""

import functools
import json
import os
import re
import unittest

from .commands import DPTRACE, IN_VM, run
from .kernel import CLSACT, HAS_TCX, TCX
from .netns import network_namespace
from .nodes import topology


@functools.lru_cache(maxsize=None)
def features():
    """What the cases depend on and not every kernel has."""
    found = set()
    checks = json.loads(run(DPTRACE, "check", "-o", "json", check=False).stdout)["checks"]
    if any(re.search("nf_hook|netfilter", check["name"]) and check["state"] == "ok" for check in checks):
        found.add("netfilter hops")
    with network_namespace(topology().n1):
        if run("iptables-legacy", "-L", "-n", check=False).returncode == 0:
            found.add("iptables-legacy")
    found.add(TCX if HAS_TCX else CLSACT)
    return found


def has(feature):
    """Is it there? In a guest it must be, but for what the kernel's version decides."""
    if feature in features():
        return True
    if IN_VM and feature not in (TCX, CLSACT):
        raise AssertionError(f"this kernel must have it, but it is missing: {feature}")
    return False


def require(feature):
    if not has(feature):
        raise unittest.SkipTest(f"not with the running kernel ({os.uname().release}): {feature}")
