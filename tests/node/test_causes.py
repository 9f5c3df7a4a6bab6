"""Why a packet died, proved by the node's state, and the command that mends it: run as printed, it lets the packet pass."""

import json
import os
import re
import socket
import struct
import subprocess
import tempfile
import unittest

import support
from support import CauseTest, Trace, changed, in_netns, ping, sysctl

IP = {4: "ip", 6: "ip -6"}
BEYOND = {4: "10.99.1.1", 6: "fd00:99::1"}  # nobody has them
BEYOND_PREFIX = {4: "10.99.0.0/16", 6: "fd00:99::/32"}


class Routing(CauseTest):
    def test_forwarding_of_a_device(self):
        with sysctl(self.nodes.n1, "net/ipv4/conf/cni0/forwarding", 0):
            drop = self.dropped_request(self.pod3.ip)
            self.assert_cause(drop, "forwarding-disabled", r"^net\.ipv4\.conf\.cni0\.forwarding = 0$",
                              fix=[r"^sysctl -w net\.ipv4\.conf\.cni0\.forwarding=1$"])
            self.assertIn("cni0 does not forward", drop["explanation"])
            self.mend(drop)
            ping(self.pod1, self.pod3.ip)

    def test_forwarding_of_the_node(self):
        for family, setting in ((4, "net/ipv4/ip_forward"), (6, "net/ipv6/conf/all/forwarding")):
            with self.subTest(family=family), sysctl(self.nodes.n1, setting, 0):
                drop = self.dropped_request(self.pod3.address(family), family=family)
                name = re.escape(setting.replace("/", "."))
                facts = [f"^{name} = 0$"] if family == 6 else [r"cni0\.forwarding = 0$", f"^{name} = 0$"]
                self.assert_cause(drop, "forwarding-disabled", *facts, fix=[f"^sysctl -w {name}=1$"])
                self.mend(drop)
                ping(self.pod1, self.pod3.address(family), family=family)

    def test_a_route_that_bars(self):
        for family in (4, 6):
            for kind in "blackhole", "unreachable", "prohibit":
                route = f"{kind} {BEYOND_PREFIX[family]} proto static"
                with self.subTest(family=family, kind=kind), \
                        changed(self.nodes.n1, f"{IP[family]} route add {route}", f"{IP[family]} route del {route}"):
                    drop = self.dropped_request(BEYOND[family], family=family)
                    self.assert_cause(drop, f"route-{kind}", f"{kind} {BEYOND_PREFIX[family]} proto static$",
                                      f"route get {BEYOND[family]} from ")

    def test_routes_of_two_tables_that_bar(self):
        """Which of them was asked first is not known, and so neither is named."""
        with changed(self.nodes.n1, "ip route add blackhole 10.99.0.0/16", "ip route del blackhole 10.99.0.0/16"), \
                changed(self.nodes.n1, "ip route add blackhole 10.99.1.0/24 table 77", "ip route flush table 77"):
            drop = self.dropped_request(BEYOND[4])
        self.assertEqual(drop.get("cause"), "unknown", drop)

    def test_no_route(self):
        for family in (4, 6):
            with self.subTest(family=family):
                drop = self.dropped_request(BEYOND[family], family=family)
                self.assert_cause(drop, "no-route", f"route get {BEYOND[family]} from .*unreachable$")
                self.assertIn(BEYOND[family], drop["explanation"])

    def test_reverse_path(self):
        overlay = "10.244.6.0/24 via 10.244.6.0 dev flannel.1 onlink"
        direct = "10.244.6.0/24 via 192.168.56.12 dev eth0"
        with sysctl(self.nodes.n1, "net/ipv4/conf/flannel.1/rp_filter", 1), \
                changed(self.nodes.n1, f"ip route replace {direct}", f"ip route replace {overlay}"):
            drop = self.dropped_request(self.pod1.ip, source=self.pod3)
            self.assert_cause(drop, "reverse-path-filter", r"flannel\.1[./]rp_filter = 1$", "dev eth0$",
                              fix=[r"^sysctl -w .*flannel\.1/rp_filter=2$"])
            self.mend(drop)
            icmp_id = ping(self.pod3, self.pod1.ip, expect_reply=False)
            self.assertEqual(self.trace.packet(icmp=8, id=icmp_id)["verdict"], "delivered")

    def test_a_source_of_the_nodes_own(self):
        own = self.pod1.ip.rsplit(".", 1)[0] + ".1"  # of cni0
        kept = f"POSTROUTING -s {own} -j ACCEPT"  # by flannel's rules it would be no pod's, and translated
        with changed(self.pod3.netns, f"ip address add {own}/32 dev lo", f"ip address del {own}/32 dev lo"), \
                changed(self.nodes.n2, f"iptables -t nat -I {kept}", f"iptables -t nat -D {kept}"):
            drop = self.dropped_request(self.pod1.ip, "-I", own, source=self.pod3)
            self.assert_cause(drop, "martian-source", f"^ip route get {own}: local$")

    def test_used_up(self):
        for family, field in ((4, "TTL 1 at cni0"), (6, "hop limit 1 at cni0")):
            with self.subTest(family=family):
                self.assert_cause(self.dropped_request(self.pod3.address(family), "-t", "1", family=family),
                                  "ttl-expired", f"^{field}$")

    def test_larger_than_the_tunnel(self):
        with changed(self.nodes.n1, "ip link set flannel.1 mtu 1300", "ip link set flannel.1 mtu 1450"):
            drop = self.dropped_request(self.pod3.ip, "-M", "do", "-s", "1300")
            self.assert_cause(drop, "mtu-exceeded", "^flannel.1 mtu 1300$", "^eth0 below it: mtu 1500$",
                              fix=["^ip link set flannel.1 mtu 1450$"])
            self.mend(drop)
            in_netns(self.pod1.netns, "ip", "route", "flush", "cache")  # the pod has learned the smaller one
            ping(self.pod1, self.pod3.ip, "-M", "do", "-s", "1300")

    def test_the_nearest_cause(self):
        """Where two may be behind the same end, it is the one that the kernel came to."""
        with sysctl(self.nodes.n1, "net/ipv4/conf/cni0/forwarding", 0):
            drop = self.dropped_request(BEYOND[4], "-t", "1")
        self.assert_cause(drop, "forwarding-disabled", "forwarding = 0$", fix=["cni0"])


class Neighbours(CauseTest):
    def test_nobody_answers(self):
        """The pod itself looks for a neighbour that is not there."""
        for family in (4, 6):
            version = f"ipv{family}"
            absent = re.sub(r"[^.:]*$", "fa" if family == 6 else "250", self.pod1.address(family), count=1)
            with self.subTest(family=family), \
                    sysctl(self.pod1.netns, f"net/{version}/neigh/eth0/retrans_time_ms", 100):
                drop = self.dropped_request(absent, family=family)
                self.assert_cause(drop, "neighbour-unresolved", f"^neighbour {absent} dev eth0: FAILED$")


class Sockets(CauseTest):
    def refused(self, port, family=4):
        """The drop of a request for a connection."""
        with support.tcp_client(self.pod1, family) as client:
            with self.assertRaises(ConnectionRefusedError):
                client.connect((self.pod2.address(family), port))
            return self.trace.packet(ports=(client.getsockname()[1], port))["drop"]

    def test_nothing_listens(self):
        for family in (4, 6):
            with self.subTest(family=family):
                port = support.new_port()
                self.assert_cause(self.refused(port, family), "no-listener", f"^no TCP socket has port {port} and listens$")
                port = support.new_port()
                with support.udp_socket(self.pod1, family) as client:
                    client.sendto(b"anybody?", (self.pod2.address(family), port))
                    drop = self.trace.packet(ports=(client.getsockname()[1], port))["drop"]
                self.assert_cause(drop, "no-listener", f"^no UDP socket has port {port}$")

    def test_listens_elsewhere(self):
        port = support.new_port()
        with support.network_namespace(self.pod2.netns):
            server = socket.create_server(("127.0.0.1", port))
        with server:
            drop = self.refused(port)
        self.assert_cause(drop, "no-listener", f"^TCP socket: 127.0.0.1:{port}$")
        self.assertIn(f"127.0.0.1:{port} only", drop["explanation"])

    def test_a_segment_of_no_connection(self):
        """Nothing says that there ever was one; without reasons, not even that none takes it."""
        ports = support.new_port(), support.new_port()
        support.send_tcp_segment(self.pod1, self.pod2, ports, flags=0x10)
        drop = self.trace.packet(ports=ports)["drop"]
        if support.HAS_REASONS:
            self.assert_cause(drop, "no-listener", f"^no TCP socket has port {ports[1]} and listens$")
            self.assertIn("no connection takes it", drop["explanation"])
        else:
            self.assertEqual(drop.get("cause"), "unknown", drop)

    def test_a_reader_that_sleeps(self):
        with support.udp_socket(self.pod1) as client, support.udp_socket(self.pod2) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            ports = client.getsockname()[1], server.getsockname()[1]
            for _ in range(20):
                client.sendto(bytes(1000), (self.pod2.ip, ports[1]))
            dropped = [packet for packet in self.trace.wait_for(20, ports=ports) if packet["verdict"] == "dropped"]
        self.assertTrue(dropped)
        for packet in dropped:
            self.assert_cause(packet["drop"], "socket-buffer-full", r"bytes wait, \d+ packets were dropped")

    def test_a_program_that_sleeps(self):
        """It is named: whoever looks for it need not guess. What it calls itself is its own affair, and cleaned."""
        code = """import ctypes, socket, sys
ctypes.CDLL(None).prctl(15, b"slow\\x1breader")
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
server.bind((sys.argv[1], 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()"""
        with subprocess.Popen(["ip", "netns", "exec", self.pod2.netns, "python3", "-c", code, self.pod2.ip],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program, support.udp_socket(self.pod1) as client:
            ports = client.getsockname()[1], int(program.stdout.readline())
            found = []

            def with_program():
                """A guest may take longer to look for it than the packet waits."""
                for _ in range(20):
                    client.sendto(bytes(1000), (self.pod2.ip, ports[1]))
                dropped = [packet for packet in self.trace.wait_for(20, ports=ports) if packet["verdict"] == "dropped"]
                found[:] = [packet["drop"] for packet in dropped if len(packet["drop"].get("evidence", [])) == 2]
                return found

            support.wait_until(with_program, "the program")
            program.stdin.close()
        self.assert_cause(found[0], "socket-buffer-full", r"bytes wait, \d+ packets were dropped",
                          f"^program: slow\ufffdreader \\(pid {program.pid}\\)$")

    def test_a_wrong_checksum(self):
        """Of a pod here, and of one of another node, whose tunnel device may be to blame."""
        if not support.HAS_REASONS:
            self.skipTest("a kernel without drop reasons does not tell it from a port without a socket")
        for receiver, facts in (self.pod2, []), (self.pod3, [r"^it came in VXLAN from 192\.168\."]):
            # Connection tracking would call it invalid, and kube-proxy's rule drop it.
            with sysctl(self.nodes.n1, "net/netfilter/nf_conntrack_checksum", 0), \
                    sysctl(self.nodes.n2, "net/netfilter/nf_conntrack_checksum", 0), support.udp_socket(receiver) as server:
                ports = support.new_port(), server.getsockname()[1]
                header = struct.pack(">HHHH", *ports, 13, 0x1234)
                with support.network_namespace(self.pod1.netns):
                    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
                with raw:
                    raw.sendto(header + b"query", (receiver.ip, 0))
                drop = self.trace.packet(ports=ports)["drop"]
            self.assert_cause(drop, "bad-checksum", "UDP_CSUM$", *facts)


class Rules(CauseTest):
    """Where hooks cannot be watched, no rule is named, and no cause either."""

    def setUp(self):
        support.require("netfilter hops")
        super().setUp()

    def load_nft(self, rules):
        chain = f"chain forward {{ type filter hook forward priority 10; {rules}\n }}"
        in_netns(self.nodes.n1, "nft", "-f", "-", input=f"table inet dptrace_case {{ {chain}\n }}\n")
        self.addCleanup(in_netns, self.nodes.n1, "nft", "delete", "table", "inet", "dptrace_case", check=False)

    def named(self):
        """The first drops by a ruleset may be told before its text is read."""
        found = []

        def with_text():
            found[:] = [self.dropped_request(self.pod3.ip)]
            return found[0].get("rule", {}).get("rule")

        support.wait_until(with_text, lambda: f"the text of the rule: {found}")
        return found[0]

    def test_of_iptables_legacy(self):
        support.require("iptables-legacy")
        rule = f"FORWARD -s {self.pod1.ip}/32 -d {self.pod3.ip}/32 -m comment --comment \"it's $(mine)\" -j DROP"
        in_netns(self.nodes.n1, "sh", "-c", f"iptables-legacy -I {rule.replace('$', chr(92) + '$')}")
        self.addCleanup(in_netns, self.nodes.n1, "iptables-legacy", "-F", "FORWARD")
        drop = self.named()
        self.assert_cause(drop, "netfilter-rule", "-j DROP$", fix=["^iptables-legacy -t filter -D FORWARD -s "])
        self.mend(drop)
        ping(self.pod1, self.pod3.ip)

    def test_of_nftables(self):
        self.load_nft(f"ip saddr {self.pod1.ip} ip daddr {self.pod3.ip} drop")
        drop = self.named()
        self.assert_cause(drop, "netfilter-rule", "drop$",
                          fix=[r"^nft delete rule inet dptrace_case forward handle \d+$"])
        self.mend(drop)
        ping(self.pod1, self.pod3.ip)

    def test_policy(self):
        self.load_nft(f"policy drop; ip saddr {self.pod3.ip} accept")
        drop = self.named()
        self.assert_cause(drop, "netfilter-policy", "policy drop", fix=["^nft insert rule inet dptrace_case forward ip saddr "])
        self.mend(drop)
        ping(self.pod1, self.pod3.ip)
        self.dropped_request(self.nodes.pod4.ip)  # the command lets no more pass than the packet


class Kept(CauseTest):
    """Each with a trace of its own."""

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def test_by_a_recording(self):
        recording = os.path.join(self.folder, "drop.dpt")
        with Trace("--pod-ip", self.pod1.ip, "-w", recording) as self.trace:
            with sysctl(self.nodes.n1, "net/ipv4/conf/cni0/forwarding", 0):
                drop = self.dropped_request(self.pod3.ip)
            self.trace.stop()
        shown = [json.loads(line) for line in support.dptrace("show", recording, "-o", "json").stdout.splitlines()]
        self.assertEqual([packet["drop"] for packet in shown if packet.get("verdict") == "dropped"], [drop])
        self.assertEqual(drop["cause"], "forwarding-disabled")
        text = support.dptrace("show", recording).stdout
        self.assertIn("    why   cni0 does not forward IPv4 packets (net.ipv4.conf.cni0.forwarding = 0)\n", text)
        self.assertIn("    fix   sysctl -w net.ipv4.conf.cni0.forwarding=1\n", text)

    def test_nobody_is_asked(self):
        with Trace("--pod-ip", self.pod1.ip, "--no-explain") as self.trace:
            drop = self.dropped_request(BEYOND[4])
            self.trace.stop()
        self.assertNotIn("cause", drop)

    def test_for_another_netns(self):
        """The drop is the other node's: the command enters it."""
        with Trace("--pod-ip", self.pod1.ip) as self.trace:
            with sysctl(self.nodes.n2, "net/ipv4/conf/flannel.1/forwarding", 0):
                drop = self.dropped_request(self.pod3.ip)
                self.assert_cause(drop, "forwarding-disabled", "flannel.1/forwarding = 0$",
                                  fix=[f"^ip netns exec {self.nodes.n2} sysctl -w net/ipv4/conf/flannel.1/forwarding=1$"])
                self.mend(drop)
                ping(self.pod1, self.pod3.ip)
            self.trace.stop()


class Unproved(CauseTest):
    def test_what_nothing_proves_is_unknown(self):
        """A protocol that nobody has: no cause of this version."""
        nobodys = 253
        with support.network_namespace(self.pod1.netns):
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, nobodys)
        with raw:
            raw.sendto(bytes(16), (self.pod2.ip, 0))
        drop = self.trace.packet(protocol=str(nobodys))["drop"]
        self.assertEqual(drop.get("cause"), "unknown", drop)
        for member in "explanation", "evidence", "fix":
            self.assertNotIn(member, drop)

    def test_a_segment_for_a_listener_that_knows_no_such_connection(self):
        """An acknowledgment. Kernels that say no reason for it prove no cause."""
        with support.listener(self.pod2) as server:
            ports = support.new_port(), server.getsockname()[1]
            support.send_tcp_segment(self.pod1, self.pod2, ports, flags=0x10)
            drop = self.trace.packet(ports=ports)["drop"]
        if drop.get("reason") == "TCP_FLAGS":
            self.assert_cause(drop, "tcp-not-acceptable", "^the kernel says TCP_FLAGS$")
        else:
            self.assertEqual(drop.get("cause"), "unknown", drop)

    def test_what_arrives_has_no_cause(self):
        for peer in (self.pod2, self.pod3):
            for family in (4, 6):
                icmp_id = ping(self.pod1, peer.address(family), family=family)
                for packet in self.trace.wait_for(2, id=icmp_id):
                    self.assertNotIn("drop", packet)

    def test_the_question_is_no_packet(self):
        """The kernel makes an skb for `ip route get`, with the addresses that are asked for, and frees it."""
        in_netns(self.nodes.n1, "ip", "route", "get", self.pod3.ip, "from", self.pod1.ip, "iif", "cni0")
        with sysctl(self.nodes.n1, "net/ipv4/conf/cni0/forwarding", 0):
            self.dropped_request(self.pod3.ip)
        icmp_id = ping(self.pod1, self.pod3.ip)
        self.trace.wait_for(2, id=icmp_id)
        between = {"source": self.pod1.ip, "destination": self.pod3.ip}
        strange = [packet for packet in self.trace.found(**between) if packet["flow"]["protocol"] != "icmp"]
        self.assertEqual(strange, [])


del CauseTest  # only its subclasses have cases

if __name__ == "__main__":
    unittest.main()
