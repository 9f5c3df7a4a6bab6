"""Probes that this process or kernel is refused, one by one: each costs its facts, never the trace."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import unittest

import support
from support import NodeTest, Trace, in_netns, ping, run, topology

TRACING_ALONE = ["setpriv", "--bounding-set=-all,+bpf,+perfmon,+syslog", "--inh-caps=-all"]


def probes(*prefix, netns=None):
    """What `dptrace check` says of each probe, by name, and its exit status."""
    done = in_netns(netns or topology().n1, *prefix, support.DPTRACE, "check", "-o", "json", check=False)
    checks = {check["name"].split(" ")[0]: check for check in json.loads(done.stdout)["checks"]}
    return checks, done.returncode


class Refused(NodeTest):
    def crossings_of_ping(self, trace):
        nodes = topology()
        icmp_id = ping(nodes.pod1, nodes.pod3.ip)
        packet = trace.packet(icmp=8, id=icmp_id)
        return packet, nodes.request(nodes.pod1, nodes.pod3)

    def test_no_tc(self):
        """Without CAP_NET_ADMIN: the tracepoints tell the crossings of the node's devices, of each the same one."""
        nodes = topology()
        checks, status = probes(*TRACING_ALONE)
        self.assertEqual(status, 0, checks)
        self.assertEqual(checks["tc"]["state"], "missing")
        self.assertIn("capability", checks["tc"]["remedy"])
        self.assertEqual(checks["socket"]["state"], "missing")
        for name in ("kfree_skb", "consume_skb", "netif_receive_skb", "net_dev_start_xmit"):
            self.assertEqual(checks[name]["state"], "ok", checks[name])
        # Without tcx the devices get programs only where they are asked for.
        asked_for = () if support.HAS_TCX else ("--interface", "*")
        with Trace("--pod-ip", nodes.pod1.ip, *asked_for, prefix=TRACING_ALONE) as trace:
            self.assertIn("devices of this network namespace, before their queues", trace.stderr())
            packet, way = self.crossings_of_ping(trace)
            seen = [hop["point"] + " " + hop["interface"]["name"] for hop in packet["hops"] if hop["point"] != "netfilter"]
            self.assertEqual(seen[: len(way) - 1], [hop.split("@")[0] for hop in way[:-1]])
            self.assert_nothing_lost(trace.stop())

    def test_all_of_a_kind_refused(self):
        """No classifier at all: the module is not there and may not be loaded."""
        if support.HAS_TCX or not support.IN_VM:
            self.skipTest("clsact before 6.6, in a guest")
        nodes = topology()
        with without_module("cls_bpf"):
            checks, status = probes()
            self.assertEqual((checks["tc"]["state"], status), ("missing", 0), checks["tc"])
            with Trace("--pod-ip", nodes.pod1.ip) as trace:
                packet, way = self.crossings_of_ping(trace)
                self.assert_delivered(packet, way)
                self.assert_nothing_lost(trace.stop())
        self.assertEqual(support.traces_left(nodes.n1), [])

    def test_one_device_goes_while_others_are_attached(self):
        """Devices come and go all the time, also while they are being attached to."""
        nodes = topology()
        with tempfile.TemporaryDirectory() as folder:
            stop = os.path.join(folder, "stop")
            flicker = """
                while [ ! -e "$1" ]; do
                  ip link add flicker0 type veth peer name flicker1 && ip link set flicker0 up && ip link del flicker0
                done"""
            with subprocess.Popen(["ip", "netns", "exec", nodes.n1, "sh", "-c", flicker, "sh", stop]) as process:
                try:
                    for _ in range(1 if support.IN_VM else 5):
                        with Trace("--pod-ip", nodes.pod1.ip, "--interface", "flicker*") as trace:
                            icmp_id = ping(nodes.pod1, nodes.pod3.ip)
                            packet = trace.packet(icmp=8, id=icmp_id)
                            self.assert_delivered(packet, nodes.request(nodes.pod1, nodes.pod3))
                            trace.stop()
                            self.assertNotIn("flicker0", trace.stderr())
                finally:
                    open(stop, "w").close()
                    process.wait(support.TIMEOUT)

    def test_nothing_to_be_seen(self):
        """Then it says so instead of waiting for ever."""
        nothing = ["setpriv", "--bounding-set=-all,+bpf,+net_admin", "--inh-caps=-all"]
        done = in_netns(topology().n1, *nothing, support.DPTRACE, "--pod-ip", "10.244.1.3", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("CAP_PERFMON", done.stderr)

    def test_device_with_the_number_of_one_that_is_gone(self):
        """It has no programs, until it is given its own."""
        nodes = topology()
        with contextlib.ExitStack() as stack:
            stack.callback(in_netns, nodes.n1, "ip", "link", "del", "again0", check=False)
            make = """link add again0 index 7777 type veth peer name again1
                      link set again1 up
                      link set again0 up
                      address add 10.98.0.1/24 dev again0
                   """
            renew = f"link del again0\n{make}neigh add 10.98.0.2 lladdr 02:00:00:00:00:02 dev again0\n"
            in_netns(nodes.n1, "ip", "-batch", "-", input=make)
            trace = stack.enter_context(Trace("--pod-ip", "10.98.0.2", "--interface", "again*"))
            support.wait_until(lambda: support.attached(nodes.n1, "again0") == (1, 1), "programs on the device")
            # Both changes are one piece of news.
            trace.process.send_signal(signal.SIGSTOP)
            in_netns(nodes.n1, "ip", "-batch", "-", input=renew)
            trace.process.send_signal(signal.SIGCONT)
            support.wait_until(lambda: support.attached(nodes.n1, "again0") == (1, 1), "programs on the new device")
            node = type("Node", (), {"netns": nodes.n1})
            icmp_id = ping(node, "10.98.0.2", expect_reply=False)
            points = support.points(trace.packet(icmp=8, id=icmp_id))
            self.assertEqual(points[:2], ["tc-egress again0@n1", "tc-ingress again1@n1"])
            trace.stop()


@contextlib.contextmanager
def without_module(name):
    """Not loaded, and the kernel finds no loader to load it by."""
    run("modprobe", "-r", name, check=False)
    loader = "/proc/sys/kernel/modprobe"
    with open(loader) as file:
        before = file.read()
    with open(loader, "w") as file:
        file.write("/bin/false")
    try:
        yield
    finally:
        with open(loader, "w") as file:
            file.write(before)


if __name__ == "__main__":
    unittest.main()
