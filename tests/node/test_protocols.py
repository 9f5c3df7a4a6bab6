"""Protocols that have queues of their own: what their readers take is freed like a loss, and is none."""

import contextlib
import socket
import unittest

import support
from support import NodeTest, Trace, Watch, network_namespace, topology

IPPROTO_MPTCP = 262
STREAMS = {"sctp": socket.IPPROTO_SCTP, "mptcp": IPPROTO_MPTCP}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def stream(pod, family, protocol):
    with network_namespace(pod.netns):
        try:
            made = socket.socket(FAMILIES[family], socket.SOCK_STREAM, STREAMS[protocol])
        except OSError as error:
            raise unittest.SkipTest(f"not with this kernel: {error}") from None
    made.settimeout(support.TIMEOUT)
    return made


class Protocols(NodeTest):
    def setUp(self):
        self.nodes = topology()
        self.pod1, self.pod3 = self.nodes.pod1, self.nodes.pod3
        both = "--pod-ip", self.pod1.ip, "--pod-ip", self.pod1.ip6
        self.trace = self.enterContext(Trace(*both))
        self.watch = self.enterContext(Watch("--interval", "200ms", *both))

    def assert_nothing_is_lost(self, at_least):
        icmp_id = support.ping(self.pod1, self.pod3.ip)
        self.trace.wait_for(2, id=icmp_id)
        packets = [packet for packet in self.trace.packets if packet["flow"]["protocol"] != "icmp"]
        self.assertGreaterEqual(len(packets), at_least, self.trace.state())
        told = {"icmpv6"}  # neighbour discovery
        bad = [support.describe(packet) for packet in packets
               if packet["verdict"] != "delivered" and packet["flow"]["protocol"] not in told]
        self.assertEqual(bad, [])
        self.watch.stop()
        self.assertEqual([row for row in self.watch.rows() if row["loss"]], [])

    def exchange(self, protocol, at_least):
        for family in (4, 6):
            with contextlib.ExitStack() as stack:
                server, client = (stack.enter_context(stream(pod, family, protocol)) for pod in (self.pod3, self.pod1))
                server.bind((self.pod3.address(family), support.new_port()))
                server.listen(1)
                client.connect(server.getsockname()[:2])
                connection = stack.enter_context(server.accept()[0])
                connection.settimeout(support.TIMEOUT)
                for number in range(5):
                    client.sendall(b"question %d" % number)
                    self.assertTrue(connection.recv(100).startswith(b"question"))
                    connection.sendall(bytes(1000))
                    got = 0
                    while got < 1000:
                        got += len(client.recv(1000))
        self.assert_nothing_is_lost(at_least)

    def test_sctp(self):
        self.exchange("sctp", 25)

    def test_mptcp(self):
        self.exchange("mptcp", 25)


if __name__ == "__main__":
    unittest.main()
