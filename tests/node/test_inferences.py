"""Faults by which nothing is dropped: what is inferred of a packet, from its way and from the state of the node."""

import contextlib
import os
import re
import socket
import tempfile
import threading
import unittest

import support
from support import CauseTest, Trace, changed, dptrace, in_netns, ping
from test_tc import TC_ACT_OK, Counting


class InferenceTest(CauseTest):
    ARGUMENTS = ()

    def setUp(self):
        arguments = "--pod-ip", self.pod1.ip, "--pod-ip", self.pod1.ip6, *self.ARGUMENTS
        if support.IN_VM:  # where a start takes longest
            self.trace = Trace.shared(*arguments)
            return
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = os.path.join(folder, "recording")
        self.trace = self.enterContext(Trace(*arguments, "-w", self.path))

    def check_end(self, cause, sentence):
        """Nothing was dropped, and the recording tells the same, which depends on no kernel."""
        if support.IN_VM:
            # The trace may still tell what another case has had dropped.
            self.assertFalse([packet for packet in self.trace.packets if "inference" in packet and "drop" in packet])
            return
        summary = self.trace.stop()
        self.assertEqual(summary["dropped"], 0, summary)
        told = sum("inference" in packet for packet in self.trace.packets)
        self.assertEqual(dptrace("show", self.path, "-o", "json", check=True).stdout.count('"inference"'), told)
        text = dptrace("show", self.path, check=True).stdout
        self.assertEqual(text.count(f"    why   {sentence}"), told, text)
        self.assertRegex(text, rf"\nwhy\n +\d+  {cause}: {sentence}")


class FullListener(InferenceTest):
    """The kernel frees what it has no room for as if the listener had taken it."""

    def connecting(self, server, family):
        """A client whose request is on its way."""
        client = support.tcp_client(self.pod1, family)
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.connect(server.getsockname()[:2])
        return client

    def request(self, client):
        """As it was told first."""
        ports = client.getsockname()[1], self.port
        return self.trace.packet(ports=ports)

    def test_until_the_program_accepts(self):
        for family, backlog in ((4, 1), (6, 0)):
            with self.subTest(family=family), support.listener(self.pod2, family, backlog=backlog) as server, \
                    contextlib.ExitStack() as clients:
                self.port = server.getsockname()[1]
                for _ in range(backlog + 1):  # the first finds an empty queue, the last one that has room
                    client = clients.enter_context(self.connecting(server, family))
                    request = self.request(client)
                    self.assertEqual((request["verdict"], "inference" in request), ("delivered", False), request)
                client = clients.enter_context(self.connecting(server, family))
                request = self.request(client)
                self.assertEqual((request["verdict"], request.get("unanswered")), ("unfinished", True), request)
                self.assertNotIn("drop", request)
                waiting = f"{backlog + 1} connections? waits? to be accepted, its backlog is {backlog}$"
                self.assert_cause(request["inference"], "listen-queue-full", rf"^TCP listener .*:{self.port}: {waiting}")

                server.accept()[0].close()
                again = self.trace.wait_for(2, ports=(client.getsockname()[1], self.port))[1]
                self.assertEqual(again["flow"]["tcp"].get("notes"), ["retransmission"], again)
                self.assertEqual((again["verdict"], "inference" in again), ("delivered", False), again)
        self.check_end("listen-queue-full", "the listener's queue of connections is full")

    @unittest.skipUnless("TCP_LISTEN_OVERFLOW" in support.reason_codes(), "the kernel gives no reason for it")
    def test_end_of_a_handshake(self):
        """Both requests find room, and then one connection takes it: this is a drop."""
        with support.listener(self.pod2, backlog=0) as server:
            with support.tcp_client(self.pod1) as late, support.tcp_client(self.pod1) as other:
                for client, defer_accept in (late, 5), (other, 0):  # that of the first begins with its data
                    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, defer_accept)
                    client.connect(server.getsockname())
                ports = late.getsockname()[1], server.getsockname()[1]
                self.trace.wait_for(2, ports=ports)
                late.send(b"too late")
                packet = self.trace.wait_for(3, ports=ports)[2]  # behind SYN and ACK
        self.assertEqual(packet["verdict"], "dropped", support.describe(packet))
        self.assertNotIn("inference", packet)
        self.assert_cause(packet["drop"], "listen-queue-full", "^the kernel says TCP_LISTEN_OVERFLOW$")



class OutsideTest(InferenceTest):
    """Requests of pod 1 to hosts that are behind the default route of node 1 and answer nothing but pings."""

    FAR = {4: "203.0.113.9", 6: "2001:db8:9::9"}
    BRIDGE = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.device = cls.BRIDGE or "wan0"
        cls.enterClassContext(support.outside_host(cls.nodes.n1, bridge=cls.BRIDGE))
        for family in (4, 6):
            default = f"ip -{family} route add default via {support.OUTSIDE_ADDRESS[family]} dev {cls.device}"
            cls.enterClassContext(changed(cls.nodes.n1, default, default.replace("add", "del")))

    def not_masqueraded(self, family=4):
        tool, networks = {4: ("iptables-nft", "203.0.113.0/24"), 6: ("ip6tables-nft", "2001:db8:9::/64")}[family]
        rule = f"POSTROUTING -s {self.pod1.address(family)} -d {networks} -j ACCEPT"
        return changed(self.nodes.n1, f"{tool} -t nat -I {rule}", f"{tool} -t nat -D {rule}")

    def asked(self, address, family=4):
        """A request for a connection, as it was told."""
        with support.tcp_client(self.pod1, family) as client:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect((address, 80))
            packet = self.trace.packet(ports=(client.getsockname()[1], 80))
        self.assertEqual(packet["verdict"], "left-node", support.describe(packet))
        return packet

    def check_not_masqueraded(self, point="device-transmit"):
        for family in (4, 6):
            far, source = self.FAR[family], self.pod1.address(family)
            with self.not_masqueraded(family):
                packet = self.asked(far, family)
            self.assertEqual(packet.get("unanswered"), True, support.describe(packet))
            self.assertEqual(packet["hops"][-1]["point"], point, support.describe(packet))
            self.assertIn("inference", packet, packet.get("incomplete_because"))
            self.assert_cause(packet["inference"], "not-masqueraded", f"^source {source} ",
                              f"^route to {far}: default, dev {self.device}$", "^nothing came back")
            self.assertIn("likely", packet["inference"]["explanation"])
            self.assertNotIn("inference", self.asked(far, family), "masqueraded")


class NotMasqueraded(OutsideTest):
    ROUTED = "203.0.113.200"

    def test_until_somebody_outside_answers(self):
        self.check_not_masqueraded()
        with self.not_masqueraded():
            route = f"ip route add {self.ROUTED}/32 via {support.OUTSIDE_ADDRESS[4]} dev wan0"
            with changed(self.nodes.n1, route, route.replace("add", "del")):
                self.assertNotIn("inference", self.asked(self.ROUTED), "there is a route of its own")
            icmp_id = ping(self.pod1, self.FAR[4])
            self.assertNotIn("inference", self.trace.packet(icmp=8, id=icmp_id), "answered")
            self.assertNotIn("inference", self.asked(self.FAR[4]), "the network there knows the pod")
        self.check_end("not-masqueraded", "likely lost")


class NotMasqueradedAtTc(OutsideTest):
    """The last that is seen of what leaves by a node's own uplink is its tc egress. Here the uplink is a bridge."""

    BRIDGE = "br-out"
    ARGUMENTS = "--interface", "wan0"

    def test_where_no_filter_translates(self):
        self.check_not_masqueraded("tc-egress")
        program = Counting(TC_ACT_OK)
        self.addCleanup(program.close)
        with program.as_filter(self.nodes.n1, "wan0", 77, "egress"), self.not_masqueraded():
            packet = self.asked(self.FAR[4])
            # Where the filter and ours do not go together, ours is taken away, and the packet is seen behind the filter.
            by_tc = packet["hops"][-1]["point"] == "tc-egress"
            self.assertEqual("inference" in packet, not by_tc, support.describe(packet))
            self.assertTrue(by_tc or not support.HAS_TCX)
        self.check_end("not-masqueraded", "likely lost")


class SilentNextHop(OutsideTest):
    """The MAC address of the next hop is known, but it does not answer any more whether that is still so."""

    @contextlib.contextmanager
    def unsure(self, family):
        next_hop = support.OUTSIDE_ADDRESS[family]
        patience = f"/proc/sys/net/ipv{family}/neigh/wan0/ucast_solicit"
        in_netns(self.nodes.n1, "sh", "-c", f"echo 60 >{patience}")
        entry = f"ip neigh replace {next_hop} lladdr {support.OUTSIDE_MAC} dev wan0 nud"
        with changed(self.nodes.n1, f"{entry} probe", f"{entry} permanent"):
            shown = ["ip", "-s", "neigh", "show", next_hop, "dev", "wan0"]
            support.wait_until(lambda: re.search(r"probes ([2-9]|\d\d)", in_netns(self.nodes.n1, *shown).stdout), "questions without an answer")
            yield

    def test_while_it_is_asked(self):
        for family in (4, 6):
            self.assertNotIn("inference", self.asked(self.FAR[family], family), "nothing is known against it")
            with self.unsure(family):
                packet = self.asked(self.FAR[family], family)
            self.assert_cause(packet["inference"], "neighbour-unresolved",
                              rf"^neighbour {support.OUTSIDE_ADDRESS[family]} dev wan0: PROBE, asked \d+ times$", "^nothing came back")
        self.check_end("neighbour-unresolved", "likely lost")


class AsymmetricRoute(OutsideTest):
    """A client comes by a second uplink of node 1, whose answers leave by the default route."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = f"dpt-client-{os.getpid()}"
        support.run("ip", "netns", "add", cls.client)
        cls.addClassCleanup(support.run, "ip", "netns", "del", cls.client)
        commands = f"""
            link add wan1 type veth peer name eth0 netns {cls.client}
            link set wan1 up
            addr add 192.0.2.1/24 dev wan1
            addr add 2001:db8:2::1/64 dev wan1 nodad
            route add 198.18.0.0/24 via 192.0.2.2 dev wan1
            route add 2001:db8:18::/64 via 2001:db8:2::2 dev wan1"""
        in_netns(cls.nodes.n1, "ip", "-batch", "-", input=commands)
        cls.addClassCleanup(in_netns, cls.nodes.n1, "ip", "link", "del", "wan1")
        commands = f"""
            link set eth0 up
            addr add 192.0.2.2/24 dev eth0
            addr add {cls.FAR[4]}/32 dev eth0
            route add default via 192.0.2.1
            addr add 2001:db8:2::2/64 dev eth0 nodad
            addr add {cls.FAR[6]}/128 dev eth0 nodad
            route add ::/0 via 2001:db8:2::1"""
        in_netns(cls.client, "ip", "-batch", "-", input=commands)

    @contextlib.contextmanager
    def connecting(self, server, family=4):
        """The client's end, while it asks again and again, and what waits until it is connected."""
        with support.network_namespace(self.client), \
                socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6) as client:
            client.bind((self.FAR[family], 0))
            client.settimeout(support.TIMEOUT)
            connecting = threading.Thread(target=client.connect, args=(server.getsockname()[:2],))
            connecting.start()
            try:
                yield client, connecting.join
            finally:
                connecting.join()

    def answers(self, server, client, wanted):
        """The answers up to one that has the member; the server repeats its answer, too."""
        ports = server.getsockname()[1], client.getsockname()[1]
        answers = self.trace.wait_for(1, ports=ports)
        while wanted not in answers[-1]:
            answers = self.trace.wait_for(len(answers) + 1, ports=ports)
        return answers

    def wait_for_delivered(self, server, client):
        """The first answer that goes the way back; there may be more that did not."""
        ports = server.getsockname()[1], client.getsockname()[1]

        def verdicts():
            return [packet["verdict"] for packet in self.trace.found(ports=ports)]

        support.wait_until(lambda: "delivered" in verdicts(), lambda: f"an answer that arrives: {verdicts()}")

    def back(self, family):
        return f"^ip.* route add {self.FAR[family]} via .*2 dev wan1$"

    def forget_way_back(self, family):
        self.addCleanup(in_netns, self.nodes.n1, "ip", f"-{family}", "route", "del", self.FAR[family])

    def test_until_answers_go_back(self):
        for family in (4, 6):
            with support.listener(self.pod1, family) as server:
                with self.connecting(server, family) as (client, connected):
                    answers = self.answers(server, client, "inference")
                    self.assertNotIn("inference", answers[0], "the client may have it")
                    self.assertEqual({answer["verdict"] for answer in answers}, {"left-node"})
                    inference = answers[-1]["inference"]
                    self.assert_cause(
                        inference, "asymmetric-route", "^the request came by wan1, and once more after its answer had left by wan0$",
                        f"^route to {self.FAR[family]}: default, dev wan0$", fix=[self.back(family)])
                    self.mend(inference)
                    self.forget_way_back(family)
                    connected()
                    client.getpeername()  # an error where it is not connected
                    self.wait_for_delivered(server, client)

    def test_into_a_bridge_of_the_nodes_own(self):
        """Docker's bridge has the network that a VPN hands out."""
        commands = """
            link add docker0 type bridge
            link set docker0 up
            addr add 203.0.113.1/24 dev docker0"""
        in_netns(self.nodes.n1, "ip", "-batch", "-", input=commands)
        self.addCleanup(in_netns, self.nodes.n1, "ip", "link", "del", "docker0")
        with support.listener(self.pod1) as server:
            with self.connecting(server) as (client, connected):
                answers = self.answers(server, client, "drop")
                drop = answers[-1]["drop"]
                self.assert_cause(
                    drop, "neighbour-unresolved", f"^neighbour {self.FAR[4]} dev docker0: ", "^it answers a request that came by wan1$",
                    f"^route to {self.FAR[4]}: dev docker0$", fix=[self.back(4)])
                self.mend(drop)
                self.forget_way_back(4)
                connected()
                client.getpeername()  # an error where it is not connected


if __name__ == "__main__":
    unittest.main()
