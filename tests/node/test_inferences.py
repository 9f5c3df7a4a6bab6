"""Faults by which nothing is dropped: what is inferred of a packet, from its way and from the state of the node."""

import contextlib
import os
import socket
import tempfile
import unittest

import support
from support import CauseTest, Trace, dptrace


class FullListener(CauseTest):
    """The kernel frees what it has no room for as if the listener had taken it."""

    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = os.path.join(folder, "recording")
        self.trace = self.enterContext(Trace("--pod-ip", self.pod1.ip, "--pod-ip", self.pod1.ip6, "-w", self.path))

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
        summary = self.trace.stop()
        self.assertEqual(summary["dropped"], 0, summary)
        self.check_recording()

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

    def check_recording(self):
        shown = dptrace("show", self.path, "-o", "json", check=True).stdout
        told = sum("inference" in packet for packet in self.trace.packets)
        self.assertEqual(shown.count('"inference"'), told)
        text = dptrace("show", self.path, check=True).stdout
        self.assertEqual(text.count("    why   the listener's queue of connections is full"), told)
        self.assertRegex(text, r"\nwhy\n +\d+  listen-queue-full: the listener's queue")


if __name__ == "__main__":
    unittest.main()
