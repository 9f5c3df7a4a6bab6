"""Faults by which nothing is dropped: what is inferred of a packet, from its way and from the state of the node."""

import contextlib
import os
import socket
import tempfile
import unittest

import support
from support import CauseTest, Trace, changed, dptrace, ping


class InferenceTest(CauseTest):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = os.path.join(folder, "recording")
        self.trace = self.enterContext(Trace("--pod-ip", self.pod1.ip, "--pod-ip", self.pod1.ip6, "-w", self.path))

    def check_end(self, cause, sentence):
        """Nothing was dropped, and the recording tells the same."""
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



class NotMasqueraded(InferenceTest):
    """Requests of pod 1 to hosts that are behind the default route of node 1 and answer nothing but pings."""

    FAR = {4: "203.0.113.9", 6: "2001:db8:9::9"}
    ROUTED = "203.0.113.200"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.enterClassContext(support.outside_host(cls.nodes.n1))
        for family in (4, 6):
            default = f"ip -{family} route add default via {support.OUTSIDE_ADDRESS[family]} dev wan0"
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

    def test_until_somebody_outside_answers(self):
        for family in (4, 6):
            with self.subTest(family=family):
                far, source = self.FAR[family], self.pod1.address(family)
                with self.not_masqueraded(family):
                    packet = self.asked(far, family)
                self.assertEqual(packet.get("unanswered"), True, packet)
                self.assert_cause(packet["inference"], "not-masqueraded", f"^source {source} ", f"^route to {far}: default, dev wan0$",
                                  "^nothing came back")
                self.assertIn("likely", packet["inference"]["explanation"])
                self.assertNotIn("inference", self.asked(far, family), "masqueraded")
        with self.not_masqueraded():
            route = f"ip route add {self.ROUTED}/32 via {support.OUTSIDE_ADDRESS[4]} dev wan0"
            with changed(self.nodes.n1, route, route.replace("add", "del")):
                self.assertNotIn("inference", self.asked(self.ROUTED), "there is a route of its own")
            icmp_id = ping(self.pod1, self.FAR[4])
            self.assertNotIn("inference", self.trace.packet(icmp=8, id=icmp_id), "answered")
            self.assertNotIn("inference", self.asked(self.FAR[4]), "the network there knows the pod")
        self.check_end("not-masqueraded", "likely lost")


if __name__ == "__main__":
    unittest.main()
