"""Packets that leave the node for a host that is not on this kernel: followed up to the device, and no further."""

import unittest

import support
from support import NodeTest, Trace, in_netns, ping, topology


class LeftNode(NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1 = cls.nodes.pod1
        cls.host = cls.enterClassContext(support.outside_host(cls.nodes.n1))

    def setUp(self):
        self.trace = Trace.shared("--pod-ip", self.pod1.ip, "--pod-ip", self.pod1.ip6)

    def assert_left(self, packet, way):
        self.assert_crossings(packet, way)
        self.assertEqual(packet["verdict"], "left-node", support.describe(packet))
        self.assertNotIn("drop", packet)

    def test_ping_beyond_the_node(self):
        for family in (4, 6):
            with self.subTest(family=family):
                outside = support.OUTSIDE_ADDRESS[family]
                icmp_id = ping(self.pod1, outside, family=family)
                request = self.trace.packet(icmp=8 if family == 4 else 128, id=icmp_id)
                self.assert_left(request, [*self.nodes.up(self.pod1), "device-transmit wan0@n1"])
                # flannel's rules give it the node's address on the way out.
                ends = [tuple(address for address, _ in tuple_) for tuple_ in support.flows(request)]
                asked = (self.pod1.address(family), outside)
                self.assertEqual(ends, [asked] * 3 + [(support.OUTSIDE_NODE_ADDRESS[family], outside)])
                # Its answer is to the node's address at first, and ours all the same.
                reply = self.trace.packet(icmp=0 if family == 4 else 129, source=outside)
                way = ["device-receive wan0@n1", *self.nodes.from_node(self.pod1), "socket eth0@pod1"]
                self.assert_delivered(reply, way)
                ends = [tuple(address for address, _ in tuple_) for tuple_ in support.flows(reply)]
                answered = (outside, support.OUTSIDE_NODE_ADDRESS[family])
                self.assertEqual(ends, [answered] + [asked[::-1]] * 4)

    def test_datagram_without_an_answer(self):
        with support.udp_socket(self.pod1) as client:
            ports = client.getsockname()[1], support.new_port()
            client.sendto(b"anybody?", (support.OUTSIDE_ADDRESS[4], ports[1]))
            packet = self.trace.packet(ports=ports)
        self.assert_left(packet, [*self.nodes.up(self.pod1), "device-transmit wan0@n1"])
        got = support.wait_until(lambda: [frame for frame in self.host.frames if b"anybody?" in frame], "the datagram")
        self.assertEqual(len(got), 1)

    def test_to_a_pod_of_a_node_elsewhere(self):
        """In VXLAN, to a third node of the cluster: it has left when its outer packet has."""
        mac, node = "3e:35:13:4b:5d:03", support.OUTSIDE_ADDRESS[4]
        commands = f"""
            neigh replace 10.244.77.0 lladdr {mac} dev flannel.1 nud permanent
            route replace 10.244.77.0/24 via 10.244.77.0 dev flannel.1 onlink"""
        in_netns(self.nodes.n1, "ip", "-batch", "-", input=commands)
        self.addCleanup(in_netns, self.nodes.n1, "ip", "route", "del", "10.244.77.0/24")
        self.addCleanup(in_netns, self.nodes.n1, "ip", "neigh", "del", "10.244.77.0", "dev", "flannel.1")
        entry = [mac, "dev", "flannel.1", "dst", node, "self"]
        in_netns(self.nodes.n1, "bridge", "fdb", "replace", *entry)
        self.addCleanup(in_netns, self.nodes.n1, "bridge", "fdb", "del", *entry)
        icmp_id = ping(self.pod1, "10.244.77.5", expect_reply=False)
        packet = self.trace.packet(icmp=8, id=icmp_id)
        way = self.nodes.up(self.pod1) + ["device-transmit flannel.1@n1", "device-transmit wan0@n1"]
        self.assert_left(packet, way)
        # flannel.1 has a local address; which device it leaves by, the route to the other end decides.
        tunnel = {"kind": "vxlan", "id": 1, "source": "192.168.56.11", "destination": node}
        self.assertEqual(packet["hops"][-1]["tunnel"], tunnel)


if __name__ == "__main__":
    unittest.main()
