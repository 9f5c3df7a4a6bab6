"""Ports of VXLAN and Geneve devices that come while dptrace runs: on this node, on the other, in pods."""

import contextlib
import types
import unittest

import support
from support import NodeTest, Trace, Watch, in_netns, ping, topology

INNER = ("10.99.0.1", "10.99.0.2")


@contextlib.contextmanager
def tunnel(kind, port, *ends):
    """A device at each of the two ends, which are (netns, address), bound to a port that is nobody's usual one."""
    with contextlib.ExitStack() as stack:
        for inner, (netns, _), (_, remote) in zip(INNER, ends, reversed(ends)):
            stack.callback(in_netns, netns, "ip", "link", "del", "late0", check=False)
            options = f"type {kind} id 77 remote {remote} dstport {port}"
            in_netns(netns, "ip", "link", "add", "late0", *options.split())
            in_netns(netns, "ip", "address", "add", f"{inner}/24", "dev", "late0")
            in_netns(netns, "ip", "link", "set", "late0", "up")
        yield types.SimpleNamespace(netns=ends[0][0])


def between_nodes(nodes):
    return (nodes.n1, "192.168.56.11"), (nodes.n2, "192.168.56.12")


class LatePorts(NodeTest):
    def check(self, kind, port, ends, place):
        """The device is there before its first packet is sent, and so is the news of it: the second packet at the
        latest tells the tunnel at `place`."""
        with Trace("--pod-ip", INNER[0]) as trace, tunnel(kind, port, *ends) as first:
            seen = []

            def told():
                packet = trace.packet(icmp=8, id=ping(first, INNER[1]))
                at_place = [hop for hop in packet["hops"] if support.place(hop["interface"]) == place]
                seen.append({hop["tunnel"]["kind"] for hop in at_place if "tunnel" in hop})
                return seen[-1] == {kind}

            support.wait_until(told, lambda: f"the tunnel at {place} ({trace.state()})")
            self.assertLessEqual(len(seen), 3)
            self.assert_nothing_lost(trace.stop())

    def test_vxlan(self):
        support.require("vxlan devices")
        self.check("vxlan", 12345, between_nodes(topology()), "eth0@n1")

    def test_geneve(self):
        support.require("geneve devices")
        self.check("geneve", 12346, between_nodes(topology()), "eth0@n1")

    def test_usual_port_of_another_kind(self):
        """A Geneve device on VXLAN's usual port."""
        support.require("geneve devices")
        self.check("geneve", 4789, between_nodes(topology()), "eth0@n1")

    def test_of_pods(self):
        """No device of the node has that port."""
        support.require("vxlan devices")
        nodes = topology()
        ends = [(pod.netns, pod.ip) for pod in (nodes.pod1, nodes.pod2)]
        self.check("vxlan", 12347, ends, f"{nodes.pod1.veth}@n1")

    def test_drops(self):
        """A packet that dies in the tunnel is counted as what it carries."""
        support.require("vxlan devices")
        nodes = topology()
        rule = "INPUT -p udp --dport 12348 -j DROP"
        with (
            Watch("--interval", "200ms", "--pod-ip", INNER[0]) as watch,
            tunnel("vxlan", 12348, *between_nodes(nodes)) as first,
            support.changed(nodes.n2, f"iptables-nft -I {rule}", f"iptables-nft -D {rule}"),
        ):
            ping(first, INNER[1], expect_reply=False)
            watch.wait_for_count(1, protocol="icmp")
            watch.stop()


if __name__ == "__main__":
    unittest.main()
