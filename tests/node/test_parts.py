"""Packets in parts and copies: every part must arrive, of copies one; each is one packet, with one verdict."""

import contextlib
import json
import socket
import threading
import time
import unittest

import support
from support import NodeTest, changed, in_netns, network_namespace, ping, topology

UDP_SEGMENT = 103
SOL_UDP = 17
MULTICAST_GROUP = "239.7.7.7"


class PartsTest(NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1, cls.pod2, cls.pod3 = cls.nodes.pod1, cls.nodes.pod2, cls.nodes.pod3
        cls.trace = cls.enterClassContext(support.Trace("--pod-ip", cls.pod1.ip, "--pod-ip", cls.pod1.ip6))

    @contextlib.contextmanager
    def ruleset(self, netns, text):
        """A table of nftables for a while; its family and name are in the first line."""
        family, name = text.split()[1:3]
        in_netns(netns, "nft", "-f", "-", input=text.replace("}", "\n}"))
        try:
            yield
        finally:
            in_netns(netns, "nft", "delete", "table", family, name)

    def assert_part(self, drop, kind):
        self.assertIn("part", drop)
        self.assertEqual(drop["part"]["kind"], kind)
        self.assertGreater(drop["part"]["length"], 0)


class Segments(PartsTest):
    def test_lost_segments_of_a_gso_packet(self):
        """The node's device cuts what is in the tunnel; the other node lets but two of the segments in."""
        off = "ethtool -K eth0 tso off gso off tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off"
        rule = """table ip dptrace_case { chain c {
            type filter hook prerouting priority -450;
            udp dport 8472 ip length > 600 limit rate over 1/hour burst 2 packets drop
        } }"""
        with support.listener(self.pod3) as server, support.tcp_client(self.pod1) as client:
            ports = client.getsockname()[1], server.getsockname()[1]
            client.connect((self.pod3.ip, ports[1]))
            connection, _ = server.accept()
            with connection, changed(self.nodes.n1, off, off.replace("off", "on")), self.ruleset(self.nodes.n2, rule):
                client.send(bytes(12000))
                support.wait_until(lambda: self.dropped_in_part(ports), self.trace.state)
        packet = self.dropped_in_part(ports)[0]
        if support.HAS_REASONS:
            self.assertEqual(packet["drop"]["reason"], "NETFILTER_DROP")
        self.assert_part(packet["drop"], "segment")
        self.assertTrue(all("part" in drop for drop in packet.get("drops", [])), packet)

    def dropped_in_part(self, ports):
        return [packet for packet in self.trace.found(ports=ports)
                if packet["verdict"] == "dropped" and "part" in packet["drop"]]

    def test_datagrams_of_one_gso_send(self):
        with support.udp_socket(self.pod1) as client, support.udp_socket(self.pod3) as server:
            ports = client.getsockname()[1], server.getsockname()[1]
            try:
                client.setsockopt(SOL_UDP, UDP_SEGMENT, 1000)
            except OSError:
                self.skipTest("not with the running kernel: UDP_SEGMENT")
            client.sendto(bytes(10000), (self.pod3.ip, ports[1]))
            for _ in range(10):
                server.recv(2000)
            packet = self.trace.packet(ports=ports)
        self.assertEqual(packet["verdict"], "delivered", support.describe(packet))
        self.assertEqual(len(self.trace.found(ports=ports)), 1, self.trace.state())


class Fragments(PartsTest):
    def send(self, family=4, size=4000, expect=True):
        with support.udp_socket(self.pod1, family) as client, support.udp_socket(self.pod3, family) as server:
            ports = client.getsockname()[1], server.getsockname()[1]
            client.sendto(bytes(size), (self.pod3.address(family), ports[1]))
            if expect:
                self.assertEqual(len(server.recv(size + 1)), size)
            return self.trace.packet(protocol="udp", source=self.pod1.address(family), ports=ports)

    def test_one_datagram_is_one_packet(self):
        for family in (4, 6):
            with self.subTest(family=family):
                before = len(self.trace.found(protocol="udp"))
                packet = self.send(family)
                self.assertEqual(packet["verdict"], "delivered", support.describe(packet))
                self.assertEqual(len(self.trace.found(protocol="udp")), before + 1, self.trace.state())
                self.assertEqual(packet["segments"], 3)

    def test_reassembled_on_the_way(self):
        """Conntrack makes the datagram whole at PREROUTING of each node, and it is cut again behind."""
        table = "table inet dptrace_case { chain c { type filter hook forward priority 0; ct state invalid counter } }"
        for family in (4, 6):
            with self.subTest(family=family), self.ruleset(self.nodes.n1, table), self.ruleset(self.nodes.n2, table):
                before = len(self.trace.found(protocol="udp"))
                packet = self.send(family)
                self.assertEqual(packet["verdict"], "delivered", support.describe(packet))
                self.assertEqual(len(self.trace.found(protocol="udp")), before + 1, self.trace.state())

    def test_one_that_dies(self):
        """The others wait for it in vain, and are given up later: that is the same packet's end, not another packet."""
        netns = self.pod3.netns
        table = """table ip dptrace_case { chain c {
            type filter hook prerouting priority -450; ip frag-off & 0x1fff > 0 ip protocol udp limit rate over 1/hour burst 1 packets drop
        } }"""
        with support.sysctl(netns, "net/ipv4/ipfrag_time", 1), self.ruleset(netns, table):
            before = len(self.trace.found(protocol="udp"))
            packet = self.send(expect=False)
            self.assertEqual(packet["verdict"], "dropped", support.describe(packet))
            self.assert_part(packet["drop"], "fragment")
            # The time that the kernel waits for it has passed when it says so to the sender.
            self.trace.packet(icmp=11, source=self.pod3.ip)
            icmp_id = ping(self.pod1, self.pod3.ip)
            self.trace.packet(icmp=0, id=icmp_id)
        self.assertEqual(len(self.trace.found(protocol="udp")), before + 1, self.trace.state())


class Copies(PartsTest):
    def test_a_mac_that_nobody_has(self):
        """The node believes an old pod's MAC: the bridge floods, and each copy dies in a pod that it is not for."""
        # Whose address it is, a trace learns from what its owner sends.
        self.trace.packet(icmp=0, id=ping(self.pod1, self.pod2.ip))
        neighbour = f"{self.pod1.ip} dev cni0"
        in_netns(self.nodes.n1, "ip", "neigh", "replace", *neighbour.split(), "lladdr", "22:47:9a:ce:70:88", "nud", "reachable")
        try:
            icmp_id = ping(self.nodes_own(), self.pod1.ip, expect_reply=False)
        finally:
            in_netns(self.nodes.n1, "ip", "neigh", "del", *neighbour.split(), check=False)
        packet = self.trace.packet(icmp=8, id=icmp_id)
        self.assertEqual(packet["verdict"], "dropped", support.describe(packet))
        self.assertEqual(support.place(packet["drop"]["interface"]), "eth0@pod1", packet["drop"])
        if support.HAS_REASONS:
            self.assertEqual(packet["drop"]["reason"], "OTHERHOST")

    def nodes_own(self):
        return support.Pod(self.nodes.n1, "n1", self.nodes.n1, None, None, None)

    @contextlib.contextmanager
    def member(self, pod):
        with network_namespace(pod.netns):
            member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with member:
            member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            member.bind((MULTICAST_GROUP, self.port))
            request = socket.inet_aton(MULTICAST_GROUP) + socket.inet_aton(pod.ip)
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
            member.settimeout(support.TIMEOUT)
            yield member

    def multicast(self):
        with support.udp_socket(self.pod1) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(self.pod1.ip))
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
            sender.sendto(b"all", (MULTICAST_GROUP, self.port))
            return self.trace.packet(ports=(sender.getsockname()[1], self.port))

    def test_a_broadcast_is_one_packet(self):
        """Its sender gets a copy, before the packet itself is sent."""
        group = ".".join([*self.pod1.ip.split(".")[:3], "255"])
        with support.Trace("--pod-ip", self.pod1.ip) as trace:
            icmp_id = support.ping(self.pod1, group, "-b", expect_reply=False)
            support.ping(self.pod1, self.pod2.ip)
            packet = trace.packet(icmp=8, id=icmp_id)
            trace.stop()
        self.assertEqual(len(trace.found(id=icmp_id)), 1, trace.state())
        self.assertNotIn("drop", packet, support.describe(packet))
        crossed = support.crossings(packet)
        for device in (f"device-transmit eth0@{self.pod1.name}", f"device-receive eth0@{self.pod2.name}"):
            self.assertIn(device, crossed)

    def test_a_member_whose_firewall_drops_its_copy(self):
        self.port = support.new_port()
        rule = f"INPUT -p udp --dport {self.port} -j DROP"
        with self.nodes.pod(1, "third") as third, self.member(self.pod2) as member, self.member(third):
            self.assertEqual(self.multicast()["verdict"], "delivered")
            member.recv(100)
            with changed(third.netns, f"iptables-nft -I {rule}", f"iptables-nft -D {rule}"):
                with support.udp_socket(self.pod1) as sender:
                    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(self.pod1.ip))
                    sender.sendto(b"all", (MULTICAST_GROUP, self.port))
                    member.recv(100)
                    packet = self.trace.packet(ports=(sender.getsockname()[1], self.port))
            self.assertEqual(packet["verdict"], "delivered", support.describe(packet))
            self.assertNotIn("drop", packet)
            self.assertEqual([drop["copy"] for drop in packet["drops"]], [True], packet)

    def steer(self, device, action):
        """What comes in by a device of node 1 is mirrored or redirected, until the device goes."""
        if "clsact" not in in_netns(self.nodes.n1, "tc", "qdisc", "show", "dev", device).stdout:
            in_netns(self.nodes.n1, "tc", "qdisc", "add", "dev", device, "clsact")
        filtered = f"tc filter add dev {device} ingress protocol ip prio 9 matchall action mirred egress {action}"
        done = in_netns(self.nodes.n1, *filtered.split(), check=False)
        if done.returncode and not support.IN_VM:
            self.skipTest("not with the running kernel: tc's matchall and mirred")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_original_dies_while_its_mirrored_copy_is_taken(self):
        """A monitor has the pod's traffic mirrored to it, and the address of the one that is called."""
        nodes = self.nodes
        with nodes.pod(1, "monitor") as monitor, nodes.pod(1, "caller") as caller, support.Trace("--pod-ip", caller.ip) as trace:
            in_netns(monitor.netns, "ip", "addr", "add", f"{self.pod3.ip}/32", "dev", "lo")
            in_netns(nodes.n1, "ip", "link", "set", monitor.veth, "nomaster")
            mac = json.loads(in_netns(nodes.n1, "ip", "-j", "link", "show", "cni0").stdout)[0]["address"]
            in_netns(monitor.netns, "ip", "link", "set", "eth0", "address", mac)
            rule = f"FORWARD -s {caller.ip} -d {self.pod3.ip} -j DROP"
            self.steer(caller.veth, f"mirror dev {monitor.veth}")
            with changed(nodes.n1, f"iptables-nft -I {rule}", f"iptables-nft -D {rule}"):
                icmp_id = ping(caller, self.pod3.ip, expect_reply=False)
                packet = trace.packet(icmp=8, id=icmp_id)
            crossings = support.crossings(packet)  # netns have names as long as they last
        self.assertIn("socket eth0@monitor", crossings, "the copy is taken, or the case proves nothing")
        self.assertEqual(packet["verdict"], "dropped", support.describe(packet))

    def test_a_redirection_to_a_device_that_is_gone(self):
        """tc consumes the packet, and nobody has it: no kfree_skb tells."""
        nodes = self.nodes
        with nodes.pod(1, "gone") as pod, support.Trace("--pod-ip", pod.ip) as trace:
            in_netns(nodes.n1, *"ip link add dptgone type veth peer name dptpeer".split())
            in_netns(nodes.n1, "ip", "link", "set", "dptgone", "up")
            self.addCleanup(in_netns, nodes.n1, "ip", "link", "del", "dptgone", check=False)
            self.steer(pod.veth, "redirect dev dptgone")
            in_netns(nodes.n1, "ip", "link", "del", "dptgone")
            icmp_id = ping(pod, self.pod2.ip, expect_reply=False)
            packet = trace.packet(icmp=8, id=icmp_id)
        self.assertEqual(packet["verdict"], "dropped", support.describe(packet))


class Connections(PartsTest):
    """Of a connection that works, or half works, nothing is told as lost that brought nothing new."""

    def test_answers_that_do_not_come_through(self):
        """The client repeats its SYN, the server its SYN ACK: the server has taken each, the rule drops each answer."""
        server = self.enterContext(support.listener(self.pod3))
        client = self.enterContext(support.tcp_client(self.pod1))
        ports = client.getsockname()[1], server.getsockname()[1]
        rule = f"FORWARD -s {self.pod3.ip} -d {self.pod1.ip} -p tcp --sport {ports[1]} -j DROP"
        client.settimeout(2.5)
        with changed(self.nodes.n1, f"iptables-nft -I {rule}", f"iptables-nft -D {rule}"):
            with self.assertRaises(OSError):
                client.connect((self.pod3.ip, ports[1]))
            client.close()
            syns = self.trace.wait_for(2, ports=ports)
            answers = self.trace.wait_for(2, ports=ports[::-1])
        for packet in syns:
            self.assertEqual(packet["verdict"], "delivered", support.describe(packet))
        for packet in answers:
            self.assertEqual(packet["verdict"], "dropped", support.describe(packet))
            self.assertEqual(support.place(packet["drop"]["interface"]).split("@")[1], "n1", packet["drop"])

    def test_many_that_close_at_once(self):
        """Both ends say their last words while the other is gone already."""
        count = 100
        port = support.new_port()
        with support.Trace("--pod-ip", self.pod2.ip, "--port", str(port), "--drops-only") as trace:
            with support.listener(self.pod3, port=port) as server:
                def serve():
                    for _ in range(count):
                        connection, _ = server.accept()
                        with connection:
                            connection.recv(100)
                            connection.sendall(b"answer")

                thread = threading.Thread(target=serve)
                thread.start()
                clients = []
                for _ in range(count):
                    client = support.tcp_client(self.pod2)
                    client.connect((self.pod3.ip, port))
                    client.sendall(b"question")
                    clients.append(client)
                for client in clients:
                    client.recv(100)
                    client.close()
                thread.join()
            time.sleep(0.3)  # the listener is gone; what is on its way still comes
            summary = trace.stop()
        self.assertEqual([support.describe(packet) for packet in trace.packets], [])
        self.assertEqual(summary["dropped"], 0)


del PartsTest

if __name__ == "__main__":
    unittest.main()
