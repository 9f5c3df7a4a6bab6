"""`dptrace drops` tells losses from other frees: the same function, helper or reason may be either."""

import contextlib
import fcntl
import os
import socket
import struct
import unittest

import support
from support import HAS_REASONS, NodeTest, Watch, changed, in_netns, network_namespace, new_port, ping, sysctl, topology

NOBODYS_MAC = "02:00:00:00:0d:ad"


class Kinds(NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1, cls.pod2, cls.pod3 = cls.nodes.pod1, cls.nodes.pod2, cls.nodes.pod3

    def end_of(self, row):
        return row.get("end", "loss")

    def rows_at(self, watch, device, **wanted):
        return [row for row in watch.rows(**wanted) if support.place(row.get("interface")) == device]

    def wait_for_row(self, watch, device, **wanted):
        """The first there is."""
        return support.wait_until(
            lambda: self.rows_at(watch, device, **wanted), lambda: f"drops at {device} ({watch.state()})")[0]

    @contextlib.contextmanager
    def nft(self, netns, rule, hook):
        table = f"table inet dptrace_kinds {{\nchain c {{\ntype filter hook {hook} priority 10; {rule} drop\n}}\n}}\n"
        in_netns(netns, "nft", "-f", "-", input=table)
        try:
            yield
        finally:
            in_netns(netns, "nft", "delete", "table", "inet", "dptrace_kinds")


class ForMany(Kinds):
    def send_to(self, address, port, *options):
        with support.udp_socket(self.pod1) as sender:
            for option in options:
                sender.setsockopt(*option)
            for _ in range(3):
                sender.sendto(b"anybody?", (address, port))

    def test_a_broadcast_that_nobody_wants(self):
        port = new_port()
        with Watch("--interval", "200ms", "--all", "--port", str(port)) as watch:
            self.send_to("10.244.19.255", port, (socket.SOL_SOCKET, socket.SO_BROADCAST, 1))
            self.wait_for_row(watch, f"eth0@{self.pod2.name}")
            watch.stop()
        self.assertEqual({self.end_of(row) for row in watch.rows()}, {"unwanted", "copy"}, watch.state())
        # The sender's own copy.
        own = [row for row in self.rows_at(watch, f"eth0@{self.pod1.name}") if self.end_of(row) == "copy"]
        self.assertEqual([row["packets"] for row in own], [3], own)

    def test_a_multicast_that_nobody_wants(self):
        port, group = new_port(), "239.12.34.56"
        ours = socket.inet_aton(self.pod1.ip)
        with Watch("--interval", "200ms", "--all", "--port", str(port)) as watch:
            self.send_to(group, port, (socket.IPPROTO_IP, socket.IP_MULTICAST_IF, ours))
            self.wait_for_row(watch, f"eth0@{self.pod2.name}")
            watch.stop()
        self.assertLessEqual({self.end_of(row) for row in watch.rows()}, {"unwanted", "copy"}, watch.state())

    def test_a_broadcast_that_a_firewall_drops(self):
        port = new_port()
        with Watch("--interval", "200ms", "--port", str(port)) as watch:
            with self.nft(self.pod2.netns, f"udp dport {port}", "input"):
                self.send_to("10.244.19.255", port, (socket.SOL_SOCKET, socket.SO_BROADCAST, 1))
                self.wait_for_row(watch, f"eth0@{self.pod2.name}")
            watch.stop()
        row, = watch.rows()
        self.assertEqual((row["packets"], row["multicast"]), (3, True), row)


class ForOtherHosts(Kinds):
    def test_a_flooded_frame_is_for_others(self):
        """A MAC that nobody has: the bridge floods."""
        address, port = "10.244.19.77", new_port()
        neighbour = f"{address} lladdr {NOBODYS_MAC} dev eth0"
        with Watch("--interval", "200ms", "--all", "--port", str(port)) as watch:
            with changed(self.pod1.netns, f"ip neigh replace {neighbour} nud permanent", f"ip neigh del {neighbour}"):
                with support.udp_socket(self.pod1) as sender:
                    sender.sendto(b"anybody?", (address, port))
                row = self.wait_for_row(watch, f"eth0@{self.pod2.name}")
            watch.stop()
        self.assertEqual({self.end_of(row) for row in watch.rows()}, {"unwanted"}, watch.state())
        if HAS_REASONS:
            self.assertEqual(row["reason"], "OTHERHOST")

    def test_a_wrong_vtep_mac_is_a_loss(self):
        remote = "192.168.56.12"
        neighbour = "10.244.6.0 dev flannel.1 nud permanent"
        mac = next(line.split()[line.split().index("lladdr") + 1] for line in in_netns(
            self.nodes.n1, "ip", "neigh", "show", "dev", "flannel.1").stdout.splitlines() if line.startswith("10.244.6.0 "))
        fdb = f"{NOBODYS_MAC} dev flannel.1"
        with Watch("--interval", "200ms", "--pod-ip", self.pod1.ip, "--protocol", "icmp") as watch:
            with changed(self.nodes.n1, f"bridge fdb append {fdb} dst {remote}", f"bridge fdb del {fdb} dst {remote}"):
                with changed(self.nodes.n1, f"ip neigh replace {neighbour} lladdr {NOBODYS_MAC}",
                             f"ip neigh replace {neighbour} lladdr {mac}"):
                    ping(self.pod1, self.pod3.ip, expect_reply=False)
                    row = self.wait_for_row(watch, "flannel.1@n2")
            watch.stop()
        self.assertEqual(support.function_of(row["location"]), "ip_rcv_core", row)
        self.assertTrue(row["loss"])

    def test_a_stale_neighbour_on_a_routed_veth_is_a_loss(self):
        """No bridge: nobody else could be meant."""
        ends = [f"{self.nodes.prefix}-kinds{number}" for number in (1, 2)]
        for netns in ends:
            support.run("ip", "netns", "add", netns)
            self.addCleanup(support.run, "ip", "netns", "del", netns)
        in_netns(ends[0], *f"ip link add eth0 type veth peer name eth0 netns {ends[1]}".split())
        for number, netns in enumerate(ends, 1):
            in_netns(netns, *f"ip address add 10.201.199.{number}/24 dev eth0".split())
            in_netns(netns, *"ip link set eth0 up".split())
        in_netns(ends[0], *f"ip neigh replace 10.201.199.2 lladdr {NOBODYS_MAC} dev eth0 nud permanent".split())
        with Watch("--interval", "200ms", "--peer-ip", "10.201.199.2", "--protocol", "udp") as watch:
            with network_namespace(ends[0]):
                sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with sender:
                sender.sendto(b"anybody?", ("10.201.199.2", 7))
            row = self.wait_for_row(watch, "eth0@kinds2")
            watch.stop()
        self.assertTrue(row["loss"], row)
        # A sniffer there makes it hear all: that it is for others is then in good order.
        with Watch("--interval", "200ms", "--all", "--peer-ip", "10.201.199.2", "--protocol", "udp") as watch:
            with changed(ends[1], "ip link set eth0 promisc on", "ip link set eth0 promisc off"):
                with network_namespace(ends[0]):
                    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                with sender:
                    sender.sendto(b"anybody?", ("10.201.199.2", 7))
                row = self.wait_for_row(watch, "eth0@kinds2")
            watch.stop()
        self.assertEqual(self.end_of(row), "unwanted", row)


class Purged(Kinds):
    def test_the_queue_of_a_closed_socket(self):
        port = new_port()
        with Watch("--interval", "200ms", "--all", "--port", str(port)) as watch:
            with support.udp_socket(self.pod2, port=port), support.udp_socket(self.pod1) as sender:
                for _ in range(4):
                    sender.sendto(b"never read", (self.pod2.ip, port))
            # They have no device any more, so that they belong to no netns.
            support.wait_until(lambda: sum(row["interval_packets"] for row in watch.packets) == 4, watch.state)
            watch.stop()
        self.assertEqual({self.end_of(row) for row in watch.packets}, {"closed"}, watch.state())

    def test_the_queue_of_a_neighbour(self):
        """The link goes down while a packet waits for the next hop's address."""
        netns, address = f"{self.nodes.prefix}-kinds", "10.201.198.2"
        support.run("ip", "netns", "add", netns)
        self.addCleanup(support.run, "ip", "netns", "del", netns)
        in_netns(netns, *"ip link add eth0 type veth peer name eth1".split())
        in_netns(netns, *"ip address add 10.201.198.1/24 dev eth0".split())
        for device in ("eth0", "eth1"):
            in_netns(netns, "ip", "link", "set", device, "up")
        with Watch("--interval", "200ms", "--peer-ip", address) as watch:
            with network_namespace(netns):
                sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with sender:
                sender.sendto(b"anybody?", (address, 7))
                in_netns(netns, "ip", "link", "set", "eth0", "down")
            watch.wait_for_count(1, protocol="udp")
            watch.stop()
        row, = watch.rows(protocol="udp")
        self.assertTrue(row["loss"], row)
        self.assertRegex(support.function_of(row["location"]), "^neigh_", row)

    def test_the_queue_of_a_tun_device(self):
        """What its process has not read when it ends."""
        IFF_TUN, IFF_NO_PI, TUNSETIFF, address = 1, 0x1000, 0x400454CA, "10.201.197.2"
        netns = f"{self.nodes.prefix}-kinds"
        support.run("ip", "netns", "add", netns)
        self.addCleanup(support.run, "ip", "netns", "del", netns)
        try:
            with network_namespace(netns):
                tun = os.open("/dev/net/tun", os.O_RDWR)
                fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
        except OSError as error:
            raise unittest.SkipTest(f"/dev/net/tun: {error}") from None
        in_netns(netns, *"ip address add 10.201.197.1/24 dev tun0".split())
        in_netns(netns, *"ip link set tun0 up".split())
        with Watch("--interval", "200ms", "--peer-ip", address) as watch:
            with network_namespace(netns):
                sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with sender:
                for _ in range(3):
                    sender.sendto(b"anybody?", (address, 7))
            os.close(tun)
            watch.wait_for_count(3)
            watch.stop()
        self.assertEqual([(self.end_of(row), row["packets"]) for row in watch.rows()], [("loss", 3)], watch.state())


class HalfOpen(Kinds):
    """A handshake whose answers are lost: what the living end takes again is no loss."""

    def connecting(self, port, family=4):
        client = support.tcp_client(self.pod1, family)
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.connect((self.pod2.address(family), port))
        return client

    def test_the_server_takes_a_repeated_syn_and_a_reset(self):
        for family in (4, 6):
            with self.subTest(family=family), support.listener(self.pod2, family) as server:
                port = server.getsockname()[1]
                with Watch("--interval", "200ms", "--all", "--port", str(port)) as watch:
                    with self.nft(self.pod2.netns, f"tcp sport {port}", "output"):
                        with self.connecting(port, family):
                            watch.wait_for_count(2, protocol="tcp", loss=True)  # both answers, dropped by the rule
                    # The client has gone: it answers the next SYN-ACK with a reset.
                    support.wait_until(lambda: self.rows_at(watch, f"eth0@{self.pod1.name}"), watch.state)
                    watch.stop()
                told = [row for row in self.rows_at(watch, f"eth0@{self.pod2.name}")
                        if row["loss"] and support.function_of(row["location"]).startswith("tcp_")]
                if HAS_REASONS or support.has("netfilter hops"):
                    self.assertEqual(told, [])
                else:  # without fentry it cannot be told from a SYN that meets no socket
                    self.assertLessEqual(sum(row["packets"] for row in told), 2)

    def test_the_client_takes_a_repeated_syn_ack(self):
        with support.listener(self.pod2) as server:
            port = server.getsockname()[1]
            with Watch("--interval", "200ms", "--all", "--port", str(port)) as watch:
                with self.nft(self.pod1.netns, f"tcp dport {port} tcp flags & (syn|ack) == ack", "output"):
                    with self.connecting(port):
                        watch.wait_for_count(2, protocol="tcp", loss=True)  # both acknowledgments
                watch.stop()
        at_client = self.rows_at(watch, f"eth0@{self.pod1.name}")
        told = [row for row in at_client if row["loss"] and support.function_of(row["location"]).startswith("tcp_")]
        self.assertEqual(told, [])


class Pings(Kinds):
    def test_good_pings_lose_nothing(self):
        """With a raw socket, as root's ping opens one, and with a ping socket."""
        pods = [word for pod in (self.pod1, self.pod2) for ip in (pod.ip, pod.ip6) for word in ("--pod-ip", ip)]
        for groups in ("1 0", "0 2147483647"):
            with self.subTest(groups=groups), sysctl(self.pod1.netns, "net/ipv4/ping_group_range", groups):
                with Watch("--interval", "200ms", "--all", *pods) as watch:
                    for family in (4, 6):
                        for peer in (self.pod2, self.pod3):
                            for _ in range(5):
                                ping(self.pod1, peer.address(family), family=family)
                    watch.stop()
                self.assertEqual([row for row in watch.rows() if row["loss"]], [])


class Strays(Kinds):
    def test_without_a_connection(self):
        """An acknowledgment brings nothing; a request for a connection does."""
        ends = {"ack": (16, "closed"), "syn": (2, "loss")}
        for name, (flags, end) in ends.items():
            port = new_port()
            with self.subTest(name), Watch("--interval", "200ms", "--all", "--port", str(port)) as watch:
                support.send_tcp_segment(self.pod1, self.pod2, (new_port(), port), flags)
                row = self.wait_for_row(watch, f"eth0@{self.pod2.name}")
                watch.stop()
                self.assertEqual(self.end_of(row), end, row)

    def test_to_a_listener(self):
        with support.listener(self.pod2) as server:
            port = server.getsockname()[1]
            with Watch("--interval", "200ms", "--all", "--port", str(port)) as watch:
                support.send_tcp_segment(self.pod1, self.pod2, (new_port(), port), 16)
                row = self.wait_for_row(watch, f"eth0@{self.pod2.name}")
                watch.stop()
        self.assertEqual(self.end_of(row), "closed", row)


del Kinds  # only its subclasses have cases

if __name__ == "__main__":
    unittest.main()
