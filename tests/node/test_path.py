"""Packets that arrive: every device and netfilter hook on their way, one packet from socket to socket."""

import ipaddress
import unittest

import support
from support import CROSSING_HOOKS, NodeTest, PathTest, flags, in_netns, ping, topology

ICMP = {4: "icmp", 6: "icmpv6"}


class Ping(PathTest):
    def test_same_node(self):
        for family in (4, 6):
            with self.subTest(family=family):
                request, reply = self.exchange(self.pod2, family)
                self.assert_delivered(request, self.nodes.across_bridge(self.pod1, self.pod2))
                self.assert_delivered(reply, self.nodes.across_bridge(self.pod2, self.pod1))
                bridged = ["PREROUTING@n1", "FORWARD@n1", "POSTROUTING@n1"]
                for packet in (request, reply):
                    self.assert_hooks(packet, bridged, f"ipv{family}")

    def test_across_nodes(self):
        for family in (4, 6):
            with self.subTest(family=family):
                self.check_ping(family)

    def test_flow_is_told(self):
        for family in (4, 6):
            with self.subTest(family=family):
                request, reply = self.exchange(self.pod3, family)
                ours, theirs = self.pod1.address(family), self.pod3.address(family)
                for packet, source, destination in ((request, ours, theirs), (reply, theirs, ours)):
                    flow = packet["flow"]
                    self.assertEqual(flow["family"], f"ipv{family}")
                    self.assertEqual(flow["protocol"], ICMP[family])
                    self.assertEqual((flow["source"]["ip"], flow["destination"]["ip"]), (source, destination))
                    self.assertEqual((flow["icmp"]["code"], flow["icmp"]["sequence"]), (0, 1))
                    self.assertEqual(packet["length"], 84 if family == 4 else 104)

    def test_pods_have_names(self):
        request, _ = self.exchange(self.pod3, 4)
        self.assertEqual(request["flow"]["source"].get("pod"), "default/pod1")
        self.assertEqual(request["flow"]["destination"].get("pod"), "default/pod3")

    def test_tunnel_is_told_where_there_is_one(self):
        ends = {4: ("192.168.56.11", "192.168.56.12"), 6: ("fd00:56::11", "fd00:56::12")}
        for family in (4, 6):
            with self.subTest(family=family):
                request, reply = self.exchange(self.pod3, family)
                for packet, (source, destination) in ((request, ends[family]), (reply, ends[family][::-1])):
                    seen = [
                        (support.place(hop["interface"]), hop["tunnel"])
                        for hop in packet["hops"] if "tunnel" in hop and hop["point"] != "netfilter"
                    ]
                    tunnel = {"kind": "vxlan", "id": 1, "source": source, "destination": destination}
                    order = ["eth0@n1", "eth0@n2"] if packet is request else ["eth0@n2", "eth0@n1"]
                    self.assertEqual(seen, [(device, tunnel) for device in order])

    def test_interfaces_have_kind_and_role(self):
        request, _ = self.exchange(self.pod3, 4)
        seen = {}
        for hop in request["hops"]:
            interface = hop["interface"]
            seen[support.place(interface)] = (interface["kind"], interface["role"])
            self.assertIsInstance(interface["index"], int)
        self.assertEqual(seen[f"{self.pod1.veth}@n1"], ("veth", "pod"))
        self.assertEqual(seen["cni0@n1"], ("bridge", "bridge"))
        self.assertEqual(seen["flannel.1@n1"], ("vxlan", "overlay"))
        self.assertEqual(seen["eth0@n1"], ("veth", "uplink"))

    def test_offsets_rise_from_zero(self):
        for packet in self.exchange(self.pod3, 4):
            offsets = [hop["offset_ns"] for hop in packet["hops"]]
            self.assertEqual(offsets[0], 0)
            self.assertEqual(offsets, sorted(offsets))
            self.assertEqual(packet["duration_ns"], offsets[-1])

    def test_node_to_pod(self):
        icmp_id = ping(support.Pod(self.nodes.n1, "n1", None, None, None, None), self.pod1.ip)
        request = self.trace.packet(icmp=8, id=icmp_id)
        self.assert_delivered(request, [*self.nodes.from_node(self.pod1), "socket eth0@pod1"])
        reply = self.trace.packet(icmp=0, id=icmp_id)
        up = ["device-transmit eth0@pod1", f"device-receive {self.pod1.veth}@n1", "device-receive cni0@n1"]
        self.assert_delivered(reply, [*up, "socket cni0@n1"])


    def test_neighbour_discovery(self):
        """A multicast that the kernel of one of those who get it understands."""
        in_netns(self.pod1.netns, "ip", "-6", "neigh", "flush", "dev", "eth0")
        self.exchange(self.pod2, 6)
        group = ipaddress.IPv6Address("ff02::1:ff00:0") + (int(ipaddress.IPv6Address(self.pod2.ip6)) & 0xFFFFFF)
        solicitation = support.wait_until(
            lambda: [packet for packet in self.trace.found(icmp=135) if packet["flow"]["destination"]["ip"] == str(group)],
            lambda: f"a solicitation to {group} ({self.trace.state()})")[-1]
        self.assertEqual(solicitation["verdict"], "delivered", support.describe(solicitation))
        taken = [support.place(hop["interface"]) for hop in solicitation["hops"] if hop["point"] == "socket"]
        self.assertEqual(taken, [f"eth0@{self.pod2.name}"], support.describe(solicitation))


class Udp(PathTest):
    def test_across_nodes(self):
        for family in (4, 6):
            with self.subTest(family=family):
                self.check_datagrams(family)


class Tcp(PathTest):
    def test_ipv4(self):
        packets = self.check_transfer(4)
        self.assertGreater(max(packet["length"] for packet in packets), 1500, "there were GSO packets")
        self.assert_hooks(packets[0], CROSSING_HOOKS)

    def test_ipv6(self):
        # flannel gives pods the MTU that fits IPv4; the kernel makes flannel-v6.1 20 bytes smaller. One packet too big
        # and the pod has learned it (test_drops has that packet).
        ping(self.pod1, self.pod3.ip6, "-s", "1402", "-M", "do", family=6, expect_reply=False)
        self.check_transfer(6)

    def test_segmented_by_the_node(self):
        off = "ethtool -K eth0 tso off gso off tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off"
        with support.changed(self.nodes.n1, off, off.replace("off", "on")):
            packets = self.check_transfer(4, segmented=True)
        self.assertGreater(max(packet["length"] for packet in packets), 1500, "there were GSO packets")

    def test_service_address_is_translated(self):
        """kube-proxy's DNAT: one packet before and after, the new addresses told where they begin."""
        address, port = self.nodes.service
        with support.listener(self.pod3, port=port) as server, support.tcp_client(self.pod1) as client:
            local = client.getsockname()[1]
            client.connect((address, port))
            server.accept()[0].close()
        ours, service, real = (self.pod1.ip, local), (address, port), (self.pod3.ip, port)
        syn = self.trace.packet(destination=address, ports=(local, port))
        self.assert_delivered(syn, self.nodes.request(self.pod1, self.pod3))
        self.assertEqual(support.flows(syn), [(ours, service)] * 2 + [(ours, real)] * 9)
        self.assert_hooks(syn, CROSSING_HOOKS)
        answer = self.trace.packet(source=self.pod3.ip, ports=(port, local))
        self.assertEqual(flags(answer), {"syn", "ack"})
        self.assert_delivered(answer, self.nodes.reply(self.pod1, self.pod3))
        self.assertEqual(support.flows(answer), [(real, ours)] * 7 + [(service, ours)] * 4)


class OneCrossingOneHop(NodeTest):
    """A tracer elsewhere sees the same packet by other hops, still each crossing once."""

    def test_tracer_on_the_other_node(self):
        nodes = topology()
        with support.Trace("--pod-ip", nodes.pod3.ip, netns=nodes.n2) as trace:
            icmp_id = ping(nodes.pod1, nodes.pod3.ip)
            request = trace.packet(icmp=8, id=icmp_id)
        self.assert_delivered(request, nodes.request(nodes.pod1, nodes.pod3))
        if support.HAS_TCX:
            by_tc = [hop for hop in support.points(request) if hop.startswith("tc-")]
            self.assertEqual(by_tc, ["tc-ingress eth0@n2", "tc-ingress flannel.1@n2"])

    def test_interface_option_narrows_the_tc_programs(self):
        nodes = topology()
        with support.Trace("--pod-ip", nodes.pod1.ip, "--interface", "cni*") as trace:
            icmp_id = ping(nodes.pod1, nodes.pod3.ip)
            request = trace.packet(icmp=8, id=icmp_id)
            self.assertEqual(support.attached(nodes.n1, "cni0"), (1, 1))
            self.assertEqual(support.attached(nodes.n1, "eth0"), (0, 0))
        self.assert_delivered(request, nodes.request(nodes.pod1, nodes.pod3))
        self.assertEqual([hop for hop in support.points(request) if hop.startswith("tc-")], ["tc-ingress cni0@n1"])


if __name__ == "__main__":
    unittest.main()
