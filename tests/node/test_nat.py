"""Both sides of NAT: what the node translates is ours before and after, and only as long as the translation is ours."""

import contextlib
import itertools
import os
import time
import unittest

import support
from support import NodeTest, Trace, ping, sysctl, topology

ECHO_REQUEST, ECHO_REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
NODE1 = {4: "192.168.56.11", 6: "fd00:56::11"}
NODE2 = {4: "192.168.56.12", 6: "fd00:56::12"}
SOL_UDP, UDP_SEGMENT = 17, 103
NOBODY = "192.168.56.99"  # of the nodes' network
TOOL = {4: "iptables", 6: "ip6tables"}


def node(netns, name, addresses):
    """A node as the end of a connection."""
    return support.Pod(netns, name, netns, addresses[4], addresses[6], "eth0")


class Nat(NodeTest):
    """Has no cases itself. flannel's rules give what leaves the cluster the node's address: node 2's own address is
    outside of it."""

    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1, cls.pod2, cls.pod3 = cls.nodes.pods[:3]
        cls.outside = node(cls.nodes.n2, "n2", NODE2)

    def setUp(self):
        self.trace = Trace.shared("--pod-ip", self.pod1.ip, "--pod-ip", self.pod1.ip6)

    def rule(self, rule, family=4):
        """`-t TABLE CHAIN ...` while the case runs, before all others of its chain."""
        table, chain, rest = rule.split(maxsplit=2)
        tool = f"{TOOL[family]} -t {table}"
        self.enterContext(support.changed(self.nodes.n1, f"{tool} -I {chain} {rest}", f"{tool} -D {chain} {rest}"))

    def to_outside(self):
        return [*self.nodes.up(self.pod1), "device-transmit eth0@n1", "device-receive eth0@n2", "socket eth0@n2"]

    def from_outside(self):
        return ["device-receive eth0@n1", *self.nodes.from_node(self.pod1), "socket eth0@pod1"]

    def assert_nothing_of(self, pod):
        for packet in self.trace.found():
            for (source, _), (destination, _) in support.flows(packet):
                self.assertFalse({source, destination} & {pod.ip, pod.ip6}, support.describe(packet))

    def settle(self):
        """Everything before is printed."""
        icmp_id = ping(self.pod1, self.pod3.ip)
        self.trace.wait_for(2, id=icmp_id)


class Masquerade(Nat):
    def test_ping(self):
        for family in (4, 6):
            with self.subTest(family=family):
                icmp_id = ping(self.pod1, NODE2[family], family=family)
                request = self.trace.packet(icmp=ECHO_REQUEST[family], id=icmp_id)
                self.assert_delivered(request, self.to_outside())
                reply = self.trace.packet(icmp=ECHO_REPLY[family], source=NODE2[family])
                self.assert_delivered(reply, self.from_outside())
                ends = [tuple(ip for ip, _ in hop) for hop in support.flows(reply)]
                undone = (NODE2[family], self.pod1.address(family))
                self.assertEqual(ends, [(NODE2[family], NODE1[family])] + [undone] * 4)

    def test_connection(self):
        for family in (4, 6):
            with self.subTest(family=family):
                ports = support.tcp_transfer(self.pod1, self.outside, 300_000, family)
                syn = self.trace.packet(source=self.pod1.address(family), ports=ports)
                self.assert_delivered(syn, self.to_outside())
                answer = self.trace.packet(source=NODE2[family], destination=NODE1[family], protocol="tcp")
                self.assertEqual(support.flags(answer), {"syn", "ack"})
                self.assert_delivered(answer, self.from_outside())

    def test_answer_is_dropped_before_it_is_translated(self):
        for family in (4, 6):
            with self.subTest(family=family):
                icmp = {4: "icmp", 6: "icmpv6"}[family]
                self.rule(f"raw PREROUTING -s {NODE2[family]} -p {icmp} -j DROP", family)
                icmp_id = ping(self.pod1, NODE2[family], family=family, expect_reply=False)
                self.trace.packet(icmp=ECHO_REQUEST[family], id=icmp_id)
                reply = self.trace.packet(icmp=ECHO_REPLY[family], destination=NODE1[family])
                where = ["nf_hook_slow", "nft_do_chain"]
                self.assert_dropped(reply, ["device-receive eth0@n1"], "eth0@n1", "NETFILTER_DROP", *where)

    def test_error_about_a_translated_packet(self):
        for family in (4, 6):
            with self.subTest(family=family), support.udp_socket(self.pod1, family) as client:
                client.sendto(b"anybody?", (NODE2[family], support.new_port()))
                error = self.trace.packet(icmp={4: 3, 6: 1}[family], source=NODE2[family])
                self.assert_delivered(error, self.from_outside())

    def test_nobody_has_the_address(self):
        """ARP gives up three seconds after the packet."""
        icmp_id = ping(self.pod1, NOBODY, expect_reply=False)
        packet = self.trace.packet(icmp=8, id=icmp_id)
        self.assertEqual(packet["verdict"], "dropped", support.describe(packet))
        if support.HAS_REASONS:
            self.assertEqual(packet["drop"]["reason"], "NEIGH_FAILED")

    def test_datagrams_of_one_gso_send(self):
        """Cut by the uplink, behind NAT: each has the node's address, and all are the packet that the pod sent."""
        off = "ethtool -K eth0 tso off gso off tx-udp-segmentation off"
        for family, cut in itertools.product((4, 6), (False, True)):
            with (self.subTest(family=family, cut=cut), contextlib.ExitStack() as stack,
                  support.udp_socket(self.pod1, family) as client, support.udp_socket(self.outside, family) as server):
                if cut:
                    stack.enter_context(support.changed(self.nodes.n1, off, off.replace("off", "on")))
                ports = client.getsockname()[1], server.getsockname()[1]
                try:
                    client.setsockopt(SOL_UDP, UDP_SEGMENT, 1000)
                except OSError:
                    self.skipTest("not with the running kernel: UDP_SEGMENT")
                client.sendto(os.urandom(7500), (NODE2[family], ports[1]))
                self.assertEqual(sum(len(server.recv(2000)) for _ in range(8)), 7500)
                packet = self.trace.packet(ports=ports)
                self.assert_delivered(packet, self.to_outside())
                self.settle()
                self.assertEqual(len(self.trace.found(ports=ports)), 1, self.trace.state())

    def test_port_of_another_pod_afterwards(self):
        """The translation is that of the next owner as soon as a packet of its own leaves."""
        for pod in (self.pod1, self.pod2):
            self.rule(f"nat POSTROUTING -s {pod.ip} -p udp -j SNAT --to-source {NODE1[4]}:40000")
        for name in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
            self.enterContext(sysctl(self.nodes.n1, f"net/netfilter/{name}", 1))
        with support.udp_socket(self.outside) as server:
            to = server.getsockname()[:2]
            for pod in (self.pod1, self.pod2):
                with support.udp_socket(pod) as client:
                    client.sendto(b"equal content", to)
                    question, back = server.recvfrom(100)
                    self.assertEqual((question, back), (b"equal content", (NODE1[4], 40000)))
                    server.sendto(b"equal answer", back)
                    self.assertEqual(client.recv(100), b"equal answer")
                    ours = client.getsockname()[1] if pod is self.pod1 else None
                if ours:
                    request = self.trace.packet(source=pod.ip, ports=(ours, to[1]))
                    self.assert_delivered(request, self.to_outside())
                    answer = self.trace.packet(source=to[0], ports=(to[1], 40000))
                    self.assert_delivered(answer, self.from_outside())
                time.sleep(2)  # conntrack forgets the flow
        self.settle()
        self.assert_nothing_of(self.pod2)
        self.assertEqual(len(self.trace.found(source=to[0], ports=(to[1], 40000))), 1, "the first owner's alone")


class OwnOutput(Nat):
    """A sidecar in the pod takes what its neighbour sends: addresses change before the first device, both ways."""

    def test_redirection(self):
        sidecar = node(self.pod1.netns, self.pod1.name, {4: "127.0.0.1", 6: "::1"})
        for family in (4, 6):
            with self.subTest(family=family), support.listener(sidecar, family) as server:
                port, elsewhere = server.getsockname()[1], self.pod3.address(family)
                rule = f"OUTPUT -p tcp -d {elsewhere} --dport 80 -j REDIRECT --to-ports {port}"
                tool = f"{TOOL[family]} -t nat"
                with support.changed(self.pod1.netns, f"{tool} -A {rule}", f"{tool} -D {rule}"):
                    with support.tcp_client(self.pod1, family) as client:
                        client.connect((elsewhere, 80))
                        local = client.getsockname()[1]
                        with server.accept()[0] as connection:
                            client.sendall(b"question")
                            self.assertEqual(connection.recv(100), b"question")
                            connection.sendall(b"answer")
                            self.assertEqual(client.recv(100), b"answer")
                    self.settle()
                ours = [packet for packet in self.trace.found(protocol="tcp")
                        if local in (packet["flow"]["source"]["port"], packet["flow"]["destination"]["port"])]
                self.assertGreater(len(ours), 6)
                for packet in ours:
                    self.assertEqual(packet["verdict"], "delivered", support.describe(packet))


class NodePort(Nat):
    def test_connection(self):
        for family in (4, 6):
            with self.subTest(family=family):
                node_port, address = support.new_port(), self.pod1.address(family)
                with support.listener(self.pod1, family) as server:
                    port = server.getsockname()[1]
                    target = f"{address}:{port}" if family == 4 else f"[{address}]:{port}"
                    self.rule(
                        f"nat PREROUTING -d {NODE1[family]} -p tcp --dport {node_port} -j DNAT --to-destination {target}",
                        family,
                    )
                    with support.tcp_client(self.outside, family) as client:
                        client.connect((NODE1[family], node_port))
                        local = client.getsockname()[1]
                        with server.accept()[0] as connection:
                            client.sendall(b"question")
                            self.assertEqual(connection.recv(100), b"question")
                asked = {"source": NODE2[family], "destination": NODE1[family], "ports": (local, node_port)}
                syn, *others = self.trace.wait_for(3, **asked)
                self.assertEqual(support.flags(syn), {"syn"})
                for packet in (syn, *others):
                    self.assert_delivered(packet, self.from_outside())
                answer = self.trace.packet(source=address, ports=(port, local))
                self.assertEqual(support.flags(answer), {"syn", "ack"})
                self.assert_delivered(answer, self.to_outside())

    def test_datagram(self):
        node_port = support.new_port()
        with support.udp_socket(self.pod1) as server, support.udp_socket(self.outside) as client:
            port = server.getsockname()[1]
            self.rule(f"nat PREROUTING -d {NODE1[4]} -p udp --dport {node_port} -j DNAT --to-destination {self.pod1.ip}:{port}")
            client.sendto(b"question", (NODE1[4], node_port))
            server.recv(100)
            packet = self.trace.packet(source=NODE2[4], ports=(client.getsockname()[1], node_port))
        self.assert_delivered(packet, self.from_outside())
        ends = support.flows(packet)
        self.assertEqual([destination for _, destination in ends], [(NODE1[4], node_port)] + [(self.pod1.ip, port)] * 4)

    def test_of_another_pod(self):
        """Seen at the uplink like ours until NAT has told whose it is: nothing is told of it."""
        node_port = support.new_port()
        with support.udp_socket(self.pod2) as server, support.udp_socket(self.outside) as client:
            port = server.getsockname()[1]
            self.rule(f"nat PREROUTING -d {NODE1[4]} -p udp --dport {node_port} -j DNAT --to-destination {self.pod2.ip}:{port}")
            client.sendto(b"question", (NODE1[4], node_port))
            server.recv(100)
            ports = client.getsockname()[1], node_port
        self.settle()
        self.assertEqual(self.trace.found(ports=ports), [])
        self.assert_nothing_of(self.pod2)


if __name__ == "__main__":
    unittest.main()
