"""Much traffic: a hundred flows at once, floods of others' packets, and a ring that is too small on purpose."""

import contextlib
import json
import os
import pathlib
import signal
import struct
import subprocess
import tempfile
import time
import unittest
from collections import Counter

import support
from support import NodeTest, Trace, ping, sysctl, topology

FLOWS = 100
ROUNDS = 3


def backlog_drops():
    """Packets that a CPU's backlog had no room for, on all CPUs."""
    lines = pathlib.Path("/proc/net/softnet_stat").read_text().splitlines()
    return sum(int(line.split()[1], 16) for line in lines)


class ManyFlows(NodeTest):
    def exchange(self, payload):
        """Every client sends, then the server answers all of them, and so on; returns the ports of the clients."""
        nodes = topology()
        clients = [support.udp_socket(nodes.pod1) for _ in range(FLOWS)]
        server = support.udp_socket(nodes.pod3)
        try:
            for client in clients:
                client.connect(server.getsockname())
            for number in range(ROUNDS):
                for flow, client in enumerate(clients):
                    client.send(payload(flow, number))
                asked = [server.recvfrom(2000) for _ in clients]
                for data, client in asked:
                    server.sendto(data, client)
                for client in clients:
                    client.recv(2000)
            return [client.getsockname()[1] for client in clients], server.getsockname()[1]
        finally:
            for endpoint in (server, *clients):
                endpoint.close()

    def check(self, payload):
        nodes = topology()
        with Trace("--pod-ip", nodes.pod1.ip, "--protocol", "udp") as trace:
            clients, server = self.exchange(payload)
            support.wait_until(lambda: len(trace.packets) >= 2 * FLOWS * ROUNDS, trace.state)
            summary = trace.stop()
        self.assert_nothing_lost(summary)
        self.assertEqual(summary["packets"], 2 * FLOWS * ROUNDS)
        ways = Counter((p["flow"]["source"]["port"], p["flow"]["destination"]["port"]) for p in trace.packets)
        expected = [way for port in clients for way in ((port, server), (server, port))]
        self.assertEqual(ways, Counter({way: ROUNDS for way in expected}))
        for packet in trace.packets:
            asking = packet["flow"]["source"]["ip"] == nodes.pod1.ip
            self.assert_delivered(packet, (nodes.request if asking else nodes.reply)(nodes.pod1, nodes.pod3))

    def test_hundred_flows(self):
        self.check(lambda flow, number: b"flow %d, round %d" % (flow, number))

    def test_hundred_flows_of_equal_datagrams(self):
        """The server's answers have no IP id, one length and one content: nothing but their ports differs."""
        self.check(lambda flow, number: b"the same")

    def test_hundred_pings_at_once(self):
        nodes = topology()
        ids = range(0x6000, 0x6000 + FLOWS)
        with Trace("--pod-ip", nodes.pod1.ip, "--protocol", "icmp") as trace:
            with support.network_namespace(nodes.pod1.netns):
                commands = [
                    subprocess.Popen(["ping", "-n", "-q", "-c1", "-e", str(icmp_id), nodes.pod3.ip],
                                             stdout=subprocess.DEVNULL)
                    for icmp_id in ids
                ]
            for command in commands:
                self.assertEqual(command.wait(support.TIMEOUT), 0)
            trace.wait_for(2 * FLOWS, protocol="icmp")
            summary = trace.stop()
        self.assert_nothing_lost(summary)
        for icmp_id in ids:
            for icmp_type, way in ((8, nodes.request), (0, nodes.reply)):
                packets = trace.found(icmp=icmp_type, id=icmp_id)
                self.assertEqual(len(packets), 1)
                self.assert_delivered(packets[0], way(nodes.pod1, nodes.pod3))


class Explained(NodeTest):
    PORTS, ROUNDS, SECONDS = 50, 2000, 10

    def test_a_flood_of_fifty_kinds_of_drops(self):
        """100,000 drops in ten seconds: all are explained, by few look-ups, no event is lost, memory does not grow."""
        nodes = topology()
        ports = [support.new_port() for _ in range(self.PORTS)]
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        # Into a file: a slow reader of a pipe would hold dptrace up.
        with open(folder / "out", "w+") as out:
            trace = subprocess.Popen(
                ["ip", "netns", "exec", nodes.n1, support.DPTRACE, "--pod-ip", nodes.pod1.ip, "--protocol", "udp",
                 "--ring-size", "64M", "-o", "json", "--ready-file", str(folder / "ready")],
                stdout=out, stderr=subprocess.DEVNULL,
            )
            try:
                support.wait_until((folder / "ready").exists, "dptrace's ready file")
                with support.udp_socket(nodes.pod1) as client:
                    begun, memory = time.monotonic(), []
                    for i in range(self.ROUNDS):
                        for port in ports:
                            with contextlib.suppress(ConnectionRefusedError):
                                client.sendto(b"anybody?", (nodes.pod2.ip, port))
                        time.sleep(max(0, begun + (i + 1) * self.SECONDS / self.ROUNDS - time.monotonic()))
                        if i % (self.ROUNDS // 20) == 0:
                            memory.append(support.resident_kib(trace.pid))
                    took = time.monotonic() - begun
            finally:
                trace.send_signal(signal.SIGINT)
                self.assertEqual(trace.wait(support.TIMEOUT), 0)
            out.seek(0)
            causes = Counter()
            for told in map(json.loads, out):
                if told["type"] == "packet":
                    causes[told["drop"].get("cause"), told["flow"]["destination"]["port"]] += 1
        self.assert_nothing_lost(told)
        self.assertEqual(causes, Counter({("no-listener", port): self.ROUNDS for port in ports}))
        # What one burst needs is there after a fifth of the time.
        self.assertLess(max(memory[4:]), 1.25 * max(memory[:4]), memory)


class UnrelatedTraffic(NodeTest):
    def test_one_ping_beside_a_flood(self):
        """Nothing of the others' packets is shown or takes room in the ring, nothing of ours is lost."""
        nodes = topology()
        with Trace("--pod-ip", nodes.pod1.ip) as trace:
            with support.flood(nodes.pod2, nodes.pod4, seconds=1) as sent:
                ids = [ping(nodes.pod1, nodes.pod3.ip) for _ in range(3)]
                count = sent()
            packets = trace.wait_for(6, protocol="icmp")
            summary = trace.stop()
        self.assertGreater(count, 1000)
        self.assertEqual(len(trace.packets), 6)
        for packet in packets:
            self.assertIn(packet["flow"]["icmp"]["id"], ids)
            way = nodes.request if packet["flow"]["icmp"]["type"] == 8 else nodes.reply
            self.assert_delivered(packet, way(nodes.pod1, nodes.pod3))
        self.assert_nothing_lost(summary)
        self.assertLess(summary["events"], 6 * 50, "events of the flood reached the ring")


EVENT_LOST, CHUNK_EVENTS = 6, 3


def events_of(path):
    """The records of a recording, by their kind: of losses (time, since, records)."""
    data = pathlib.Path(path).read_bytes()
    at = 16
    while at < len(data):
        chunk, length, _ = struct.unpack_from("III", data, at)
        at += 12
        position, end = at, at + length
        while chunk == CHUNK_EVENTS and position < end:
            kind, size, _, time_ns = struct.unpack_from("HHIQ", data, position)
            yield kind, (time_ns, *struct.unpack_from("QQ", data, position + 16)) if kind == EVENT_LOST else None
            position += size
        at = end


class SmallestRing(NodeTest):
    """What does not fit is counted, to the last event."""

    COUNT = 2000 if support.IN_VM else 20000

    def trace_datagrams(self, count, *options):
        """So many from pod1, each ended by forwarding being off; returns the summary."""
        nodes = topology()
        with sysctl(nodes.n1, "net/ipv4/conf/cni0/forwarding", 0):
            with Trace("--pod-ip", nodes.pod1.ip, "--protocol", "udp", *options) as trace:
                with support.udp_socket(nodes.pod1) as client:
                    client.connect((nodes.pod3.ip, support.new_port()))
                    for _ in range(count):
                        client.send(b"lost, and all of it counted")
                summary = trace.stop()
        return summary, trace

    def test_loss_is_counted_exactly(self):
        one, _ = self.trace_datagrams(1)
        eleven, _ = self.trace_datagrams(11)
        for summary, count in ((one, 1), (eleven, 11)):
            self.assert_nothing_lost(summary)
            self.assertEqual((summary["packets"], summary["dropped"]), (count, count))
        per_packet, remainder = divmod(eleven["events"] - one["events"], 10)
        self.assertEqual(remainder, 0)
        besides = one["events"] - per_packet
        dropped_before = backlog_drops()
        flood, trace = self.trace_datagrams(self.COUNT, "--ring-size", "4K")
        self.assertEqual(backlog_drops(), dropped_before, "the kernel lost packets itself: this run proves nothing")
        self.assertGreater(flood["events_lost"], 0, "the ring was large enough after all")
        self.assertEqual(flood["events"] + flood["events_lost"], self.COUNT * per_packet + besides)
        self.assertLessEqual(flood["packets"], self.COUNT)
        self.assertRegex(trace.stderr(), "(?i)lost.*--ring-size", "a warning says so while it happens")

    def test_a_recording_says_when(self):
        """The reader is stopped while packets come: the recording has the losses, and they add up."""
        nodes = topology()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "recording")
            with Trace("--pod-ip", nodes.pod1.ip, "--ring-size", "64K", "-w", path) as trace:
                before = time.monotonic_ns()
                trace.process.send_signal(signal.SIGSTOP)
                with support.udp_socket(nodes.pod1) as client:
                    client.connect((nodes.pod3.ip, support.new_port()))
                    for _ in range(2000):
                        with contextlib.suppress(ConnectionRefusedError):
                            client.send(b"nobody listens, and nobody reads")
                stopped = time.monotonic_ns()
                trace.process.send_signal(signal.SIGCONT)
                summary = trace.stop()
            losses = [loss for kind, loss in events_of(path) if kind == EVENT_LOST]
            shown = support.dptrace("show", path, "-o", "json", check=True).stdout.splitlines()
        self.assertGreater(summary["events_lost"], 0, "the ring was large enough after all")
        self.assertEqual(sum(records for _, _, records in losses), summary["events_lost"])
        self.assertEqual(json.loads(shown[-1]), summary)
        for time_ns, since_ns, records in losses:
            self.assertGreater(records, 0)
            self.assertLessEqual(since_ns, time_ns)
        # Between them lies all of the time in which something was lost, which is while the reader stood.
        self.assertLess(losses[0][1], stopped)
        self.assertGreater(losses[-1][0], before)

    def test_no_event_is_lost_with_the_default(self):
        count = 500
        summary, _ = self.trace_datagrams(count)
        self.assert_nothing_lost(summary)
        self.assertEqual((summary["packets"], summary["dropped"]), (count, count))


if __name__ == "__main__":
    unittest.main()
