"""What is sent, from where to where, and what becomes of it."""

import contextlib
import dataclasses

from system import run

# Addresses of its own beside those of the topology's pods: tests that trace those at the same time are not disturbed.
SENDER_IP = "10.244.19.200"
NOBODY_IP = "198.51.100.1"
PINGING_IP = "10.244.19.202"
QUIET_IP = "10.244.19.203"


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    load: str  # of the sender: udp, tcp, ping
    peer: str  # pod that is sent to
    peer_ip: str
    expression: str  # pcap-filter(7) for all its packets, those in tunnels too
    flood: bool = False  # every packet dies at a rule of node 1


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("vxlan", "udp", "pod3", "10.244.6.200", "udp"),
        Workload("bridge", "udp", "pod2", "10.244.19.201", "udp"),
        Workload("tcp", "tcp", "pod3", "10.244.6.200", "tcp or udp port 8472"),
        Workload("ping", "ping", "pod3", "10.244.6.200", "icmp or udp port 8472"),
        Workload("drops", "udp", "pod3", "10.244.6.200", "udp", flood=True),
    )
}


@contextlib.contextmanager
def prepared(workload, prefix):
    """Node 1 as the workload wants it, and afterwards as it was."""
    if not workload.flood:
        yield
        return
    rule = (f"add table ip benchmark\n"
            f"add chain ip benchmark forward {{ type filter hook forward priority 0; }}\n"
            f"add rule ip benchmark forward ip saddr {SENDER_IP} ip daddr {workload.peer_ip} drop\n")
    run("ip", "netns", "exec", f"{prefix}-n1", "nft", "-f", "-", input=rule)
    try:
        yield
    finally:
        run("ip", "netns", "exec", f"{prefix}-n1", "nft", "delete", "table", "ip", "benchmark")
