"""HTTP between pods and node, with every way to end a connection in good order: nothing is lost, and nobody is told so.

DPTRACE_PROBES: seconds of probes (default 20, in a guest 5).
"""

import contextlib
import os
import time
import unittest

import support
from support import IN_VM, HttpServer, NodeTest, Trace, Watch, describe, probe, topology, watchdog

SECONDS = float(os.environ.get("DPTRACE_PROBES", 5 if IN_VM else 20))


class Probes(NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()

    @contextlib.contextmanager
    def ways(self):
        """Yields (from, server, at): kubelet to pod, pod to pod, across nodes, pod to node, by a service, to oneself."""
        nodes = self.nodes
        pod1, pod2, pod3 = nodes.pod1, nodes.pod2, nodes.pod3
        with contextlib.ExitStack() as stack:
            def serve(netns, address, port=0):
                return stack.enter_context(HttpServer(netns, address, port))

            near, far = serve(pod2.netns, pod2.ip), serve(pod3.netns, pod3.ip)
            near6, node = serve(pod2.netns, pod2.ip6), serve(nodes.n1, "10.244.19.1")
            yield [
                (nodes.n1, near, None), (pod1.netns, near, None), (pod1.netns, far, None), (nodes.n1, near6, None),
                (pod1.netns, near6, None), (pod1.netns, node, None), (nodes.n1, serve(nodes.n1, "127.0.0.1"), None),
                (pod1.netns, serve(pod1.netns, "127.0.0.1"), None),
            ]

    def probe_for(self, seconds):
        """Returns how many rounds there were."""
        end, rounds = time.monotonic() + seconds, 0
        with self.ways() as ways:
            while not rounds or time.monotonic() < end:
                watchdog.arm()  # each round anew: the long form takes longer than a case may
                for netns, server, at in ways:
                    probe(netns, server, at)
                rounds += 1
        return rounds

    def test_no_loss_is_counted(self):
        with Watch("--interval", "200ms", "--protocol", "tcp", "--all") as watch:
            self.probe_for(SECONDS)
            watch.stop()
        self.assertEqual([row for row in watch.rows() if row["loss"]], [])
        # That the probes met what is freed without being lost.
        self.assertGreater(watch.count(loss=False), 0, watch.state())
        unnamed = [row for row in watch.rows() if "name" not in row["interface"]]
        self.assertEqual(unnamed, [])

    def test_no_packet_is_told_as_dropped(self):
        # Two, as older kernels take long to load programs for many: most ways are one's.
        pods = "--pod-ip", self.nodes.pod1.ip, "--pod-ip", self.nodes.pod2.ip6
        with Trace(*pods, "--protocol", "tcp", "--ring-size", "64M", "--drops-only") as trace:
            self.probe_for(SECONDS)
            summary = trace.stop()
        self.assertGreater(summary["events"], 0)
        dropped = [describe(packet) for packet in trace.packets if packet["verdict"] == "dropped"]
        self.assertEqual(dropped, [])


if __name__ == "__main__":
    unittest.main()
