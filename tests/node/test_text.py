"""What the text makes of long ways, and of packets that others have taken."""

import contextlib
import os
import re
import socket
import struct
import tempfile
import unittest

import support
from support import NodeTest, Trace, dptrace, function_of, in_netns, network_namespace, ping, topology

NOBODYS = "10.244.99.1"


@contextlib.contextmanager
def recorded(*arguments):
    """A trace of which both outputs are wanted: yields it, and the file to show."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "recording")
        with Trace(*arguments, "-w", path) as trace:
            yield trace, path


def shown(path, *arguments):
    return dptrace("show", path, *arguments, check=True).stdout


class Loop(NodeTest):
    def setUp(self):
        self.nodes = topology()
        for netns, gateway in ((self.nodes.n1, "192.168.56.12"), (self.nodes.n2, "192.168.56.11")):
            in_netns(netns, "ip", "route", "add", NOBODYS, "via", gateway)
            self.addCleanup(in_netns, netns, "ip", "route", "del", NOBODYS)

    def test_is_one_round_and_a_line(self):
        with recorded("--pod-ip", self.nodes.pod1.ip, "--protocol", "icmp") as (trace, path):
            icmp_id = ping(self.nodes.pod1, NOBODYS, expect_reply=False)
            packet = trace.packet(icmp=8, id=icmp_id)
            trace.stop()
            text, verbose = shown(path), shown(path, "-v")
        crossings = len(packet["hops"])
        self.assertGreater(crossings, 100, "JSON has every round")
        self.assertEqual(packet["drop"]["cause"], "ttl-expired", packet["drop"])
        self.assertRegex(packet["drop"]["evidence"][1], r"^it went in circles: it came by eth0.* 3\d times$")
        block = next(block for block in text.split("\n\n") if NOBODYS in block)
        self.assertLess(len(block.splitlines()), 40, block)
        self.assertIn("with NAT in each round", block, "what is not for pods is masqueraded")
        found = re.search(r"loop: these (\d+) lines (\d+) times more, TTL (\d+) → (\d+)", block)
        self.assertIsNotNone(found, block)
        lines, repeats, first, last = map(int, found.groups())
        self.assertGreater(repeats, 20, block)
        self.assertGreater(first - last, 40, block)
        self.assertLess(len(block.splitlines()) + lines * repeats, crossings + 10, block)
        self.assertNotIn("loop:", verbose)


class Retransmission(NodeTest):
    def setUp(self):
        self.nodes = topology()

    def test_by_the_same_way_is_marked_and_folded(self):
        port = support.new_port()
        rule = f"FORWARD -d {self.nodes.pod3.ip} -p tcp --dport {port} -j DROP"
        with support.changed(self.nodes.n1, f"iptables-nft -I {rule}", f"iptables-nft -D {rule}"):
            with recorded("--pod-ip", self.nodes.pod1.ip, "--port", str(port)) as (trace, path):
                with network_namespace(self.nodes.pod1.netns), socket.socket() as client:
                    client.setblocking(False)
                    client.connect_ex((self.nodes.pod3.ip, port))
                    first, second = trace.wait_for(2, protocol="tcp")[:2]
                trace.stop()
                text, verbose = shown(path), shown(path, "-v")
        self.assertNotIn("notes", first["flow"]["tcp"])
        self.assertEqual(second["flow"]["tcp"]["notes"], ["retransmission"])
        self.assertEqual(support.crossings(second), support.crossings(first))
        blocks = text.split("\n\n")
        self.assertNotIn("retransmission", blocks[0])
        self.assertIn(", retransmission\n  same way as the packet at ", blocks[1])
        self.assertIn(blocks[0][: len("05:26:00.123456")], blocks[1], "it names the one in full")
        self.assertIn("  DROPPED at ", blocks[1])
        self.assertNotIn("same way", verbose)
        self.assertIn("retransmission", verbose)

    def test_a_healthy_connection_has_none(self):
        with Trace("--pod-ip", self.nodes.pod1.ip, "--protocol", "tcp") as trace:
            support.tcp_transfer(self.nodes.pod1, self.nodes.pod3, 5000)
            trace.wait_for(6, protocol="tcp")
            trace.stop()
        marked = [support.describe(packet) for packet in trace.packets if "notes" in packet["flow"].get("tcp", {})]
        self.assertEqual(marked, [])


@contextlib.contextmanager
def queue_reader(netns, queue):
    """Reads an NFQUEUE and never answers."""

    def command(body_of, attribute):
        body = struct.pack(">BBH", 0, 0, queue) + struct.pack("=HH", 4 + len(body_of), attribute) + body_of
        body += b"\0" * (-len(body) % 4)
        reader.send(struct.pack("=IHHII", 16 + len(body), 3 << 8 | 2, 1 | 4, 1, 0) + body)
        status = struct.unpack_from("=i", reader.recv(4096), 16)[0]
        if status:
            raise OSError(-status, os.strerror(-status), "NFQUEUE")

    with network_namespace(netns):
        reader = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    with reader:
        command(struct.pack(">BBH", 1, 0, 2), 1)
        command(struct.pack(">IB", 200, 2), 2)
        yield


class Silence(NodeTest):
    def test_nothing_came(self):
        """It is said once, though nothing wakes the trace."""
        with Trace("--pod-ip", "198.51.100.1") as trace:
            support.wait_until(lambda: "no packet of 198.51.100.1 came for 10 s" in trace.stderr(), "words about the silence")
            trace.stop()
            self.assertEqual(trace.stderr().count("no packet of"), 1)


class Queue(NodeTest):
    """A rule that gives packets to a program, as network policy agents have it."""

    NUMBER = 4711

    def setUp(self):
        self.nodes = topology()
        rule = f"FORWARD -d {NOBODYS} -p icmp -j NFQUEUE --queue-num {self.NUMBER}"
        in_netns(self.nodes.n1, "iptables-nft", "-t", "mangle", "-I", *rule.split())
        self.addCleanup(in_netns, self.nodes.n1, "iptables-nft", "-t", "mangle", "-D", *rule.split())
        in_netns(self.nodes.n1, "ip", "route", "add", NOBODYS, "via", "192.168.56.12")
        self.addCleanup(in_netns, self.nodes.n1, "ip", "route", "del", NOBODYS)

    def test_without_a_reader_is_a_drop_with_words(self):
        with recorded("--pod-ip", self.nodes.pod1.ip, "--protocol", "icmp") as (trace, path):
            icmp_id = ping(self.nodes.pod1, NOBODYS, expect_reply=False)
            packet = trace.packet(icmp=8, id=icmp_id)
            trace.stop()
            text = shown(path, "--drops-only")
        self.assertEqual(packet["verdict"], "dropped")
        self.assertEqual(function_of(packet["drop"]["location"]), "nf_queue", packet["drop"])
        self.assertIn("    why   a rule sends it to a queue (NFQUEUE) that no program reads", text)
        self.assertIn("\nwhy\n         1  queue-without-reader: a rule sends it", text)

    def test_with_a_reader_is_told_as_queued(self):
        with recorded("--pod-ip", self.nodes.pod1.ip, "--protocol", "icmp") as (trace, path):
            with queue_reader(self.nodes.n1, self.NUMBER):
                icmp_id = ping(self.nodes.pod1, NOBODYS, expect_reply=False)
                trace.stop()
            text = shown(path)
        packet = trace.packet(icmp=8, id=icmp_id)
        if not support.has("netfilter hops"):
            self.assertEqual(packet["verdict"], "unfinished")
            return
        self.assertEqual(packet["verdict"], "stolen", support.describe(packet))
        block = next(block for block in text.split("\n\n") if NOBODYS in block)
        self.assertIn("netfilter FORWARD ipv4 handed to NFQUEUE by nft_do_chain_ipv4", block)
        self.assertIn("\n  queued to user space (NFQUEUE) by netfilter FORWARD ipv4 at ", block)


if __name__ == "__main__":
    unittest.main()
