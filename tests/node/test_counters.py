"""The kernel's own counters of losses, beside the drops: as many as were really lost, each where it was."""

import contextlib
import itertools
import json
import os
import pathlib
import socket
import unittest

from support import IN_VM, Trace, in_netns, network_namespace, overflow_udp, run, sysctl, wait_until

UNKNOWN_PROTOCOL = 0x88B5  # for local experiments: nobody takes its frames
_names = (f"dptc{os.getpid()}-{number}" for number in itertools.count())


class Counters(Trace):
    """A running `dptrace drops -o json`: the counters of one interval after the other."""

    RECORDS = "drop_counter"

    def __init__(self, *arguments):
        super().__init__("drops", "--interval", "200ms", *arguments)

    def totals(self, netns):
        """The last told totals of a netns, by group, name and device."""
        with self._changed:
            records = list(self.packets)
        totals = {}
        for record in records:
            interface = record.get("interface", {})
            if interface.get("netns") == str(netns.inode):
                key = " ".join(filter(None, (record["group"], record["name"], interface.get("name"))))
                totals[key] = record["total"]
        return totals

    def rises(self, netns, group, name):
        """What all intervals add up to."""
        with self._changed:
            return sum(record["interval"] for record in self.packets if (record["group"], record["name"]) ==
                       (group, name) and record["interface"].get("netns") == str(netns.inode))

    def wait_for_total(self, netns, key, total):
        wait_until(lambda: self.totals(netns).get(key, 0) >= total, lambda: f"{key} {total}: {self.state(netns)}")

    def state(self, netns=None):
        return f"told {self.totals(netns) if netns else self.packets[-20:]}, and said:\n{self.stderr()}"


class Netns:
    """A network namespace with a device to itself: `near` leads to `far`, both in it."""

    def __init__(self):
        self.name = next(_names)
        run("ip", "netns", "add", self.name)
        self.inode = os.stat(f"/run/netns/{self.name}").st_ino
        self.exec("ip", "link", "set", "lo", "up")

    def add_devices(self):
        self.exec("ip", "link", "add", "near", "type", "veth", "peer", "name", "far")
        for device in ("near", "far"):
            self.exec("ip", "link", "set", device, "up")
        # They are not when the command is done.
        wait_until(lambda: self.exec("ip", "link", "show", "up").stdout.count("state UP") == 2, "devices are up")

    def exec(self, *command, **options):
        return in_netns(self.name, *command, **options)

    def read(self, path):
        with network_namespace(self.name):
            return pathlib.Path("/proc/thread-self/net", path).read_text()

    def netstat(self, section, name):
        names, values = (line.split() for line in self.read("netstat").splitlines() if line.startswith(f"{section}:"))
        return int(values[names.index(name)])

    def conntrack(self, name):
        head, *lines = self.read("stat/nf_conntrack").splitlines()
        return sum(int(line.split()[head.split().index(name)], 16) for line in lines)

    def unwanted_frames(self, count):
        """That `far` gets and nobody takes."""
        with network_namespace(self.name), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind(("near", 0))
            for _ in range(count):
                sender.send(b"\xff" * 6 + bytes(6) + UNKNOWN_PROTOCOL.to_bytes(2, "big") + bytes(46))

    def overflow_udp(self, count, address="127.0.0.1"):
        return overflow_udp(self.name, count, address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if os.path.exists(f"/run/netns/{self.name}"):
            run("ip", "netns", "del", self.name)


class CounterTest(unittest.TestCase):
    def setUp(self):
        self.netns = self.enterContext(Netns()) if hasattr(self, "enterContext") else self._enter(Netns())

    def _enter(self, manager):  # Python before 3.11
        self.addCleanup(manager.__exit__, None, None, None)
        return manager.__enter__()

    def test_accept_queue_overflow(self):
        with network_namespace(self.netns.name):
            server = socket.create_server(("127.0.0.1", 0), backlog=0)
            clients = [socket.socket() for _ in range(8)]
        with contextlib.ExitStack() as sockets, Counters() as counters:
            for client in (server, *clients):
                sockets.enter_context(client)
            for client in clients:
                client.setblocking(False)
                client.connect_ex(server.getsockname())
            wait_until(lambda: self.netns.netstat("TcpExt", "ListenOverflows") >= 5, "refused connections")
            for client in clients:
                client.close()
            server.close()
            overflows = self.netns.netstat("TcpExt", "ListenOverflows")
            drops = self.netns.netstat("TcpExt", "ListenDrops")
            counters.wait_for_total(self.netns, "tcp ListenOverflows", overflows)
            counters.stop()
        self.assertEqual(counters.totals(self.netns)["tcp ListenOverflows"], overflows, counters.state())
        self.assertEqual(counters.totals(self.netns)["tcp ListenDrops"], drops, counters.state())

    def test_receive_buffer_is_full(self):
        with Counters() as counters:
            lost = self.netns.overflow_udp(40)
            lost6 = self.netns.overflow_udp(30, "::1")
            counters.wait_for_total(self.netns, "udp RcvbufErrors", lost)
            counters.wait_for_total(self.netns, "udp Udp6RcvbufErrors", lost6)
            more = self.netns.overflow_udp(20)
            counters.stop()  # reads what is not told yet
        self.assertGreater(min(lost, lost6, more), 0)
        self.assertEqual(counters.totals(self.netns), {"udp RcvbufErrors": lost + more, "udp Udp6RcvbufErrors": lost6})
        self.assertEqual(counters.rises(self.netns, "udp", "RcvbufErrors"), lost + more)

    def test_what_was_lost_before_is_not_counted(self):
        self.netns.add_devices()
        self.netns.unwanted_frames(7)
        self.netns.overflow_udp(20)
        with Counters() as counters:
            self.netns.unwanted_frames(3)
            counters.wait_for_total(self.netns, "device rx_dropped far", 3)
            counters.stop()
        self.assertEqual(counters.totals(self.netns), {"device rx_dropped far": 3}, counters.state())

    def test_devices_and_namespaces_that_come_and_go(self):
        with Counters() as counters:
            self.netns.add_devices()
            self.netns.unwanted_frames(5)
            counters.wait_for_total(self.netns, "device rx_dropped far", 5)
            with Netns() as later:
                later.add_devices()
                later.unwanted_frames(4)
                counters.wait_for_total(later, "device rx_dropped far", 4)
            self.netns.exec("ip", "link", "del", "near")
            self.netns.add_devices()
            self.netns.unwanted_frames(2)
            wait_until(lambda: counters.rises(self.netns, "device", "rx_dropped") >= 7, counters.state)
            counters.stop()
        self.assertEqual(counters.totals(self.netns), {"device rx_dropped far": 2}, counters.state())
        self.assertEqual(counters.rises(self.netns, "device", "rx_dropped"), 7)

    def test_queue_is_full(self):
        self.netns.add_devices()
        self.netns.exec("ip", "address", "add", "192.0.2.1/24", "dev", "near")
        self.netns.exec("ip", "neighbour", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:02", "dev", "near")
        with Counters() as counters:
            self.netns.exec(*"tc qdisc add dev near root tbf rate 8kbit burst 1600 limit 1600".split())
            with network_namespace(self.netns.name), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for _ in range(20):
                    sender.sendto(bytes(1000), ("192.0.2.2", 9))
            qdisc, = json.loads(self.netns.exec(*"tc -s -j qdisc show dev near".split()).stdout)
            self.assertGreaterEqual(qdisc["drops"], 15)
            counters.wait_for_total(self.netns, "qdisc drops near", qdisc["drops"])
            # Another in its place begins at 0; the sum does not.
            self.netns.exec(*"tc qdisc replace dev near root handle 7: pfifo limit 1000".split())
            counters.stop()
        self.assertEqual(counters.totals(self.netns)["qdisc drops near"], qdisc["drops"], counters.state())

    @unittest.skipUnless(IN_VM, "the size of the table is the machine's, not the namespace's: in a virtual machine only")
    def test_conntrack_table_is_full(self):
        self.netns.exec("nft", "-f", "-", input="table inet t {\nchain c {\ntype filter hook output priority 0\n"
                                                "ct state new accept\n}\n}\n")
        home = next(_names)
        run("ip", "netns", "attach", home, str(os.getpid()))
        self.addCleanup(run, "ip", "netns", "del", home)
        with sysctl(home, "net/netfilter/nf_conntrack_max", 5), Counters() as counters:
            with network_namespace(self.netns.name), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for port in range(1, 31):
                    with contextlib.suppress(OSError):
                        sender.sendto(b"", ("127.0.0.1", port))
            told = {f"conntrack {name}": self.netns.conntrack(name) for name in ("drop", "early_drop", "insert_failed")}
            self.assertGreaterEqual(told["conntrack drop"] + told["conntrack early_drop"], 20, told)
            counters.stop()
        totals = {key: total for key, total in counters.totals(self.netns).items() if key.startswith("conntrack")}
        self.assertEqual(totals, {key: total for key, total in told.items() if total}, counters.state())

    @unittest.skipUnless(IN_VM, "the budget is the machine's, not the namespace's: in a virtual machine only")
    def test_softirq_that_runs_out_of_its_budget_loses_nothing(self):
        def squeezed():
            return sum(int(line.split()[2], 16) for line in pathlib.Path("/proc/net/softnet_stat").read_text().splitlines())

        self.netns.add_devices()
        budget = pathlib.Path("/proc/sys/net/core/netdev_budget")
        before = budget.read_text()
        self.addCleanup(budget.write_text, before)
        at_least = squeezed()
        with Counters() as counters:
            budget.write_text("1")
            wait_until(lambda: self.netns.unwanted_frames(50) or squeezed() > at_least + 5, "a squeeze")
            budget.write_text(before)
            self.assertGreater(squeezed(), at_least + 5)
            counters.stop()
        self.assertEqual([record for record in counters.packets if record["group"] == "softnet"], [])

    def test_a_filter_of_packets_leaves_them_out(self):
        with Counters("--protocol", "tcp") as counters:
            self.netns.overflow_udp(20)
            counters.stop()
        self.assertEqual(counters.packets, [])

    def test_of_one_device(self):
        self.netns.add_devices()
        with Counters("--interface", "fa*") as counters:
            self.netns.overflow_udp(20)
            self.netns.unwanted_frames(3)
            counters.stop()
        self.assertEqual(counters.totals(self.netns), {"device rx_dropped far": 3}, counters.state())
