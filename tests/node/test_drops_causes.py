"""Why packets of a kind died, in `dptrace drops`: proved by the node's state, with the command that mends it."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import support
from support import NodeTest, Watch, changed, in_netns, metrics, ping, sysctl, topology
from support.packets import matches

BEYOND = "10.99.1.1"  # nobody has it


class WatchTest(NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1, cls.pod2, cls.pod3 = cls.nodes.pod1, cls.nodes.pod2, cls.nodes.pod3

    def watch(self, *options):
        return self.enterContext(Watch("--interval", "200ms", *options))

    def row(self, watch, **sample):
        """The newest record of a kind with such a packet."""

        def found():
            rows = (row for row in watch.rows() if "flow" in row.get("sample", {}))
            return next((row for row in rows if matches(row["sample"], **sample)), None)

        return support.wait_until(found, lambda: f"{sample} ({watch.state()})")

    def dropped_request(self, watch, address, *options, source=None):
        icmp_id = ping(source or self.pod1, address, *options, expect_reply=False)
        return self.row(watch, icmp=8, id=icmp_id)

    def assert_cause(self, row, cause, *evidence, fix=()):
        """`evidence` and `fix`: patterns of all of them, in order."""
        self.assertEqual(row.get("cause"), cause, row)
        self.assertTrue(row["explanation"], row)
        for told, patterns in ((row.get("evidence", []), evidence), (row.get("fix", []), fix)):
            self.assertEqual(len(told), len(patterns), row)
            for text, pattern in zip(told, patterns):
                self.assertRegex(text, pattern)

    def mend(self, row):
        """What a person does on the node: pastes the command into a shell."""
        self.assertTrue(row.get("fix"), row)
        for command in row["fix"]:
            in_netns(self.nodes.n1, "sh", "-c", command)


class Causes(WatchTest):
    """Each has an answer in the record that counts its first packet."""

    def test_forwarding_off(self):
        watch = self.watch("--pod-ip", self.pod1.ip)
        with sysctl(self.nodes.n1, "net/ipv4/conf/cni0/forwarding", 0):
            row = self.dropped_request(watch, self.pod3.ip)
            self.assert_cause(row, "forwarding-disabled", r"^net\.ipv4\.conf\.cni0\.forwarding = 0$",
                              fix=[r"^sysctl -w net\.ipv4\.conf\.cni0\.forwarding=1$"])
            self.assertIn("cni0 does not forward", row["explanation"])
            self.mend(row)
            ping(self.pod1, self.pod3.ip)
        watch.stop()

    def test_for_another_netns(self):
        watch = self.watch("--pod-ip", self.pod1.ip)
        with sysctl(self.nodes.n2, "net/ipv4/conf/flannel.1/forwarding", 0):
            row = self.dropped_request(watch, self.pod3.ip)
            self.assert_cause(row, "forwarding-disabled", "flannel.1/forwarding = 0$",
                              fix=[f"^ip netns exec {self.nodes.n2} sysctl -w net/ipv4/conf/flannel.1/forwarding=1$"])
            self.mend(row)
            ping(self.pod1, self.pod3.ip)
        watch.stop()

    def test_nothing_listens(self):
        watch = self.watch("--pod-ip", self.pod2.ip, "--protocol", "udp")
        port = support.new_port()
        with support.udp_socket(self.pod1) as client:
            client.sendto(b"anybody?", (self.pod2.ip, port))
            row = self.row(watch, ports=(client.getsockname()[1], port))
        self.assert_cause(row, "no-listener", f"^no UDP socket has port {port}$")
        watch.stop()

    def test_reverse_path(self):
        watch = self.watch("--pod-ip", self.pod1.ip)
        overlay = "10.244.6.0/24 via 10.244.6.0 dev flannel.1 onlink"
        direct = "10.244.6.0/24 via 192.168.56.12 dev eth0"
        with sysctl(self.nodes.n1, "net/ipv4/conf/flannel.1/rp_filter", 1), \
                changed(self.nodes.n1, f"ip route replace {direct}", f"ip route replace {overlay}"):
            row = self.dropped_request(watch, self.pod1.ip, source=self.pod3)
            self.assert_cause(row, "reverse-path-filter", r"flannel\.1[./]rp_filter = 1$", "dev eth0$",
                              fix=[r"^sysctl -w .*flannel\.1/rp_filter=2$"])
            self.mend(row)
            ping(self.pod3, self.pod1.ip, expect_reply=False)
        watch.stop()
        dropped = [record for record in watch.packets if record.get("cause") == "reverse-path-filter"]
        self.assertEqual(dropped[-1]["packets"], 1, dropped)

    def test_a_rule_is_not_known(self):
        """Nobody tells by which rule a packet of a kind died, and so no cause is told."""
        watch = self.watch("--pod-ip", self.pod1.ip)
        chain = f"chain c {{ type filter hook forward priority 10; ip saddr {self.pod1.ip} drop\n }}"
        in_netns(self.nodes.n1, "nft", "-f", "-", input=f"table inet dptrace_case {{ {chain}\n }}\n")
        self.addCleanup(in_netns, self.nodes.n1, "nft", "delete", "table", "inet", "dptrace_case")
        row = self.dropped_request(watch, self.pod3.ip)
        self.assertEqual(row.get("cause"), "unknown", row)
        self.assertFalse({"explanation", "evidence", "fix"} & row.keys(), row)
        watch.stop()

    def test_nobody_is_asked(self):
        watch = self.watch("--pod-ip", self.pod1.ip, "--no-explain")
        self.assertNotIn("cause", self.dropped_request(watch, BEYOND))
        watch.stop()


class Text(WatchTest):
    def test_of_a_table(self):
        """The row has the cause, and below it the last table has why, and what mends it."""
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        watch = subprocess.Popen(
            ["ip", "netns", "exec", self.nodes.n1, support.DPTRACE, "drops", "--pod-ip", self.pod1.ip,
             "--ready-file", folder / "ready"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        with watch, sysctl(self.nodes.n1, "net/ipv4/conf/cni0/forwarding", 0):
            support.wait_until((folder / "ready").exists, "dptrace's ready file")
            ping(self.pod1, self.pod3.ip, expect_reply=False)
            watch.send_signal(signal.SIGINT)
            text = watch.communicate(timeout=support.TIMEOUT)[0]
        self.assertRegex(text, r" CAUSE +LOCATION ")
        self.assertRegex(text, r"(?m) forwarding-disabled +ip_error\S* .*\n"
                               r"    why   cni0 does not forward IPv4 packets "
                               r"\(net\.ipv4\.conf\.cni0\.forwarding = 0\)\n"
                               r"    fix   sysctl -w net\.ipv4\.conf\.cni0\.forwarding=1$")


class Metrics(WatchTest):
    def test_the_cause_is_a_label(self):
        """It is that of the time when the packets were counted; no series falls."""
        with metrics.Watch("--pod-ip", self.pod1.ip) as watch:
            with sysctl(self.nodes.n1, "net/ipv4/conf/cni0/forwarding", 0):
                for _ in range(3):
                    ping(self.pod1, self.pod3.ip, expect_reply=False)
                watch.wait_for(3, metrics.DROPS, interface="cni0", cause="forwarding-disabled")
            self.assertEqual(watch.value(metrics.DROPS, interface="cni0", cause="unknown"), 0)
            chain = f"chain c {{ type filter hook forward priority 10; ip saddr {self.pod1.ip} drop\n }}"
            in_netns(self.nodes.n1, "nft", "-f", "-", input=f"table inet dptrace_case {{ {chain}\n }}\n")
            self.addCleanup(in_netns, self.nodes.n1, "nft", "delete", "table", "inet", "dptrace_case")
            ping(self.pod1, self.pod3.ip, expect_reply=False)
            watch.wait_for(1, metrics.DROPS, interface="cni0", cause="unknown")
            self.assertEqual(watch.value(metrics.DROPS, interface="cni0", cause="forwarding-disabled"), 3)

    def test_nobody_is_asked(self):
        with metrics.Watch("--pod-ip", self.pod1.ip, "--no-explain") as watch:
            ping(self.pod1, BEYOND, expect_reply=False)
            watch.wait_for(1, metrics.DROPS, interface="cni0", cause="")


class Flood(WatchTest):
    COUNT = 1000 if support.IN_VM else 10_000

    def test_of_one_kind(self):
        """It costs a few look-ups, and loses nothing."""
        watch = self.watch("--pod-ip", self.pod1.ip, "--protocol", "udp")
        port = support.new_port()
        with sysctl(self.nodes.n1, "net/ipv4/conf/cni0/forwarding", 0), support.udp_socket(self.pod1) as client:
            client.connect((self.pod3.ip, port))
            begun, threads = time.monotonic(), set()
            for _ in range(self.COUNT):
                client.send(b"lost, and all of it counted")
                threads.update(os.listdir(f"/proc/{watch.process.pid}/task"))
            ports = (client.getsockname()[1], port)
            support.wait_until(lambda: self.row(watch, ports=ports)["packets"] >= self.COUNT, watch.state)
            took = time.monotonic() - begun
        row = self.row(watch, ports=ports)
        self.assertEqual(row["packets"], self.COUNT)
        self.assert_cause(row, "forwarding-disabled", "forwarding = 0$", fix=["forwarding=1$"])
        # A look-up has a thread of its own; one for pods and devices runs about once a second, too.
        self.assertLess(len(threads), 5 + 3 * took, "look-ups")
        summary = watch.stop()
        self.assertEqual(summary["events_lost"], 0)


if __name__ == "__main__":
    unittest.main()
