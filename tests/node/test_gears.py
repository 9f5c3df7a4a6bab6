"""On a busy node costly probes are let go of while nothing is followed: what passes meanwhile says so."""

import contextlib
import subprocess
import unittest

import support
from support import NodeTest, Trace, changed, ping, run, topology

WATCHING = {"dptrace_receive", "dptrace_xmit"}
COSTLY = {"dptrace_consume", "dptrace_sock", "dptrace_sock_w"}
# Programs on functions cannot be attached again before.
if support.KERNEL >= (5, 13):
    COSTLY |= {"dptrace_nf_slow", "dptrace_ipsec"}
NO_POD = "198.51.100.1"


# The probes of hook functions and of rules have a gear of their own; the one that sees rules replaced stays.
DECIDING = ("dptrace_hook", "dptrace_nft", "dptrace_ipt", "dptrace_ip6t")
APART = (*DECIDING, "dptrace_xt_repl")


def held(trace):
    return {name for name in support.attached_programs(trace.process.pid) if not name.startswith(APART)}


@contextlib.contextmanager
def busy(nodes):
    """Others keep the node as busy as the traces are told."""
    with subprocess.Popen(["ip", "netns", "exec", nodes.pod2.netns, "ping", "-q", "-i", "0.05", nodes.pod3.ip],
                          stdout=subprocess.DEVNULL) as flood:
        try:
            yield
        finally:
            flood.terminate()


def wait_until_gone(trace, programs):
    support.wait_until(lambda: not held(trace) & programs, f"{sorted(programs)} to go", timeout=90)


class Gears(NodeTest):
    def assert_not_armed(self, packet):
        self.assertEqual((packet["complete"], packet["incomplete_because"]), (False, "not-armed"))

    def test_quiet_then_followed(self):
        """One of the addresses is no pod's of the node: devices are watched all the time."""
        nodes = topology()
        with Trace("--pod-ip", nodes.pod1.ip, "--pod-ip", NO_POD, "--busy-rate", "1") as trace:
            first = held(trace)
            self.assertIn("dptrace_consume", first)
            with busy(nodes):
                wait_until_gone(trace, COSTLY)
                self.assertLessEqual({"dptrace_free"} | WATCHING, held(trace))
                self.assertEqual(support.attached(nodes.n1, "eth0"), (0, 0))

                icmp_id = ping(nodes.pod1, nodes.pod3.ip)
                packet = trace.packet(icmp=8, id=icmp_id)
                self.assert_not_armed(packet)
                self.assertNotEqual(packet["verdict"], "dropped")
                support.wait_until(lambda: held(trace) == first, "all probes to be back")

                icmp_id = ping(nodes.pod1, nodes.pod3.ip)
                packet = trace.packet(icmp=8, id=icmp_id)
                self.assert_delivered(packet, nodes.request(nodes.pod1, nodes.pod3))
                self.assertNotIn("complete", packet)
            self.assert_nothing_lost(trace.stop())

    @unittest.skipUnless(support.HAS_TCX, "without tcx devices are watched all the time")
    def test_doorbells(self):
        """The device of the asked-for pod rings; so do a drop and the pod's end."""
        nodes = topology()
        with contextlib.ExitStack() as stack:
            unreached, brief, fading = (stack.enter_context(nodes.pod(1, name)) for name in ("unreached", "brief", "fading"))
            pods = (nodes.pod1, unreached, brief, fading)
            traces = [stack.enter_context(Trace("--pod-ip", pod.ip, "--busy-rate", "1")) for pod in pods]
            first = [held(trace) for trace in traces]
            stack.enter_context(busy(nodes))
            for trace, pod in zip(traces, pods):
                # Waited for at once: between two peeks there may be little time on a slow machine.
                lowest = {"dptrace_free", "dptrace_l2_in", "dptrace_l2_out"}
                support.wait_until(lambda: {name.removesuffix("_w") for name in held(trace)} == lowest, "the lowest gear", timeout=90)
                self.assertEqual(support.attached(nodes.n1, pod.veth), (1, 1))
            self.assertEqual(support.attached(nodes.n1, "eth0"), (0, 0))
            for trace in traces:
                support.wait_until(lambda: WATCHING <= held(trace), "a peek at all devices")
                wait_until_gone(trace, WATCHING)
                self.assertFalse(held(trace) & COSTLY)

            def assert_back(number, again=lambda: None):
                """`again`: another packet; after half a minute without one they would be gone again."""

                def are_back():
                    again()
                    return held(traces[number]) == first[number]

                support.wait_until(
                    are_back,
                    lambda: f"all probes of trace {number} to be back, also {first[number] ^ held(traces[number])}",
                )

            icmp_id = ping(nodes.pod1, nodes.pod3.ip)
            self.assert_not_armed(traces[0].packet(icmp=8, id=icmp_id))
            assert_back(0, lambda: ping(nodes.pod1, nodes.pod3.ip))
            icmp_id = ping(nodes.pod1, nodes.pod3.ip)
            packet = traces[0].packet(icmp=8, id=icmp_id)
            self.assert_delivered(packet, nodes.request(nodes.pod1, nodes.pod3))
            self.assertNotIn("complete", packet)

            rule = f"FORWARD -d {unreached.ip} -j DROP"
            with changed(nodes.n1, f"iptables-nft -I {rule}", f"iptables-nft -D {rule}"):
                icmp_id = ping(nodes.pod3, unreached.ip, expect_reply=False)
                packet = traces[1].packet(icmp=8, id=icmp_id)
                self.assertEqual(packet["verdict"], "dropped")
                self.assert_not_armed(packet)
                assert_back(1, lambda: ping(nodes.pod3, unreached.ip, expect_reply=False))
            nodes.end_pod(brief)
            # A pod that takes its time to end has no address any more while its device is still there.
            support.run("ip", "-n", fading.netns, "address", "flush", "dev", "eth0")
            for number in (2, 3):
                assert_back(number)
            for trace in traces:
                self.assert_nothing_lost(trace.stop())

    def flood(self, source, target):
        """Others keep the node as busy as it is said to be."""
        return subprocess.Popen(["ip", "netns", "exec", source.netns, "ping", "-q", "-i", "0.05", target.ip],
                                stdout=subprocess.DEVNULL)

    def dropped_request(self, trace, nodes, command):
        """The packet, and the function that is told to have dropped it."""
        rule = f"FORWARD -s {nodes.pod1.ip} -d {nodes.pod3.ip} -j DROP"
        with support.changed(nodes.n1, f"{command} -I {rule}", f"{command} -D {rule}"):
            packet = trace.packet(icmp=8, id=ping(nodes.pod1, nodes.pod3.ip, expect_reply=False))
        self.assertEqual(packet["verdict"], "dropped")
        hop, = (hop for hop in packet["hops"] if hop.get("netfilter", {}).get("verdict") == "drop")
        return packet, support.function_of(hop.get("function", ""))

    def test_hook_functions(self):
        """While packets are followed and none is dropped by netfilter, hook functions and rules are not probed. Which of
        them dropped the first one may not be known, of the next one it is. The function that the stack of a drop names
        is named all the same."""
        support.require("netfilter hops")
        support.require("iptables-legacy")
        if support.KERNEL < (5, 13):
            self.skipTest("programs on functions cannot be attached again here: they stay")
        nodes = topology()

        def probed():
            return {name for name in support.attached_programs(trace.process.pid) if name.startswith(DECIDING)}

        def assert_not_armed(packet):
            self.assertEqual((packet["complete"], packet["incomplete_because"]), (False, "not-armed"))
            self.assertNotIn("rule", packet["drop"])

        with Trace("--pod-ip", nodes.pod1.ip, "--busy-rate", "1") as trace, self.flood(nodes.pod1, nodes.pod2) as flood:
            try:
                first = probed()
                self.assertTrue(first)
                support.wait_until(lambda: not probed(), "the probes of hook functions to go", timeout=90)
                self.assertIn("dptrace_nf_slow", support.attached_programs(trace.process.pid))

                if support.KERNEL >= (5, 17):
                    packet, function = self.dropped_request(trace, nodes, "iptables-nft")
                    self.assertEqual(function, "nft_do_chain_ipv4")
                    assert_not_armed(packet)
                    support.wait_until(lambda: probed() == first, "the probes to be back")
                    support.wait_until(lambda: not probed(), "the probes to go again", timeout=90)

                packet, function = self.dropped_request(trace, nodes, "iptables-legacy")
                self.assertEqual(function, "")
                assert_not_armed(packet)
                support.wait_until(lambda: probed() == first, "the probes to be back")

                for tool, by in (("iptables-legacy", "ipt_do_table"), ("iptables-nft", "nft_do_chain_ipv4")):
                    packet, function = self.dropped_request(trace, nodes, tool)
                    self.assertEqual(function, by)
                    self.assertNotIn("complete", packet)
                    self.assertEqual(packet["drop"]["rule"]["table"], "filter")
            finally:
                flood.terminate()
            self.assert_nothing_lost(trace.stop())

    def test_armed(self):
        """Asked to keep them, and to be busy at a rate of its own: one of both."""
        done = run(support.DPTRACE, "--pod-ip", "10.0.0.1", "--armed", "--busy-rate", "5", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--armed", done.stderr)


if __name__ == "__main__":
    unittest.main()
