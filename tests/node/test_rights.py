"""With fewer capabilities: what is told is true, or refused by the name of what is missing."""

import itertools
import unittest

import support
from support import NodeTest, Trace, Watch, in_netns, ping, topology

CAPABILITIES = "bpf", "perfmon", "net_admin", "sys_admin", "sys_ptrace", "syslog"


def with_only(capabilities):
    bounding = ",".join(["-all", *(f"+{capability}" for capability in capabilities)])
    return ["setpriv", f"--bounding-set={bounding}", "--inh-caps=-all"]


class FewerCapabilities(NodeTest):
    def subsets(self):
        for size in range(len(CAPABILITIES)):
            yield from itertools.combinations(CAPABILITIES, size)

    def assert_refused_by_name(self, done, capabilities):
        """Nothing was begun, and what is asked for is what is missing."""
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        named = [name for name in CAPABILITIES if f"CAP_{name.upper()}" in done.stderr]
        self.assertTrue(named, done.stderr)
        self.assertEqual([name for name in named if name in capabilities], [], done.stderr)

    def test_every_subset(self):
        """A good ping is never a drop, a lost one never delivered, whatever cannot be seen."""
        nodes = topology()
        started = set()
        for capabilities in self.subsets():
            with self.subTest(capabilities=capabilities):
                support.watchdog.arm()
                prefix = with_only(capabilities)
                once = "--pod-ip", nodes.pod1.ip, "--duration", "1ms"
                done = in_netns(nodes.n1, *prefix, support.DPTRACE, *once, check=False)
                if done.returncode != 0:
                    self.assert_refused_by_name(done, capabilities)
                    continue
                started.add(capabilities)
                self.check_a_trace(prefix)
                self.check_a_watch(prefix)
        self.assertIn(("bpf", "perfmon", "syslog"), started, "as dptrace(8) has it")

    def check_a_trace(self, prefix):
        nodes = topology()
        with Trace("--pod-ip", nodes.pod1.ip, prefix=prefix) as trace:
            icmp_id = ping(nodes.pod1, nodes.pod2.ip)
            request = trace.packet(icmp=8, id=icmp_id)
            port = support.new_port()
            with support.udp_socket(nodes.pod1) as client:
                client.sendto(b"anybody?", (nodes.pod2.ip, port))
            summary = trace.stop()
        packets = request, trace.packet(icmp=0, id=icmp_id)
        self.assertLessEqual({packet["verdict"] for packet in packets}, {"delivered", "unfinished"}, trace.state())
        lost = [packet["verdict"] for packet in trace.found(protocol="udp", destination=nodes.pod2.ip)]
        self.assertEqual(lost, ["dropped"], trace.state())
        self.assertEqual(summary["dropped"], 1, trace.state())

    def check_a_watch(self, prefix):
        nodes = topology()
        with Watch("--interval", "100ms", "--pod-ip", nodes.pod1.ip, "--protocol", "icmp", prefix=prefix) as watch:
            ping(nodes.pod1, nodes.pod2.ip)
            watch.stop()
        self.assertEqual([row for row in watch.rows() if row["loss"]], [], watch.state())

    def test_ping_is_no_drop_without_word_of_sockets(self):
        """Without CAP_SYS_ADMIN nobody tells which packets sockets take."""
        nodes = topology()
        without = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
        with Trace("--pod-ip", nodes.pod1.ip, prefix=without) as trace:
            icmp_id = ping(nodes.pod1, nodes.pod2.ip)
            request = trace.packet(icmp=8, id=icmp_id)
            summary = trace.stop()
            self.assertIn("which packets a TCP, UDP or raw socket took", trace.stderr())
        reply = trace.packet(icmp=0, id=icmp_id)
        self.assertEqual(request["verdict"], "delivered")
        self.assertEqual(reply["verdict"], "unfinished")
        self.assertEqual(summary["dropped"], 0)


if __name__ == "__main__":
    unittest.main()
