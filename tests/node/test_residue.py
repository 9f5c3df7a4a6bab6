"""What a dptrace leaves that is killed together with the process that cleans up after it: the next one removes it, and
nothing else."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import unittest

import support
from support import NodeTest, Trace, dptrace, in_netns, network_namespace, topology

MANY = ["many0", "many1", "many2"]
MARK = 0x64707472
DEAD_OWNER = 4711
NETLINK_NETFILTER = 12


class Residue(NodeTest):
    def setUp(self):
        self.node = topology().n1
        pair = "link add {0} group 78 type veth peer name {0}p\n"
        in_netns(self.node, "ip", "-batch", "-", input="".join(map(pair.format, MANY)))
        self.addCleanup(in_netns, self.node, "ip", "link", "del", "group", "78")

    def clsacts(self):
        """Devices of the case that have one."""
        shown = json.loads(in_netns(self.node, "tc", "-j", "qdisc", "show").stdout)
        return sorted(one["dev"] for one in shown if one["kind"] == "clsact" and one["dev"].startswith("many"))

    def ingress(self, device):
        return [one for one in json.loads(in_netns(self.node, "tc", "-j", "filter", "show", "dev", device, "ingress").stdout)
                if "options" in one]

    @contextlib.contextmanager
    def trace(self):
        with Trace("--pod-ip", topology().pod1.ip, "--interface", "many*") as trace:
            yield trace

    def leave_filters(self):
        """As when a whole cgroup is killed. tcx leaves none."""
        support.require(support.CLSACT)
        with self.trace() as trace:
            children = pathlib.Path(f"/proc/{trace.process.pid}/task/{trace.process.pid}/children").read_text().split()
            self.assertTrue(children, "a process waits to clean up")
            for child in children:
                os.kill(int(child), signal.SIGKILL)
            trace.kill()
        self.assertTrue(self.ingress("many0"), "filters are left")

    def leave_empty_qdisc(self, device):
        """As when it was killed before the first filter came."""
        in_netns(self.node, "tc", "qdisc", "add", "dev", device, "stab", "overhead", str(MARK), "mpu", str(DEAD_OWNER), "clsact")

    def make_own_qdisc(self):
        in_netns(self.node, "tc", "qdisc", "add", "dev", "many1p", "clsact")
        self.addCleanup(in_netns, self.node, "tc", "qdisc", "del", "dev", "many1p", "clsact")

    def start_elsewhere(self):
        with Trace("--pod-ip", topology().pod1.ip, "--interface", "lo") as trace:
            trace.stop()

    def test_removed_by_the_next_start(self):
        self.make_own_qdisc()
        self.leave_filters()
        self.start_elsewhere()
        self.assertEqual(self.clsacts(), ["many1p"], "the user's own stays")

    def test_empty_qdisc_is_removed_by_the_next_start(self):
        self.make_own_qdisc()
        self.leave_empty_qdisc("many2p")
        self.start_elsewhere()
        self.assertEqual(self.clsacts(), ["many1p"])

    def test_empty_qdisc_is_removed_by_a_drop_watch(self):
        self.make_own_qdisc()
        self.leave_empty_qdisc("many2p")
        dptrace("drops", "--once", "--interval", "100ms", netns=self.node, check=True)
        self.assertEqual(self.clsacts(), ["many1p"])

    def test_removed_by_check_clean(self):
        self.make_own_qdisc()
        self.leave_empty_qdisc("many2p")
        dptrace("check", "--clean", netns=self.node, check=True)
        self.assertEqual(self.clsacts(), ["many1p"])

    def test_nobody_can_speak_for_the_dead(self):
        """Whatever of its names an unprivileged process takes."""
        self.leave_filters()
        owner = int(str(self.ingress("many0")[0]["options"]["handle"]), 16) & 0x3FFFFFFF
        with network_namespace(self.node):
            impostor = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
            name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with impostor, name:
            impostor.bind((owner, 0))  # with a group it would take CAP_NET_ADMIN
            name.bind(f"\0dptrace-clsact-{owner:08x}")
            dptrace("check", "--clean", netns=self.node, check=True)
        self.assertEqual(self.clsacts(), [])

    def test_of_the_living_nothing_is_removed(self):
        support.require(support.CLSACT)
        with self.trace() as trace:
            before = self.clsacts()
            self.assertTrue(before)
            dptrace("check", "--clean", netns=self.node, check=True)
            self.assertEqual(self.clsacts(), before)
            self.assertTrue(self.ingress("many0"))
            trace.stop()
        self.assertEqual(self.clsacts(), [])

    def test_devices_that_come_late_are_gone_at_once(self):
        """However many: each tcx link would wait for a grace period under the lock that `ip link` needs."""
        support.require(support.TCX)
        in_netns(self.node, "ip", "link", "del", "group", "78")
        late = [f"late{number}" for number in range(40)]
        with Trace("--pod-ip", topology().pod1.ip, "--interface", "late*") as trace:
            pair = "link add {0} group 78 type veth peer name {0}p\n"
            in_netns(self.node, "ip", "-batch", "-", input="".join(map(pair.format, late)))
            ends = [end for name in late for end in (name, name + "p")]
            support.wait_until(
                lambda: sum(support.attached(self.node, end) == (1, 1) for end in ends) == 2, "programs on a few of them"
            )
            support.ping(topology().pod1, topology().pod2.ip)  # whatever is still to come
            self.assertEqual(sum(any(support.attached(self.node, end)) for end in ends), 2)
            trace.stop()
        self.assertEqual(support.traces_left(self.node), [])


if __name__ == "__main__":
    unittest.main()
