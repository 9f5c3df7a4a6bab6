"""Packets that arrive: what the cases of every overlay check of a ping, datagrams and a stream across the nodes."""

from .case import NodeTest
from .commands import wait_until
from .kernel import HAS_REASONS
from .nodes import CROSSING_HOOKS, topology
from .packets import crossings, describe
from .trace import Trace
from .traffic import ping, tcp_transfer, udp_socket

ECHO_REQUEST = {4: 8, 6: 128}
ECHO_REPLY = {4: 0, 6: 129}
MEGABYTE = 1 << 20


class PathTest(NodeTest):
    """Has no cases itself."""

    @classmethod
    def make_nodes(cls):
        return topology()

    @classmethod
    def setUpClass(cls):
        cls.nodes = cls.make_nodes()
        cls.pod1, cls.pod2, cls.pod3 = cls.nodes.pods[:3]
        cls.options = "--pod-ip", cls.pod1.ip, "--pod-ip", cls.pod1.ip6

    def setUp(self):
        self.trace = Trace.shared(*self.options, netns=self.nodes.n1)

    def crossing_hooks(self, reverse=False):
        """As a tracer on node 1 sees them on the way from node 1 to node 2, or back."""
        swap = {"1": "2", "2": "1"}
        return [hook[:-1] + swap[hook[-1]] for hook in CROSSING_HOOKS] if reverse else CROSSING_HOOKS

    def exchange(self, peer, family):
        """One ping of pod1; returns its two packets."""
        icmp_id = ping(self.pod1, peer.address(family), family=family)
        request = self.trace.packet(icmp=ECHO_REQUEST[family], id=icmp_id)
        reply = self.trace.packet(icmp=ECHO_REPLY[family], id=icmp_id)
        self.assertEqual(len(self.trace.found(id=icmp_id)), 2, "one packet each, not more")
        return request, reply

    def check_ping(self, family):
        request, reply = self.exchange(self.pod3, family)
        self.assert_delivered(request, self.nodes.request(self.pod1, self.pod3, family))
        self.assert_delivered(reply, self.nodes.reply(self.pod1, self.pod3, family))
        self.assert_crossing_hooks(request, family)
        self.assert_crossing_hooks(reply, family, reverse=True)
        return request, reply

    def assert_crossing_hooks(self, packet, family, reverse=False):
        self.assert_hooks(packet, self.crossing_hooks(reverse), f"ipv{family}")

    def check_datagrams(self, family):
        with udp_socket(self.pod1, family) as client, udp_socket(self.pod3, family) as server:
            ports = client.getsockname()[1], server.getsockname()[1]
            for number in range(5):
                client.sendto(b"%d" % number * 100, (self.pod3.address(family), ports[1]))
                data, sender = server.recvfrom(2000)
                server.sendto(data, sender[:2])
                client.recv(2000)
            for packet in self.trace.wait_for(5, ports=ports):
                self.assert_delivered(packet, self.nodes.request(self.pod1, self.pod3, family))
                self.assertEqual(packet["length"], (28 if family == 4 else 48) + 100)
                self.assert_crossing_hooks(packet, family)
            for packet in self.trace.wait_for(5, ports=ports[::-1]):
                self.assert_delivered(packet, self.nodes.reply(self.pod1, self.pod3, family))
        self.assertEqual(len(self.trace.found(protocol="udp", ports=ports)), 5)
        self.assertEqual(len(self.trace.found(protocol="udp", ports=ports[::-1])), 5)

    # A megabyte in GSO packets: each is followed, all of the stream is covered, nothing looks like a loss.

    def check_transfer(self, family, segmented=False):
        near, far = self.pod1, self.pod3
        ports = tcp_transfer(near, far, MEGABYTE, family)
        # Each side's FIN is the last of its packets that is certain to come.
        headers = (20 if family == 4 else 40) + 32  # with the time stamps option

        def fin(way):
            return [packet for packet in self.trace.found(ports=way) if "fin" in flags(packet)]

        for way in (ports, ports[::-1]):
            wait_until(lambda: fin(way), lambda: f"the FIN of {way}; {self.trace.state()}")
        wait_until(lambda: missing(self.trace.found(ports=ports), headers) == 0,
                   lambda: f"all of the stream; {self.trace.state()}")
        ways = (
            (ports, self.nodes.request(near, far, family), "device-receive eth0@n2"),
            (ports[::-1], self.nodes.reply(near, far, family), "device-receive eth0@n1"),
        )
        for way, expected, before_gro in ways:
            for packet in self.trace.found(ports=way):
                self.check_packet(packet, expected, before_gro, segmented)
        first = self.trace.found(ports=ports)[0]
        self.assertEqual(flags(first), {"syn"})
        self.assert_delivered(first, ways[0][1])
        return self.trace.found(ports=ports)

    def may_be_repetition(self, packet):
        """PAWS has a reason of its own. Without reasons it has to be the same again as another that arrived."""
        if HAS_REASONS:
            return packet["drop"]["reason"] == "TCP_RFC7323_PAWS"
        flow = packet["flow"]
        ports = flow["source"]["port"], flow["destination"]["port"]
        return any(
            other["verdict"] == "delivered" and other["length"] == packet["length"]
            and other["flow"]["tcp"]["sequence"] == flow["tcp"]["sequence"]
            for other in self.trace.found(source=flow["source"]["ip"], ports=ports)
        )

    def check_packet(self, packet, expected, before_gro, segmented):
        if packet["verdict"] == "stolen":  # GRO of the tunnel made it part of the one before
            merged = expected[: expected.index(before_gro) + 1]
            # Cut into segments, some may have been merged while others went on by themselves.
            self.assert_crossings(packet, expected if segmented and crossings(packet) != merged else merged)
            return
        # A slow machine retransmits without need. What the kernel refuses of that is told as dropped where nothing
        # proves that all of it had arrived; the stream is whole without it, or check_transfer would have waited in vain.
        if packet["verdict"] == "dropped" and self.may_be_repetition(packet):
            self.assert_crossings(packet, [*expected[:-1], expected[-1].replace("socket", "drop")])
            return
        self.assertEqual(packet["verdict"], "delivered", describe(packet))
        seen = crossings(packet)
        if segmented:  # its segments cross a device one after the other
            seen = list(dict.fromkeys(seen))
        self.assertEqual(seen, expected, describe(packet))


def flags(packet):
    value = packet["flow"]["tcp"]["flags"]
    return {flag.lower() for flag in (value.split("|") if isinstance(value, str) else value)}


def missing(packets, headers):
    """Bytes of the stream that no packet carried that arrived."""
    packets = [packet for packet in packets if packet["verdict"] != "dropped"]
    start = min((packet["flow"]["tcp"]["sequence"] for packet in packets if flags(packet) == {"syn"}), default=0) + 1
    reached = 0
    parts = ((packet["flow"]["tcp"]["sequence"] - start) % (1 << 32) for packet in packets)
    for begin, packet in sorted(zip(parts, packets), key=lambda part: part[0]):
        if begin > reached and begin < MEGABYTE:
            return MEGABYTE
        if begin < MEGABYTE:
            reached = max(reached, begin + packet["length"] - headers)
    return max(0, MEGABYTE - reached)
