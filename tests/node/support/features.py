"""What cases depend on and not every kernel has."""

import functools
import json
import os
import re
import unittest

from .commands import DPTRACE, IN_VM, run
from .kernel import CLSACT, HAS_TCX, TCX
from .netns import in_netns, network_namespace
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
    found.update(f"{kind} devices" for kind in ("ipip", "vxlan", "geneve", "gre", "vlan", "wireguard") if _has_link_kind(kind))
    if _has_ipsec():
        found.add("IPsec")
    found.add(TCX if HAS_TCX else CLSACT)
    return found


def _has_ipsec():
    state = "src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x99".split()
    cipher = ["mode", "tunnel", "aead", "rfc4106(gcm(aes))", "0x" + "5a" * 20, "128"]
    try:
        return in_netns(topology().n1, "ip", "xfrm", "state", "add", *state, *cipher, check=False).returncode == 0
    finally:
        in_netns(topology().n1, "ip", "xfrm", "state", "del", *state, check=False)


def _has_link_kind(kind):
    options = {"vxlan": ["id", "1", "dstport", "4789"], "geneve": ["id", "1", "remote", "192.0.2.2"], "vlan": ["id", "9"]}
    ends = [] if kind == "wireguard" else ["local", "192.0.2.1", "remote", "192.0.2.2"]
    under = ["link", "eth0"] if kind == "vlan" else []
    link = [*under, "name", "dptprobe", "type", kind, *options.get(kind, ends)]
    try:
        return in_netns(topology().n1, "ip", "link", "add", *link, check=False).returncode == 0
    finally:
        in_netns(topology().n1, "ip", "link", "del", "dptprobe", check=False)


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
