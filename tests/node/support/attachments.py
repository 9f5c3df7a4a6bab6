"""What is attached to the devices of a node."""

import contextlib
import json
import os
import socket

from .bpf import Bpf
from .commands import run
from .kernel import HAS_TCX
from .netns import in_netns, network_namespace


def attached(netns, device):
    """How many tc programs a device has, by tcx and clsact: (ingress, egress)."""
    filters = [
        in_netns(netns, "tc", "filter", "show", "dev", device, direction, check=False).stdout.count(" handle ")
        for direction in ("ingress", "egress")
    ]
    if not HAS_TCX:
        return tuple(filters)
    with network_namespace(netns):
        index = socket.if_nametoindex(device)
        links = [len(Bpf.tcx_programs(index, kind)) for kind in (Bpf.TCX_INGRESS, Bpf.TCX_EGRESS)]
    return tuple(map(sum, zip(filters, links)))


def attached_programs(pid):
    """Names of the BPF programs that links of the process hold in their places."""
    ids = set()
    for entry in os.scandir(f"/proc/{pid}/fdinfo"):
        with contextlib.suppress(OSError), open(entry.path) as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
            if "link_type" in fields:
                ids.add(int(fields["prog_id"]))
    programs = json.loads(run("bpftool", "--json", "prog", "show").stdout)
    return {program.get("name", "") for program in programs if program["id"] in ids}


def devices(netns):
    with network_namespace(netns):
        return [name for _, name in socket.if_nameindex()]


def traces_left(netns):
    """What a tracer left on the devices of a node."""
    left = []
    for device in devices(netns):
        if any(attached(netns, device)):
            left.append(f"{device}: {attached(netns, device)} programs")
        if "clsact" in in_netns(netns, "tc", "qdisc", "show", "dev", device).stdout:
            left.append(f"{device}: clsact")
    return left
