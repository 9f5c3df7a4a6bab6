"""Calico's wiring and the tunnels beside flannel's: the same packet from socket to socket through each of them."""

import json
import unittest

import support
from support import CROSSING_HOOKS, PathTest


class OverlayTest(PathTest):
    """Has the cases; the subclasses say by which tunnel."""

    KIND = None

    @classmethod
    def setUpClass(cls):
        if support.has(f"{cls.KIND.KIND} devices"):
            super().setUpClass()
            cls.addClassCleanup(support.Trace.end_shared)

    def setUp(self):
        support.require(f"{self.KIND.KIND} devices")
        super().setUp()

    @classmethod
    def make_nodes(cls):
        return cls.enterClassContext(support.own_topology(cls.KIND, "o"))

    def tunnels(self, packet):
        """The tunnel at each crossing that has one, by place."""
        return [(support.place(hop["interface"]), hop["tunnel"])
                for hop in packet["hops"] if "tunnel" in hop and hop["point"] != "netfilter"]

    def assert_crossing_hooks(self, packet, family, reverse=False):
        hooks = self.crossing_hooks(reverse)
        inner, outer = hooks[:3] + hooks[-3:], hooks[3:-3]
        if not self.nodes.overlay(family):
            self.assert_hooks(packet, inner, f"ipv{family}")
        elif self.nodes.UNDERLAY_FAMILY[family] == family:
            self.assert_hooks(packet, hooks, f"ipv{family}")
        else:
            self.assert_hooks(packet, inner, f"ipv{family}")
            self.assert_hooks(packet, outer, f"ipv{self.nodes.UNDERLAY_FAMILY[family]}")

    def test_ping(self):
        for family in (4, 6):
            with self.subTest(family=family):
                request, reply = self.check_ping(family)
                for packet, order in ((request, ["eth0@n1", "eth0@n2"]), (reply, ["eth0@n2", "eth0@n1"])):
                    expected = []
                    if self.nodes.overlay(family):
                        tunnel = self.nodes.tunnel(family, reverse=packet is reply)
                        expected = [(device, tunnel) for device in order]
                    self.assertEqual(self.tunnels(packet), expected)

    def test_ping_on_one_node(self):
        """Between pods of a node, which routes."""
        for family in (4, 6):
            with self.subTest(family=family):
                request, reply = self.exchange(self.pod2, family)
                self.assert_delivered(request, self.nodes.across_bridge(self.pod1, self.pod2))
                self.assert_delivered(reply, self.nodes.across_bridge(self.pod2, self.pod1))
                for packet in (request, reply):
                    self.assert_hooks(packet, CROSSING_HOOKS[:3], f"ipv{family}")

    def test_datagrams(self):
        for family in (4, 6):
            with self.subTest(family=family):
                self.check_datagrams(family)

    def test_stream(self):
        for family in (4, 6):
            with self.subTest(family=family):
                packets = self.check_transfer(family)
                self.assertGreater(max(packet["length"] for packet in packets), 1500, "there were GSO packets")

    def test_devices_have_kind_and_role(self):
        request, _ = self.exchange(self.pod3, 4)
        seen = {}
        for hop in request["hops"]:
            interface = hop["interface"]
            seen[support.place(interface)] = (interface["kind"], interface["role"])
        self.assertEqual(seen[f"{self.pod1.veth}@n1"], ("veth", "pod"))
        self.assertEqual(seen[f"{self.nodes.OVERLAY[4]}@n1"], (self.KIND.KIND, "overlay"))
        self.assertEqual(seen["eth0@n1"], ("veth", "uplink"))
        self.assertEqual(request["flow"]["source"].get("pod"), "default/pod1")
        self.assertEqual(request["flow"]["destination"].get("pod"), "default/pod3")

    def doomed_request(self, *options, family=4):
        """An echo request of pod1 to the other node that nobody answers."""
        icmp_id = support.ping(self.pod1, self.pod3.address(family), *options, family=family, expect_reply=False)
        return self.trace.packet(icmp=8 if family == 4 else 128, id=icmp_id)

    def test_forwarding_off(self):
        """On the pod's own device: there is no bridge."""
        device = self.pod1.veth
        with support.sysctl(self.nodes.n1, f"net/ipv4/conf/{device}/forwarding", 0):
            packet = self.doomed_request()
        self.assert_dropped(packet, self.nodes.up(self.pod1), f"{device}@n1", "IP_INADDRERRORS", "ip_error")
        self.assert_hooks(packet, CROSSING_HOOKS[:1])

    def test_larger_than_the_tunnel(self):
        """Dropped before the tunnel: the packet is the pod's, on its own device."""
        device = self.nodes.OVERLAY[4]
        link, = json.loads(support.in_netns(self.nodes.n1, "ip", "-j", "link", "show", "dev", device).stdout)
        with support.changed(self.nodes.n1, f"ip link set {device} mtu 1300", f"ip link set {device} mtu {link['mtu']}"):
            packet = self.doomed_request("-M", "do", "-s", "1300")
        # The pod has learned the smaller MTU: it would refuse the next such packet itself.
        support.in_netns(self.pod1.netns, "ip", "route", "flush", "cache")
        self.assertEqual(packet["length"], 1328)
        self.assert_dropped(packet, self.nodes.up(self.pod1), f"{self.pod1.veth}@n1", "PKT_TOO_BIG", "ip_forward")

    def test_underlay_drops_what_is_in_the_tunnel(self):
        """A rule that sees only the outer header; what died is the packet inside, and it says in what."""
        nft = support.KERNEL >= (5, 17)
        rule = "INPUT -i eth0 -s 192.168.56.11 -j DROP"
        with support.changed(self.nodes.n2, f"iptables-nft -I {rule}", f"iptables-nft -D {rule}"):
            packet = self.doomed_request()
        way = self.nodes.out(self.pod1) + ["device-receive eth0@n2"]
        self.assert_dropped(packet, way, "eth0@n2", "NETFILTER_DROP", "nft_do_chain" if nft else "nf_hook_slow")
        self.assert_hooks(packet, CROSSING_HOOKS[:-4] + ["INPUT@n2 drop"])
        self.assertEqual(packet["hops"][-1]["tunnel"], self.nodes.tunnel(4))


class Ipip(OverlayTest):
    KIND = support.Ipip

    def test_nobody_takes_the_tunnel(self):
        """The other node's tunl0 is down."""
        with support.link_down(self.nodes.n2, "tunl0"):
            packet = self.doomed_request()
        way = self.nodes.out(self.pod1) + ["device-receive eth0@n2"]
        self.assert_dropped(packet, way, "eth0@n2", "NOT_SPECIFIED", "tunnel4_rcv")


class Vxlan(OverlayTest):
    KIND = support.Vxlan


class Geneve(OverlayTest):
    KIND = support.Geneve

    def test_nobody_takes_the_tunnel(self):
        """The other node's genev1 is down: its UDP port is closed."""
        with support.link_down(self.nodes.n2, "genev1"):
            packet = self.doomed_request()
        way = self.nodes.out(self.pod1) + ["device-receive eth0@n2"]
        function = support.first_symbol("__udp4_lib_rcv", "udp_rcv")  # 7.2: the second
        self.assert_dropped(packet, way, "eth0@n2", "NO_SOCKET", function)


class Gre(OverlayTest):
    KIND = support.Gre

    def test_nobody_takes_the_tunnel(self):
        """The other node's gre1 is down."""
        with support.link_down(self.nodes.n2, "gre1"):
            packet = self.doomed_request()
        way = self.nodes.out(self.pod1) + ["device-receive eth0@n2"]
        self.assert_dropped(packet, way, "eth0@n2", "NOT_SPECIFIED", "gre_rcv")


del OverlayTest  # only its subclasses have cases

if __name__ == "__main__":
    unittest.main()
