"""Kernel modules that are loaded while dptrace runs: their functions have names from the first drop on."""

import pathlib
import unittest

import support
from support import NodeTest, Trace, Watch, in_netns, ping, run, topology

MODULE, FUNCTION = "ipip", "ipip_tunnel_xmit"
NOBODY = "fe80::77"


def is_loaded():
    modules = pathlib.Path("/proc/modules")  # not of a kernel without modules
    return modules.exists() and any(line.split()[0] == MODULE for line in modules.read_text().splitlines())


class LateModule(NodeTest):
    """The device loads its module; what is not IPv4 is dropped in it."""

    def setUp(self):
        run("modprobe", "-r", MODULE, check=False)
        if is_loaded() or run("modprobe", "--dry-run", MODULE, check=False).returncode:
            self.skipTest(f"{MODULE} is no module here, or is in use")
        self.n1 = topology().n1
        self.addCleanup(in_netns, self.n1, "ip", "link", "del", "late0", check=False)

    def drop_in_module(self):
        ends = "local 192.168.56.11 remote 192.168.56.12".split()
        in_netns(self.n1, "ip", "link", "add", "late0", "type", "ipip", *ends)
        in_netns(self.n1, "ip", "link", "set", "late0", "up")
        self.assertTrue(is_loaded())
        node = type("Node", (), {"netns": self.n1})
        return ping(node, f"{NOBODY}%late0", family=6, expect_reply=False)

    def test_drops(self):
        with Watch("--interval", "200ms", "--all", "--pod-ip", NOBODY) as watch:
            self.drop_in_module()
            watch.wait_for_count(1)
            watch.stop()
        for row in watch.rows():
            self.assertEqual(support.function_of(row["location"]), FUNCTION, row)

    def test_trace(self):
        with Trace("--pod-ip", NOBODY) as trace:
            icmp_id = self.drop_in_module()
            drop = trace.packet(icmp=128, id=icmp_id)["drop"]
            trace.stop()
        self.assertEqual(support.function_of(drop["location"]), FUNCTION, drop)


if __name__ == "__main__":
    unittest.main()
