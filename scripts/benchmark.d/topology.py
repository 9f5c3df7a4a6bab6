"""The nodes and pods that the packets cross: network namespaces, gone again at the end."""

import atexit
import os
import subprocess

from system import ROOT, run
from workloads import PINGING_IP, QUIET_IP, SENDER_IP, WORKLOADS

FLANNEL = ROOT / "tests" / "topology" / "flannel"


def make_topology(options):
    prefix = f"bench{os.getpid()}"
    atexit.register(subprocess.run, [FLANNEL, "down", prefix], stderr=subprocess.DEVNULL)
    pods = ["1:pod1", "1:pod2", "1:quiet", "2:pod3"] + [f"1:idle{number}" for number in range(options.pods)]
    run(FLANNEL, "up", prefix, env={**os.environ, "PODS": " ".join(pods)})
    addresses = {("pod1", SENDER_IP), ("pod2", PINGING_IP), ("quiet", QUIET_IP)} | {(workload.peer, workload.peer_ip) for workload in WORKLOADS.values()}
    for pod, address in sorted(addresses):
        run("ip", "-n", f"{prefix}-{pod}", "address", "add", f"{address}/24", "dev", "eth0")
    add_veths(prefix, options.veths)
    return prefix


def add_veths(prefix, count, first=0):
    """Pairs as pods have them, one end at node 1's bridge; the other ends share a namespace and say nothing."""
    if not count:
        return
    idle = f"{prefix}-idle"  # goes with the topology
    if first == 0:
        run("ip", "netns", "add", idle)
    inside, outside = [], []
    for number in range(first, first + count):
        outside += [f"link add bench{number} type veth peer name eth{number} netns {idle}",
                    f"link set bench{number} addrgenmode none", f"link set bench{number} master cni0 up"]
        inside += [f"link set eth{number} addrgenmode none", f"link set eth{number} up"]
    run("ip", "-n", f"{prefix}-n1", "-batch", "-", input="\n".join(outside) + "\n")
    run("ip", "-n", idle, "-batch", "-", input="\n".join(inside) + "\n")
