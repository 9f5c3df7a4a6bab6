"""The two nodes and their pods, and the ways of packets through them."""

import atexit
import contextlib
import functools
import itertools
import os
import re
import signal
import sys

from .commands import ROOT, run
from .traffic import ping


class Pod:
    def __init__(self, netns, name, node, ip, ip6, veth):
        self.netns, self.name, self.node, self.veth = netns, name, node, veth
        self.ip, self.ip6 = ip, ip6

    def address(self, family):
        return self.ip if family == 4 else self.ip6


class Topology:
    """Two flannel nodes; dptrace runs on node 1. See tests/topology/flannel."""

    SCRIPT = ROOT / "tests" / "topology" / "flannel"

    def __init__(self, prefix):
        self.prefix = prefix
        self.n1, self.n2 = f"{prefix}-n1", f"{prefix}-n2"
        run(self.SCRIPT, "up", prefix)
        env = dict(word.split("=", 1) for word in run(self.SCRIPT, "env", prefix).stdout.split())
        self.service = (env["SERVICE_IP"], int(env["SERVICE_PORT"]))
        self.pods = []
        for number in itertools.takewhile(lambda n: f"POD{n}" in env, itertools.count(1)):
            keys = ("", "_NAME", "_NODE", "_IP", "_IP6", "_VETH")
            self.pods.append(Pod(*(env[f"POD{number}{key}"] for key in keys)))
        self.pod1, self.pod2, self.pod3, self.pod4 = self.pods
        for pod in self.pods[1:]:  # ARP and neighbour discovery are not the subject
            for family in (4, 6):
                ping(self.pod1, pod.address(family), family=family)

    def down(self):
        run(self.SCRIPT, "down", self.prefix)

    @contextlib.contextmanager
    def pod(self, node, name):
        """One more pod for a while; unless the body has ended it with end_pod."""
        netns, ip, ip6, veth = run(self.SCRIPT, "pod", self.prefix, str(node), name).stdout.split()
        pod = Pod(netns, name, f"{self.prefix}-n{node}", ip, ip6, veth)
        try:
            yield pod
        finally:
            if os.path.exists(f"/run/netns/{netns}"):
                self.end_pod(pod)

    def end_pod(self, pod):
        run(self.SCRIPT, "unpod", self.prefix, pod.node[-1], pod.name)

    # Ways through the topology, as a tracer on node 1 tells them: it has tc programs there and tracepoints elsewhere.

    def out(self, pod, overlay="flannel.1"):
        """From a pod of node 1 to the underlay."""
        return [
            f"device-transmit eth0@{pod.name}",
            f"tc-ingress {pod.veth}@n1",
            "tc-ingress cni0@n1",
            f"tc-egress {overlay}@n1",
            "tc-egress eth0@n1",
        ]

    def far_in(self, pod, overlay="flannel.1"):
        """From the underlay into a pod of node 2."""
        return [
            "device-receive eth0@n2",
            f"device-receive {overlay}@n2",
            "device-transmit cni0@n2",
            f"device-transmit {pod.veth}@n2",
            f"device-receive eth0@{pod.name}",
        ]

    def far_out(self, pod, overlay="flannel.1"):
        return [
            f"device-transmit eth0@{pod.name}",
            f"device-receive {pod.veth}@n2",
            "device-receive cni0@n2",
            f"device-transmit {overlay}@n2",
            "device-transmit eth0@n2",
        ]

    def into(self, pod, overlay="flannel.1"):
        return ["tc-ingress eth0@n1", f"tc-ingress {overlay}@n1", *self.from_node(pod)]

    def from_node(self, pod):
        """From node 1 itself, or routed by it, into one of its pods."""
        return ["tc-egress cni0@n1", f"tc-egress {pod.veth}@n1", f"device-receive eth0@{pod.name}"]

    def request(self, near, far, family=4):
        """A packet from a pod of node 1 to one of node 2, taken there."""
        return self.out(near, OVERLAY[family]) + self.far_in(far, OVERLAY[family]) + [f"socket eth0@{far.name}"]

    def reply(self, near, far, family=4):
        return self.far_out(far, OVERLAY[family]) + self.into(near, OVERLAY[family]) + [f"socket eth0@{near.name}"]

    def across_bridge(self, source, destination):
        """Between two pods of node 1."""
        return [
            f"device-transmit eth0@{source.name}",
            f"tc-ingress {source.veth}@n1",
            f"tc-egress {destination.veth}@n1",
            f"device-receive eth0@{destination.name}",
            f"socket eth0@{destination.name}",
        ]


OVERLAY = {4: "flannel.1", 6: "flannel-v6.1"}

# The netfilter hooks of a packet that crosses, outer header (of the underlay's family) in between.
CROSSING_HOOKS = (
    ["PREROUTING@n1", "FORWARD@n1", "POSTROUTING@n1"]
    + ["OUTPUT@n1", "POSTROUTING@n1", "PREROUTING@n2", "INPUT@n2"]
    + ["PREROUTING@n2", "FORWARD@n2", "POSTROUTING@n2"]
)


def prefix():
    """Of the names of this run's network namespaces."""
    return f"dpt{os.getpid()}"


def _remove_left_behind():
    """Topologies of runs that were killed."""
    netns = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    for left, pid in {match.group(1, 2) for match in map(re.compile(r"(dpt(\d+)[a-z]?)-").match, netns) if match}:
        if not os.path.exists(f"/proc/{pid}"):
            run(Topology.SCRIPT, "down", left)


@functools.lru_cache(maxsize=None)
def topology():
    """The one that most cases share and leave as they found it."""
    _remove_left_behind()
    shared = Topology(prefix())
    atexit.register(shared.down)
    return shared


@contextlib.contextmanager
def own_topology(letter="x"):
    """For a case that destroys it."""
    own = Topology(prefix() + letter)
    try:
        yield own
    finally:
        own.down()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that atexit runs
