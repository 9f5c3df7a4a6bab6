"""Packets that die: the way until there, the device, the kernel's reason and function, and the ICMP error it sends."""

import contextlib
import re
import socket
import unittest

import support
from support import KERNEL, NodeTest, changed, in_netns, ping, sysctl, topology

UNREACHABLE, TIME_EXCEEDED = 3, 11
CODE = {"net": 0, "port": 3, "fragmentation needed": 4}


class DropTest(NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1, cls.pod2, cls.pod3 = cls.nodes.pod1, cls.nodes.pod2, cls.nodes.pod3
        # Its module is there before the trace, as on a node that uses it.
        in_netns(cls.nodes.n1, "iptables-legacy", "-L", check=False)
        # As far as a packet of pod1 comes that node 1 routes, and one to it from the other node.
        cls.up = cls.nodes.out(cls.pod1)[:3]
        cls.down = cls.nodes.far_out(cls.pod3) + ["device-receive eth0@n1", "device-receive flannel.1@n1"]

    def setUp(self):
        self.trace = support.Trace.shared("--pod-ip", self.pod1.ip, "--pod-ip", self.pod1.ip6)

    def doomed_request(self, *options, family=4):
        """An echo request of pod1 to the other node that nobody answers."""
        icmp_id = ping(self.pod1, self.pod3.address(family), *options, family=family, expect_reply=False)
        return self.trace.packet(icmp=8 if family == 4 else 128, id=icmp_id)

    def doomed_reply(self):
        """One from the other node that pod1 gets, and its answer."""
        icmp_id = ping(self.pod3, self.pod1.ip, expect_reply=False)
        return self.trace.packet(icmp=8, id=icmp_id), self.trace.packet(icmp=0, id=icmp_id)

    def icmp_errors(self, icmp_type, code, family=4):
        return [packet for packet in self.trace.found(destination=self.pod1.address(family), icmp=icmp_type)
                if packet["flow"]["icmp"]["code"] == code]

    @contextlib.contextmanager
    def assert_answered(self, icmp_type, code, way, family=4):
        """What happens inside makes somebody send pod1 this ICMP error."""
        before = len(self.icmp_errors(icmp_type, code, family))
        yield
        support.wait_until(lambda: len(self.icmp_errors(icmp_type, code, family)) > before, "the ICMP error")
        answer = self.icmp_errors(icmp_type, code, family)[before]
        self.assert_delivered(answer, [*way, "socket eth0@pod1"])

    def assert_rule_dropped(self, packet, way, device, functions, hooks):
        self.assert_dropped(packet, way, device, "NETFILTER_DROP", functions)
        self.assert_hooks(packet, hooks)


class Routing(DropTest):
    def test_forwarding_off_drops_the_request(self):
        with sysctl(self.nodes.n1, "net/ipv4/conf/cni0/forwarding", 0):
            packet = self.doomed_request()
        self.assert_dropped(packet, self.up, "cni0@n1", "IP_INADDRERRORS", "ip_error")
        self.assert_hooks(packet, ["PREROUTING@n1"])

    def test_forwarding_off_drops_the_reply(self):
        """The Gravity training: the request arrives, its answer dies on the way back."""
        with sysctl(self.nodes.n1, "net/ipv4/conf/cni0/forwarding", 0):
            request, reply = self.doomed_reply()
        self.assert_delivered(request, self.nodes.reply(self.pod1, self.pod3))
        self.assert_dropped(reply, self.up, "cni0@n1", "IP_INADDRERRORS", "ip_error")

    def test_no_route(self):
        route = "10.244.6.0/24 via 10.244.6.0 dev flannel.1 onlink"
        with changed(self.nodes.n1, f"ip route del {route}", f"ip route add {route}"):
            with self.assert_answered(UNREACHABLE, CODE["net"], self.nodes.from_node(self.pod1)):
                packet = self.doomed_request()
        self.assert_dropped(packet, self.up, "cni0@n1", "IP_INNOROUTES", "ip_error")

    def test_no_route_ipv6(self):
        route = "fd00:10:244:6::/64 via fd00:10:244:6:: dev flannel-v6.1 onlink"
        with changed(self.nodes.n1, f"ip -6 route del {route}", f"ip -6 route add {route}"):
            with self.assert_answered(1, 0, self.nodes.from_node(self.pod1), family=6):
                packet = self.doomed_request(family=6)
        # Its last call becomes a jump on some kernels, and then the caller is the one that frees.
        functions = "ip6_pkt_drop", "ip6_pkt_discard"
        self.assert_dropped(packet, self.up, "cni0@n1", "IP_INNOROUTES", *functions)

    def test_reverse_path_filter(self):
        """The source's route leaves by another device than the one it came in by."""
        overlay = "10.244.6.0/24 via 10.244.6.0 dev flannel.1 onlink"
        direct = "10.244.6.0/24 via 192.168.56.12 dev eth0"
        with sysctl(self.nodes.n1, "net/ipv4/conf/flannel.1/rp_filter", 1):
            with changed(self.nodes.n1, f"ip route replace {direct}", f"ip route replace {overlay}"):
                icmp_id = ping(self.pod3, self.pod1.ip, expect_reply=False)
                packet = self.trace.packet(icmp=8, id=icmp_id)
        self.assert_dropped(packet, self.down, "flannel.1@n1", "IP_RPFILTER", "ip_rcv_finish_core")

    def test_ttl_expired(self):
        with self.assert_answered(TIME_EXCEEDED, 0, self.nodes.from_node(self.pod1)):
            packet = self.doomed_request("-t", "1")
        self.assert_dropped(packet, self.up, "cni0@n1", "IP_INHDR", "ip_forward")

    def test_hop_limit_expired(self):
        with self.assert_answered(3, 0, self.nodes.from_node(self.pod1), family=6):
            packet = self.doomed_request("-t", "1", family=6)
        self.assert_dropped(packet, self.up, "cni0@n1", "IP_INHDR", "ip6_forward")

    def test_larger_than_the_mtu(self):
        with changed(self.nodes.n1, "ip link set flannel.1 mtu 1300", "ip link set flannel.1 mtu 1450"):
            with self.assert_answered(UNREACHABLE, CODE["fragmentation needed"], self.nodes.from_node(self.pod1)):
                packet = self.doomed_request("-M", "do", "-s", "1300")
        # The pod has learned the smaller MTU: it would refuse the next such packet itself.
        in_netns(self.pod1.netns, "ip", "route", "flush", "cache")
        self.assertEqual(packet["length"], 1328)
        self.assert_dropped(packet, self.up, "cni0@n1", "PKT_TOO_BIG", "ip_forward")

    def test_larger_than_the_mtu_ipv6(self):
        in_netns(self.pod1.netns, "ip", "-6", "route", "flush", "cache")
        with self.assert_answered(2, 0, self.nodes.from_node(self.pod1), family=6):
            packet = self.doomed_request("-M", "do", "-s", "1402", family=6)
        self.assertEqual(packet["length"], 1450)
        # ip6_forward gives the skb to the device that it does not fit, for the sake of the ICMP message.
        self.assert_dropped(packet, self.up, "flannel-v6.1@n1", "PKT_TOO_BIG", "ip6_forward")


class Netfilter(DropTest):
    HOOKS = ["PREROUTING@n1", "FORWARD@n1 drop"]

    def drop_rule(self, command, chain="FORWARD"):
        rule = f"{chain} -s {self.pod1.ip} -d {self.pod3.ip} -j DROP"
        return changed(self.nodes.n1, f"{command} -I {rule}", f"{command} -D {rule}")

    def decided(self, packet):
        """The function that a netfilter hop names as the one that dropped."""
        return [support.function_of(hop.get("function", "")) for hop in packet["hops"]
                if hop["point"] == "netfilter" and hop["netfilter"]["verdict"] == "drop"]

    def test_iptables_legacy(self):
        support.require("iptables-legacy")
        with self.drop_rule("iptables-legacy"):
            packet = self.doomed_request()
        self.assert_rule_dropped(packet, self.up, "cni0@n1", "nf_hook_slow", self.HOOKS)
        if support.has("netfilter hops"):
            self.assertIn(self.decided(packet), (["ipt_do_table"], ["iptable_filter_hook"]))

    def test_iptables_nft(self):
        function = "nft_do_chain" if KERNEL >= (5, 17) else "nf_hook_slow"
        with self.drop_rule("iptables-nft"):
            packet = self.doomed_request()
        self.assert_rule_dropped(packet, self.up, "cni0@n1", function, self.HOOKS)
        if support.has("netfilter hops"):
            self.assertEqual(self.decided(packet), ["nft_do_chain_ipv4"])

    def test_nftables(self):
        function = "nft_do_chain" if KERNEL >= (5, 17) else "nf_hook_slow"
        table = f"""
            table inet dptrace_case {{
                chain forward {{
                    type filter hook forward priority 10;
                    ip saddr {self.pod1.ip} ip daddr {self.pod3.ip} drop
                }}
            }}"""
        in_netns(self.nodes.n1, "nft", "-f", "-", input=table)
        self.addCleanup(in_netns, self.nodes.n1, "nft", "delete", "table", "inet", "dptrace_case", check=False)
        packet = self.doomed_request()
        self.assert_rule_dropped(packet, self.up, "cni0@n1", function, self.HOOKS)
        if support.has("netfilter hops"):
            self.assertEqual(self.decided(packet), ["nft_do_chain_inet"])

    def test_function_that_may_not_have_been_the_last(self):
        """SYNPROXY's function is not watched: where it is behind the one that dropped none is named, unless that one
        has freed the packet itself."""
        drop = f"POSTROUTING -s {self.pod1.ip} -d {self.pod3.ip} -p icmp -j DROP"
        proxy = "INPUT -p tcp --dport 1 -j SYNPROXY"
        named = []
        with changed(self.nodes.n1, f"iptables-nft -t mangle -I {drop}", f"iptables-nft -t mangle -D {drop}"):
            for synproxy in (False, True):
                with contextlib.ExitStack() as stack:
                    if synproxy and support.has("netfilter hops"):
                        stack.enter_context(
                            changed(self.nodes.n1, f"iptables-nft -A {proxy}", f"iptables-nft -D {proxy}")
                        )
                    icmp_id = ping(self.pod1, self.pod3.ip, expect_reply=False)
                    named.append(self.decided(self.trace.packet(icmp=8, id=icmp_id)))
        if support.has("netfilter hops"):
            nft = "nft_do_chain_ipv4"
            self.assertEqual(named, [[nft], [nft if KERNEL >= (5, 17) else ""]])

    def test_prerouting_of_a_bridged_packet(self):
        """br_netfilter runs the IP hooks while the packet is still the bridge's."""
        function = "nft_do_chain" if KERNEL >= (5, 17) else "nf_hook_slow"
        rule = f"PREROUTING -s {self.pod1.ip} -d {self.pod2.ip} -j DROP"
        with changed(self.nodes.n1, f"iptables-nft -t mangle -I {rule}", f"iptables-nft -t mangle -D {rule}"):
            icmp_id = ping(self.pod1, self.pod2.ip, expect_reply=False)
            packet = self.trace.packet(icmp=8, id=icmp_id)
        self.assert_rule_dropped(packet, self.up[:2], "cni0@n1", function, ["PREROUTING@n1 drop"])

    def test_on_the_other_node(self):
        function = "nft_do_chain" if KERNEL >= (5, 17) else "nf_hook_slow"
        rule = f"FORWARD -s {self.pod1.ip} -d {self.pod3.ip} -j DROP"
        with changed(self.nodes.n2, f"iptables-nft -I {rule}", f"iptables-nft -D {rule}"):
            packet = self.doomed_request()
        way = self.nodes.out(self.pod1) + self.nodes.far_in(self.pod3)[:2]
        hooks = support.CROSSING_HOOKS[:-2] + ["FORWARD@n2 drop"]
        self.assert_rule_dropped(packet, way, "flannel.1@n2", function, hooks)


class Sockets(DropTest):
    def refused_connection(self, family):
        with support.tcp_client(self.pod1, family) as client:
            ports = client.getsockname()[1], support.new_port()
            with self.assertRaises(ConnectionRefusedError):
                client.connect((self.pod3.address(family), ports[1]))
        return self.trace.packet(ports=ports), self.trace.packet(ports=ports[::-1])

    def test_tcp_port_without_listener(self):
        for family, function in ((4, "tcp_v4_rcv"), (6, "tcp_v6_rcv")):
            with self.subTest(family=family):
                syn, reset = self.refused_connection(family)
                way = self.nodes.request(self.pod1, self.pod3, family)[:-1]
                self.assert_dropped(syn, way, "eth0@pod3", "NO_SOCKET", function)
                self.assert_hooks(syn, support.CROSSING_HOOKS, f"ipv{family}")
                self.assert_delivered(reset, self.nodes.reply(self.pod1, self.pod3, family))

    def test_stray_acknowledgment_to_a_listener(self):
        """Dies in TCP itself, where the skb has no device any more: it is that which received it."""
        with support.listener(self.pod2) as server:
            ports = support.new_port(), server.getsockname()[1]
            support.send_tcp_segment(self.pod1, self.pod2, ports, flags=0x10)
            packet = self.trace.packet(ports=ports)
        way = self.nodes.across_bridge(self.pod1, self.pod2)[:-1]
        reason = "TCP_FLAGS" if KERNEL >= (6, 12) else "NOT_SPECIFIED"
        self.assert_dropped(packet, way, "eth0@pod2", reason, "tcp_v4_do_rcv")

    def test_data_for_an_end_that_has_closed(self):
        """Only TIME_WAIT is left of it, which answers data with a reset: the network lost nothing."""
        with support.closed_first(self.pod1, self.pod2) as connection:
            ports = connection.getsockname()[1], connection.getpeername()[1]
            connection.send(b"too late")
            packet = self.trace.wait_for(3, source=self.pod2.ip, ports=ports)[2]  # after SYN ACK and ACK
        self.assertIn("PSH", packet["flow"]["tcp"]["flags"])
        self.assert_delivered(packet, self.nodes.across_bridge(self.pod2, self.pod1))
        self.assertTrue(packet.get("reader_closed"), packet)

    def test_listener_whose_queue_is_full(self):
        """It frees what it has no room for as if it had taken it: not delivered, for nothing answers."""
        for family in (4, 6):
            with self.subTest(family=family), support.listener(self.pod2, family, backlog=0) as server:
                port = server.getsockname()[1]
                with support.tcp_client(self.pod1, family) as first, support.tcp_client(self.pod1, family) as second:
                    first.connect((self.pod2.address(family), port))
                    second.setblocking(False)
                    with contextlib.suppress(BlockingIOError):
                        second.connect((self.pod2.address(family), port))
                    request = self.trace.packet(ports=(second.getsockname()[1], port))
                    accepted = self.trace.packet(ports=(first.getsockname()[1], port))
                self.assertEqual((request["verdict"], request.get("unanswered")), ("unfinished", True), request)
                self.assertEqual(request["hops"][-1]["point"], "socket")
                self.assert_delivered(accepted, self.nodes.across_bridge(self.pod1, self.pod2))

    def test_udp_port_without_reader(self):
        functions = {4: ("__udp4_lib_rcv", "udp_rcv"), 6: ("__udp6_lib_rcv", "udpv6_rcv")}  # 7.2: the second
        unreachable = {4: (UNREACHABLE, CODE["port"]), 6: (1, 4)}
        for family in (4, 6):
            with self.subTest(family=family), support.udp_socket(self.pod1, family) as client:
                ports = client.getsockname()[1], support.new_port()
                answered = self.nodes.reply(self.pod1, self.pod3, family)[:-1]
                with self.assert_answered(*unreachable[family], answered, family):
                    client.sendto(b"anybody?", (self.pod3.address(family), ports[1]))
                    packet = self.trace.packet(ports=ports)
                way = self.nodes.request(self.pod1, self.pod3, family)[:-1]
                self.assert_dropped(packet, way, "eth0@pod3", "NO_SOCKET", support.first_symbol(*functions[family]))

    def test_udp_receive_buffer_full(self):
        with support.udp_socket(self.pod1) as client, support.udp_socket(self.pod2) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            ports = client.getsockname()[1], server.getsockname()[1]
            for _ in range(20):
                client.sendto(bytes(1000), (self.pod2.ip, ports[1]))
            server.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                while server.recv(2000):
                    pass
            packets = self.trace.wait_for(20, ports=ports)
        dropped = [packet for packet in packets if packet["verdict"] == "dropped"]
        self.assertTrue(dropped)
        way = self.nodes.across_bridge(self.pod1, self.pod2)[:-1]
        for packet in dropped:
            self.assert_dropped(packet, way, "eth0@pod2", "SOCKET_RCVBUFF", "udp_queue_rcv_one_skb")
        for packet in packets:
            if packet not in dropped:
                self.assert_delivered(packet, self.nodes.across_bridge(self.pod1, self.pod2))


class Interrupts(DropTest):
    """A timer drops a packet that waited for its neighbour in vain: amid whatever runs just then."""

    def test_the_stack_ends_where_the_interrupt_begins(self):
        absent = self.pod1.ip.rsplit(".", 1)[0] + ".250"
        with sysctl(self.pod1.netns, "net/ipv4/neigh/eth0/retrans_time_ms", 100):
            icmp_id = ping(self.pod1, absent, expect_reply=False)
            drop = self.trace.packet(icmp=8, id=icmp_id)["drop"]
        self.assertIn("run_timer_softirq", drop["stack"])
        begins = re.compile(r"asm_(common_interrupt|sysvec_).*|(__)?irq_exit(_rcu)?|run_ksoftirqd|kthread|do_idle")
        self.assertEqual([name for name in drop["stack"] if begins.fullmatch(name)], [], drop)


class NotALoss(NodeTest):
    """What the kernel frees by kfree_skb although nothing was lost is not told as a drop."""

    def test_ping_and_connection_in_good_order(self):
        nodes = topology()
        with support.Trace("--pod-ip", nodes.pod1.ip, "--pod-ip", nodes.pod1.ip6, "--drops-only") as trace:
            with support.closed_first(nodes.pod1, nodes.pod2, family=6):
                pass
            for peer in (nodes.pod2, nodes.pod3):
                ping(nodes.pod1, peer.ip)
                support.tcp_transfer(nodes.pod1, peer, 10000)
                with support.closed_first(nodes.pod1, peer):
                    pass
            summary = trace.stop()
        self.assertEqual([support.describe(packet) for packet in trace.packets], [])
        self.assertEqual(summary["dropped"], 0)
        self.assert_nothing_lost(summary)


del DropTest  # only its subclasses have cases

if __name__ == "__main__":
    unittest.main()
