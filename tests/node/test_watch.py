"""`dptrace drops`: counts are exact whatever happens, and what is no loss is not told as one."""

import contextlib
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

import support
from support import HAS_REASONS, KERNEL, NodeTest, Watch, changed, in_netns, network_namespace, ping, sysctl, topology

NFT_DROP = "nft_do_chain" if KERNEL >= (5, 17) else "nf_hook_slow"
PORT = random.SystemRandom().randrange(30000, 60000)  # of this run: others may use the same addresses


class Nothing(NodeTest):
    """What the cases share: datagrams that die, and the row they are counted in."""

    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1, cls.pod2, cls.pod3 = cls.nodes.pod1, cls.nodes.pod2, cls.nodes.pod3

    def send(self, source, address, count, port=None, ttl=64, size=20):
        with support.udp_socket(source) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            for _ in range(count):
                sender.sendto(bytes(size), (address, port or PORT))

    @contextlib.contextmanager
    def dropped_by_nft(self, netns, rule, hook="forward"):
        """Yields a function that tells how many the rule has dropped."""
        name = f"dptrace_{hook}"
        table = f"table inet {name} {{\nchain c {{\ntype filter hook {hook} priority 10; {rule} counter drop\n}}\n}}\n"
        in_netns(netns, "nft", "-f", "-", input=table)
        try:
            yield lambda: int(re.search(
                r"counter packets (\d+)", in_netns(netns, "nft", "list", "table", "inet", name).stdout).group(1))
        finally:
            in_netns(netns, "nft", "delete", "table", "inet", name)

    def assert_row(self, row, count, device, reason, *functions):
        self.assertEqual(row["packets"], count, row)
        self.assertEqual(support.place(row["interface"]), device, row)
        self.assertIn(support.function_of(row["location"]), functions, row)
        self.assertTrue(row["loss"], row)
        if HAS_REASONS:
            self.assertEqual((row["reason"], row["reason_code"]), (reason, support.reason_codes()[reason]))
        else:
            self.assertNotIn("reason", row)


class WatchCounts(Nothing):
    def test_every_kind_has_its_row_and_its_count(self):
        route = "10.244.6.0/24 via 10.244.6.0 dev flannel.1 onlink"
        loose = "10.244.6.0/24 via 192.168.56.12 dev eth0"
        with Watch("--interval", "200ms", "--port", str(PORT)) as watch:
            with changed(self.nodes.n1, f"ip route del {route}", f"ip route add {route}"):
                self.send(self.pod1, self.pod3.ip, 7)
            with self.dropped_by_nft(self.nodes.n1, f"udp dport {PORT}"):
                self.send(self.pod1, self.pod3.ip, 5)
            self.send(self.pod1, self.pod2.ip, 9)
            self.send(self.pod1, self.pod3.ip, 3, ttl=1)
            with sysctl(self.nodes.n1, "net/ipv4/conf/flannel.1/rp_filter", 1):
                with changed(self.nodes.n1, f"ip route replace {loose}", f"ip route replace {route}"):
                    self.send(self.pod3, self.pod1.ip, 4)
            watch.wait_for_count(28)
            summary = watch.stop()
        rows = sorted(watch.rows(), key=lambda row: row["packets"])
        self.assertEqual([row["packets"] for row in rows], [3, 4, 5, 7, 9], watch.state())
        self.assert_row(rows[0], 3, "cni0@n1", "IP_INHDR", "ip_forward")
        self.assert_row(rows[1], 4, "flannel.1@n1", "IP_RPFILTER", "ip_rcv_finish_core")
        self.assert_row(rows[2], 5, "cni0@n1", "NETFILTER_DROP", NFT_DROP)
        self.assert_row(rows[3], 7, "cni0@n1", "IP_INNOROUTES", "ip_error")
        self.assert_row(rows[4], 9, "eth0@pod2", "NO_SOCKET", "__udp4_lib_rcv", "udp_rcv")
        self.assertEqual(summary["dropped"], 28)
        self.assert_nothing_lost(summary)

    def test_a_row_has_the_fields_of_the_contract(self):
        with Watch("--port", str(PORT), "--pod-ip", self.pod1.ip) as watch:
            self.send(self.pod1, self.pod2.ip, 6, size=100)
            watch.wait_for_count(6)
            watch.stop()
        row, = watch.rows()
        self.assertEqual(row["schema_version"], 1)
        self.assertEqual((row["family"], row["protocol"]), ("ipv4", "udp"))
        self.assertEqual(row["pod"]["ip"], self.pod1.ip)
        self.assertEqual(row["interface"]["kind"], "veth")
        # Of skb->len: the UDP header may have been taken off already.
        self.assertIn(row["bytes"], (6 * 100, 6 * 108))
        self.assertLessEqual(row["first_seen"], row["last_seen"])
        self.assertAlmostEqual(row["rate"], row["interval_packets"] * 1e9 / row["interval_ns"], places=3)
        sample = row["sample"]["flow"]
        self.assertEqual((sample["source"]["ip"], sample["destination"]["ip"]), (self.pod1.ip, self.pod2.ip))
        self.assertEqual(sample["destination"]["port"], PORT)
        self.assertTrue(row["sample"]["stack"])

    def test_ipv6_and_what_is_in_a_tunnel(self):
        overlay = "udp dport 8472"
        with Watch("--interval", "200ms", "--pod-ip", self.pod1.ip, "--pod-ip", self.pod1.ip6) as watch:
            with support.udp_socket(self.pod1, 6) as sender:
                for _ in range(4):
                    sender.sendto(b"anybody?", (self.pod2.ip6, PORT))
            with self.dropped_by_nft(self.nodes.n1, overlay, "output") as dropped:
                ping(self.pod1, self.pod3.ip, expect_reply=False)
                tunnelled = dropped()
            watch.wait_for_count(4 + tunnelled)
            watch.stop()
        six, = watch.rows(family="ipv6", protocol="udp")
        self.assert_row(six, 4, "eth0@pod2", "NO_SOCKET", "__udp6_lib_rcv", "udpv6_rcv")
        self.assertEqual(six["pod"]["ip"], self.pod1.ip6)
        # The rule sees the outer packet, the row is the inner one's.
        inner, = watch.rows(protocol="icmp")
        self.assertEqual((inner["packets"], inner["icmp_type"]), (tunnelled, 8), inner)
        self.assertEqual(inner["pod"]["ip"], self.pod1.ip)
        self.assertEqual(inner["sample"]["tunnel"]["kind"], "vxlan")

    def test_what_is_not_ip(self):
        """A frame of an Ethernet type that nobody takes."""
        link, = json.loads(in_netns(self.nodes.n1, "ip", "-j", "link", "show", "cni0").stdout)
        gateway = bytes.fromhex(link["address"].replace(":", ""))
        with network_namespace(self.pod1.netns):
            sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        with sender, Watch("--interval", "200ms") as watch:
            sender.bind(("eth0", 0))
            for _ in range(5):
                sender.send(gateway + sender.getsockname()[4] + b"\x88\xb5" + bytes(46))
            watch.wait_for_count(5, protocol="0x88b5")
            watch.stop()
        row, = watch.rows(protocol="0x88b5")
        self.assertEqual((row["packets"], support.place(row["interface"])), (5, "cni0@n1"), row)
        self.assertNotIn("family", row)


class WatchIsExact(Nothing):
    """N drops are N counts. The rule's own counter is the judge."""

    FLOODERS = 2

    @contextlib.contextmanager
    def flood(self, seconds):
        """From both CPUs; yields the processes."""
        processes = []
        with network_namespace(self.pod1.netns):
            for _ in range(self.FLOODERS):
                processes.append(subprocess.Popen(
                    [sys.executable, "-c", support.FLOOD, self.pod3.ip, str(PORT), str(seconds)],
                    stdout=subprocess.PIPE, text=True))
        try:
            yield processes
        finally:
            for process in processes:
                process.kill()
                process.communicate()

    def assert_all_counted(self, watch, dropped):
        row, = watch.rows()
        self.assertGreater(dropped, 1000)
        self.assert_row(row, dropped, "cni0@n1", "NETFILTER_DROP", NFT_DROP)
        self.assertEqual(watch.summary["dropped"], dropped)
        told = [record["interval_packets"] for record in watch.packets]
        self.assertEqual(sum(told), dropped)

    def test_under_flood(self):
        """With an interval as short as can be: the two maps change places all the time."""
        with self.dropped_by_nft(self.nodes.n1, f"udp dport {PORT}") as dropped:
            with Watch("--interval", "10ms", "--port", str(PORT)) as watch:
                # In a virtual machine with one processor an interval may last for seconds.
                with self.flood(support.TIMEOUT):
                    support.wait_until(lambda: len(watch.packets) > 10, lambda: f"eleven intervals ({watch.state()})")
                watch.stop()
            self.assert_all_counted(watch, dropped())

    def test_ended_amid_a_flood_then_started_again(self):
        """Each watch counts what was dropped while it ran: never more than there was."""
        with self.dropped_by_nft(self.nodes.n1, f"udp dport {PORT}") as dropped, self.flood(support.TIMEOUT):
            support.wait_until(lambda: dropped() > 0, "the flood")
            sums, before = 0, dropped()
            for _ in range(3):
                with Watch("--interval", "50ms", "--port", str(PORT)) as watch:
                    inner_before = dropped()
                    support.wait_until(lambda: dropped() > inner_before + 500, "more of the flood")
                    inner = dropped() - inner_before
                    watch.stop()
                self.assertEqual(len(watch.rows()), 1, watch.state())
                self.assertGreaterEqual(watch.count(), inner)
                sums += watch.count()
            self.assertLessEqual(sums, dropped() - before)

    def test_reader_that_sleeps(self):
        with self.dropped_by_nft(self.nodes.n1, f"udp dport {PORT}") as dropped:
            with Watch("--interval", "50ms", "--port", str(PORT)) as watch:
                self.send(self.pod1, self.pod3.ip, 10)
                watch.process.send_signal(signal.SIGSTOP)
                with self.flood(1) as processes:
                    for process in processes:
                        process.wait(support.TIMEOUT)
                watch.process.send_signal(signal.SIGCONT)
                self.send(self.pod1, self.pod3.ip, 10)
                watch.stop()
            self.assert_all_counted(watch, dropped())

    def test_more_kinds_than_there_is_room_for(self):
        """What is beyond the share of its network namespace is counted all the same, as that one's."""
        devices, protocols, room = [f"many{number}" for number in range(4)], 256, 512
        peer, netns = "10.201.200.2", f"{self.nodes.prefix}-many"
        support.run("ip", "netns", "add", netns)
        self.addCleanup(support.run, "ip", "netns", "del", netns)
        for metric, device in enumerate(devices):
            in_netns(netns, "ip", "link", "add", device, "type", "bridge")
            in_netns(netns, "ip", "address", "add", f"10.201.{metric}.1/24", "dev", device)
            in_netns(netns, "ip", "link", "set", device, "up")
            in_netns(netns, "ip", "route", "add", peer, "dev", device, "metric", str(metric))
        with self.dropped_by_nft(netns, f"ip daddr {peer}", "output") as dropped:
            with Watch("--interval", "1h", "--peer-ip", peer) as watch:
                for device in 2 * devices:
                    with network_namespace(netns):
                        sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
                    with sender:
                        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
                        for protocol in range(protocols):
                            header = struct.pack(
                                "!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, protocol, 0,
                                bytes(4), socket.inet_aton(peer))
                            with contextlib.suppress(PermissionError):  # that it was dropped
                                sender.sendto(header + bytes(8), (peer, 0))
                summary = watch.stop()
            self.assertEqual(dropped(), 2 * len(devices) * protocols)
            self.assertEqual(summary["dropped"], dropped())
            self.assertEqual(watch.stray_lines, [])
            self.assertEqual(sum(row["packets"] for row in watch.packets), dropped())
            folded = [row for row in watch.packets if row.get("folded")]
            inode = os.stat(f"/run/netns/{netns}").st_ino
            self.assertEqual([row["interface"]["netns"] for row in folded], [str(inode)], folded)
            # What several processors find at the same time may exceed the share a little.
            self.assertEqual((len(watch.packets) - len(folded)) // 8, room // 8)


class WatchTellsLosses(Nothing):
    def test_good_order_is_no_loss(self):
        """Ping, a connection, datagrams that arrive."""
        pods = [word for pod in (self.pod1, self.pod2) for ip in (pod.ip, pod.ip6) for word in ("--pod-ip", ip)]
        with Watch("--interval", "200ms", *pods) as losses, Watch("--interval", "200ms", "--all", *pods) as everything:
            for family in (4, 6):
                ping(self.pod1, self.pod2.address(family), family=family)
                ping(self.pod1, self.pod3.address(family), family=family)
                support.tcp_transfer(self.pod1, self.pod2, 10000, family)
                with support.closed_first(self.pod1, self.pod2, family):
                    pass
            # Not over IPv6: there the pods have yet to learn that the overlay's MTU is smaller.
            support.tcp_transfer(self.pod1, self.pod3, 10000)
            everything.wait_for_count(1, protocol="icmp")
            losses.stop()
            everything.stop()
        self.assertEqual(losses.rows(), [])
        self.assertEqual([row for row in everything.rows() if row["loss"]], [])
        # Every good ping: the original of the reply, whose copy the raw socket took.
        replies = everything.rows(protocol="icmp", icmp_type=0)
        self.assertTrue(replies, everything.state())

    def test_fail_on_drop(self):
        arguments = "--fail-on-drop", "--duration", "1s", "--port", str(PORT)
        with Watch(*arguments) as quiet:
            self.assertEqual(quiet.wait_end(), 0, quiet.state())
        with Watch(*arguments) as watch:
            self.send(self.pod1, self.pod2.ip, 1)
            self.assertEqual(watch.wait_end(), 3, watch.state())

    def test_no_loss_does_not_fail(self):
        with Watch("--fail-on-drop", "--duration", "1s", "--all", "--pod-ip", self.pod1.ip,
                   "--protocol", "icmp") as watch:
            ping(self.pod1, self.pod2.ip)
            self.assertEqual(watch.wait_end(), 0, watch.state())
        self.assertGreater(watch.summary["packets"], 0)


class WatchOptions(Nothing):
    def test_filters(self):
        """Each narrows; what does not match costs no row."""
        cases = {
            "port": ("--port", str(PORT)),
            "peer": ("--port", str(PORT), "--peer-ip", self.pod2.ip),
            "protocol": ("--port", str(PORT), "--protocol", "tcp"),
            "device": ("--port", str(PORT), "--interface", "veth*"),
            "its device": ("--port", str(PORT), "--interface", "eth?"),
        }
        expected = {"port": 5, "peer": 2, "protocol": 0, "device": 0, "its device": 5}
        with contextlib.ExitStack() as stack:
            watches = {name: stack.enter_context(Watch("--interval", "200ms", *case)) for name, case in cases.items()}
            self.send(self.pod1, self.pod2.ip, 2)
            self.send(self.pod1, self.pod3.ip, 3)
            watches["port"].wait_for_count(5)
            for watch in watches.values():
                watch.stop()
            self.assertEqual({name: watch.count() for name, watch in watches.items()}, expected)

    def test_once(self):
        with Watch("--once", "--interval", "1s", "--port", str(PORT)) as watch:
            self.send(self.pod1, self.pod2.ip, 2)
            self.assertEqual(watch.wait_end(), 0)
        self.assertEqual(watch.count(), 2)
        self.assertEqual(len(watch.packets), 1)

    def check_table_for_people(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            ready = os.path.join(folder, "ready")
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.nodes.n1, support.DPTRACE, "drops", "--once", "--interval", "1s",
                 "--port", str(PORT), "--ready-file", ready, *arguments], stdout=subprocess.PIPE, text=True)
            with process:
                support.wait_until(lambda: os.path.exists(ready), "the ready file")
                self.send(self.pod1, self.pod2.ip, 12)
                lines = process.communicate(timeout=support.TIMEOUT)[0].splitlines()
        self.assertEqual(process.returncode, 0)
        reason = "NO_SOCKET" if HAS_REASONS else "no reason given"
        self.assertRegex(lines[1], r"^ +PACKETS +NOW/S +BYTES  REASON +CAUSE +LOCATION +PROTO  INTERFACE( +POD)?$")
        self.assertRegex(lines[2], rf"^ +12 +\d+\.\d +\d+(\.\d+K)?  {reason}  no-listener  \w+\S*\+0x\w+  "
                                   "UDP    eth0 in (pod|netns) ")
        why = rf"^    why   nothing listens on UDP port {PORT} of {self.pod2.ip} \("
        if not arguments:
            self.assertRegex(lines[3], why)
            self.assertFalse([line for line in lines[4:] if line.startswith("    ")], lines)
            return
        self.assertRegex(lines[3], r"^    12 packets, \d+ bytes, \d+\.\d a second now$")
        self.assertRegex(lines[4], r"^    first seen \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, last ")
        packet = next(number for number, line in enumerate(lines) if line.startswith("    UDP "))
        self.assertRegex(lines[packet - 1], why)
        self.assertRegex(lines[packet], rf"^    UDP {self.pod1.ip}:\d+ .*→ {self.pod2.ip}:{PORT}.*, 48 bytes$")
        self.assertRegex(lines[packet + 1], r"^    stack: \w+")

    def test_a_table_for_people(self):
        """A line for each row."""
        self.check_table_for_people()

    def test_a_table_for_people_with_details(self):
        self.check_table_for_people("-v")

    def test_signals_end_it_in_order(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with Watch("--interval", "1h", "--port", str(PORT)) as watch:
                self.send(self.pod1, self.pod2.ip, 3)
                self.assertEqual(watch.stop(number)["dropped"], 3)
                self.assertEqual(watch.count(), 3)


class WatchLeavesNoTrace(Nothing):
    def assert_gone(self, programs):
        support.wait_until(lambda: not any(map(support.Bpf.has_program, programs)), f"programs {programs} unloaded")

    def test_its_few_programs(self):
        """One of drops, one of connections that have closed; without drop reasons one of half-open connections too."""
        with Watch() as watch:
            programs = watch.programs()
            self.assertEqual(len(programs), 2 if HAS_REASONS else 3)
            self.assertEqual(support.attached(self.nodes.n1, "cni0"), (0, 0))
            watch.stop()
        self.assert_gone(programs)

    def test_killed(self):
        with Watch() as watch:
            programs = watch.programs()
            watch.kill()
        self.assert_gone(programs)


del Nothing  # only its subclasses have cases

if __name__ == "__main__":
    unittest.main()
