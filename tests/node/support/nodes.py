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

TOPOLOGIES = ROOT / "tests" / "topology"


class Pod:
    def __init__(self, netns, name, node, ip, ip6, veth):
        self.netns, self.name, self.node, self.veth = netns, name, node, veth
        self.ip, self.ip6 = ip, ip6

    def address(self, family):
        return self.ip if family == 4 else self.ip6


class Topology:
    """Two nodes with two pods each; dptrace runs on node 1. Made by a script of tests/topology."""

    SCRIPT = None
    BRIDGES = []  # between the pods' veths and the routing
    OVERLAY = {4: None, 6: None}  # the tunnel's device, by the family of what it carries

    def __init__(self, prefix):
        self.prefix = prefix
        self.n1, self.n2 = f"{prefix}-n1", f"{prefix}-n2"
        self.script("up", prefix)
        env = dict(word.split("=", 1) for word in self.script("env", prefix).split())
        self.service = (env["SERVICE_IP"], int(env["SERVICE_PORT"]))
        self.pods = []
        for number in itertools.takewhile(lambda n: f"POD{n}" in env, itertools.count(1)):
            keys = ("", "_NAME", "_NODE", "_IP", "_IP6", "_VETH")
            self.pods.append(Pod(*(env[f"POD{number}{key}"] for key in keys)))
        self.pod1, self.pod2, self.pod3, self.pod4 = self.pods
        for pod in self.pods[1:]:  # ARP and neighbour discovery are not the subject
            for family in (4, 6):
                ping(self.pod1, pod.address(family), family=family)

    @classmethod
    def script(cls, *arguments):
        return run(TOPOLOGIES / cls.SCRIPT, *arguments).stdout

    def down(self):
        self.script("down", self.prefix)

    @contextlib.contextmanager
    def pod(self, node, name):
        """One more pod for a while; unless the body has ended it with end_pod."""
        netns, ip, ip6, veth = self.script("pod", self.prefix, str(node), name).split()
        pod = Pod(netns, name, f"{self.prefix}-n{node}", ip, ip6, veth)
        try:
            yield pod
        finally:
            if os.path.exists(f"/run/netns/{netns}"):
                self.end_pod(pod)

    def end_pod(self, pod):
        self.script("unpod", self.prefix, pod.node[-1], pod.name)

    # Ways through the topology, as support.crossings() has them.

    def overlay(self, family):
        return [self.OVERLAY[family]] if self.OVERLAY[family] else []

    def up(self, pod):
        """From a pod of node 1 to where node 1 routes."""
        devices = [pod.veth, *self.BRIDGES]
        return [f"device-transmit eth0@{pod.name}", *(f"device-receive {device}@n1" for device in devices)]

    def out(self, pod, family=4):
        """From a pod of node 1 to the underlay."""
        return [*self.up(pod), *(f"device-transmit {device}@n1" for device in [*self.overlay(family), "eth0"])]

    def far_in(self, pod, family=4):
        """From the underlay into a pod of node 2."""
        return [
            *(f"device-receive {device}@n2" for device in ["eth0", *self.overlay(family)]),
            *(f"device-transmit {device}@n2" for device in [*self.BRIDGES, pod.veth]),
            f"device-receive eth0@{pod.name}",
        ]

    def far_out(self, pod, family=4):
        return [
            f"device-transmit eth0@{pod.name}",
            *(f"device-receive {device}@n2" for device in [pod.veth, *self.BRIDGES]),
            *(f"device-transmit {device}@n2" for device in [*self.overlay(family), "eth0"]),
        ]

    def into(self, pod, family=4):
        devices = ["eth0", *self.overlay(family)]
        return [*(f"device-receive {device}@n1" for device in devices), *self.from_node(pod)]

    def from_node(self, pod):
        """From node 1 itself, or routed by it, into one of its pods."""
        devices = [*self.BRIDGES, pod.veth]
        return [*(f"device-transmit {device}@n1" for device in devices), f"device-receive eth0@{pod.name}"]

    def request(self, near, far, family=4):
        """A packet from a pod of node 1 to one of node 2, taken there."""
        return self.out(near, family) + self.far_in(far, family) + [f"socket eth0@{far.name}"]

    def reply(self, near, far, family=4):
        return self.far_out(far, family) + self.into(near, family) + [f"socket eth0@{near.name}"]

    def across_bridge(self, source, destination):
        """Between two pods of node 1; where there is no bridge, the node routes."""
        return [
            f"device-transmit eth0@{source.name}",
            f"device-receive {source.veth}@n1",
            f"device-transmit {destination.veth}@n1",
            f"device-receive eth0@{destination.name}",
            f"socket eth0@{destination.name}",
        ]


class Flannel(Topology):
    SCRIPT = "flannel"
    BRIDGES = ["cni0"]
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
            for script in ("flannel", "calico"):
                run(TOPOLOGIES / script, "down", left)


@functools.lru_cache(maxsize=None)
def topology():
    """The one that most cases share and leave as they found it."""
    _remove_left_behind()
    shared = Flannel(prefix())
    atexit.register(shared.down)
    return shared


@contextlib.contextmanager
def own_topology(kind=Flannel, letter="x"):
    """For cases that destroy it, or need one that is wired differently."""
    own = kind(prefix() + letter)
    try:
        yield own
    finally:
        own.down()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that atexit runs
