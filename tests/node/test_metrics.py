"""`drops --metrics`: what is served, and where."""

import socket

import support
from support import NodeTest, dptrace, network_namespace, run, topology
from support.metrics import BYTES, DROPS, KERNEL, LABELS, Watch, refused_datagrams, refused_labels


class Served(NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1, cls.pod2 = cls.nodes.pod1, cls.nodes.pod2
        cls.watch = cls.enterClassContext(Watch())

    def test_every_drop_is_counted_once(self):
        labels = refused_labels(self.pod1)
        before = self.watch.value(DROPS, **labels), self.watch.value(BYTES, **labels)
        refused_datagrams(self.pod1, self.pod2, 50)
        self.watch.wait_for(before[0] + 50, DROPS, **labels)
        refused_datagrams(self.pod1, self.pod2, 7)
        self.watch.wait_for(before[0] + 57, DROPS, **labels)
        self.assertEqual(self.watch.value(DROPS, **labels), before[0] + 57)
        self.assertEqual(self.watch.value(BYTES, **labels) - before[1], 57 * (8 + 100))  # the IP header is off

    def test_the_labels_are_the_contract_s(self):
        refused_datagrams(self.pod1, self.pod2, 1)
        self.watch.wait_for(1, DROPS, **refused_labels(self.pod1))
        found = self.watch.samples()
        for name, labels in found:
            self.assertEqual([label for label, _ in labels], LABELS[name])
        names = {name for name, _ in found}
        self.assertEqual(names | {KERNEL}, set(LABELS))
        self.assertIn(("dptrace_probe_attached", (("probe", "kfree_skb"),)), found)
        version = dptrace("--version").stdout.split()[1]
        self.assertEqual(found["dptrace_build_info", (("version", version),)], 1)
        self.assertEqual(found["dptrace_events_lost_total", (("stage", "ring"),)], 0)

    def test_no_address_and_no_port_is_a_label(self):
        refused_datagrams(self.pod1, self.pod2, 1)
        self.watch.wait_for(1, DROPS, **refused_labels(self.pod1))
        text = self.watch.get()[1]
        for address in (self.pod1.ip, self.pod2.ip, self.pod1.ip6):
            self.assertNotIn(address, text)

    def test_the_kernel_s_own_counters(self):
        labels = {"group": "udp", "name": "RcvbufErrors", "interface": "", "namespace": "default", "pod": self.pod2.name}
        before = self.watch.value(KERNEL, **labels)
        lost = support.overflow_udp(self.pod2.netns, 40)
        self.assertGreater(lost, 0)
        self.watch.wait_for(before + lost, KERNEL, **labels)
        self.assertEqual(self.watch.value(KERNEL, **labels), before + lost)

    def test_counters_only_rise(self):
        before = self.watch.samples()
        refused_datagrams(self.pod2, self.pod1, 5)
        labels = refused_labels(self.pod2)
        self.watch.wait_for(sum(value for (name, have), value in before.items()
                                if name == DROPS and dict(have) == labels) + 5, DROPS, **labels)
        after = self.watch.samples()
        for key, value in before.items():
            self.assertGreaterEqual(after[key], value, key)

    def test_promtool_finds_nothing_amiss(self):
        refused_datagrams(self.pod1, self.pod2, 1)
        self.watch.wait_for(1, DROPS, **refused_labels(self.pod1))
        run("promtool", "check", "metrics", input=self.watch.get()[1])

    def test_health(self):
        self.assertEqual(self.watch.get("/healthz"), (200, "ok\n"))
        self.assertEqual(self.watch.get("/")[0], 404)

    def test_only_where_it_is_told(self):
        with network_namespace(self.nodes.n1), socket.socket() as client:
            with self.assertRaises(ConnectionRefusedError):
                client.connect((self.pod1.ip.rsplit(".", 1)[0] + ".1", self.watch.port))  # the bridge's address


class Start(NodeTest):
    def setUp(self):
        self.node = topology().n1

    def refused(self, address):
        return dptrace("drops", "--metrics", address, "--duration", "1s", netns=self.node)

    def test_ipv6(self):
        with Watch(host="::1") as watch:
            self.assertEqual(watch.get("/healthz"), (200, "ok\n"))
            self.assertEqual(watch.stop(), 0, watch.stderr())

    def test_addresses_that_are_none(self):
        for address in ("localhost:9435", ":9435", "127.0.0.1", "127.0.0.1:0", "::1:9435", "9435x"):
            done = self.refused(address)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(f"--metrics: '{address}' is not an IP address and port", done.stderr)

    def test_a_port_in_use(self):
        with network_namespace(self.node), socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            address = f"127.0.0.1:{other.getsockname()[1]}"
            done = self.refused(address)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(f"{address}: Address already in use", done.stderr)
        self.assertIn("another port", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_an_address_of_another_machine(self):
        done = self.refused("192.0.2.1:9435")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("192.0.2.1:9435: Cannot assign requested address", done.stderr)

    def test_metrics_of_one_table_are_refused(self):
        done = dptrace("drops", "--metrics", "9435", "--once", netns=self.node)
        self.assertEqual(done.returncode, 2, done.stderr)

    def test_the_end_with_a_client_waiting(self):
        with Watch() as watch, network_namespace(self.node), socket.socket() as client:
            client.connect(("127.0.0.1", watch.port))
            self.assertEqual(watch.stop(), 0, watch.stderr())
