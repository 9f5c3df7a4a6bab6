"""Causes on the way between nodes: rules of policy routing, tables that are full, tunnels that do not work, rules that drop
what others depend on."""

import contextlib
import os
import pathlib

import support
from support import CauseTest, changed, in_netns, ping, sysctl

BESIDE = {4: "10.244.7.5", 6: "fd00:10:244:7::5"}  # a node's range that no route leads to
IP = {4: "ip", 6: "ip -6"}


def setUpModule():
    # The table's module is there before the trace, as on a node that uses it.
    in_netns(support.topology().n1, "iptables-nft", "-t", "mangle", "-L", check=False)


class PolicyRouting(CauseTest):
    """Packets of pod 1 have a mark when they are routed."""

    @contextlib.contextmanager
    def marked(self, *policies, family=4):
        source = self.pod1.address(family)
        mark = f"PREROUTING -s {source} -j MARK --set-mark 7"
        tool = {4: "iptables-nft", 6: "ip6tables-nft"}[family]
        with contextlib.ExitStack() as stack:
            stack.enter_context(changed(self.nodes.n1, f"{tool} -t mangle -A {mark}", f"{tool} -t mangle -D {mark}"))
            for policy in policies:
                stack.enter_context(changed(self.nodes.n1, f"{IP[family]} {policy}", f"{IP[family]} {policy}".replace(" add ", " del ")))
            yield

    def test_a_rule_that_bars(self):
        for family in (4, 6):
            pod3 = self.pod3.address(family)
            for kind in "unreachable", "prohibit":
                with self.subTest(family=family, kind=kind), self.marked(f"rule add priority 100 fwmark 7 {kind}", family=family):
                    drop = self.dropped_request(pod3, family=family)
                    self.assert_cause(drop, f"route-{kind}", f"^ip rule 100: fwmark 0x7/0xffffffff {kind}$",
                                      f"route get {pod3} from .* mark 0x7: ")

    def test_another_table_bars(self):
        """The main table has a way, and a packet without the mark takes it."""
        ping(self.pod2, self.pod3.ip)
        with self.marked("route add blackhole 10.244.6.0/24 table 77", "rule add priority 100 fwmark 7 lookup 77"):
            ping(self.pod2, self.pod3.ip)
            self.assert_cause(self.dropped_request(self.pod3.ip), "route-blackhole",
                              "blackhole 10.244.6.0/24 table 77 ", f"route get {self.pod3.ip} from .* mark 0x7: ")



    def test_a_rule_and_a_route_that_bar(self):
        """Which of them was asked first is not known, and so neither is named."""
        with self.marked("route add prohibit 10.244.6.0/24 table 77", "rule add priority 100 fwmark 7 lookup 77",
                         "rule add priority 101 fwmark 7 prohibit"):
            self.assertEqual(self.dropped_request(self.pod3.ip).get("cause"), "unknown")


class Routes(CauseTest):
    def test_a_barrier_before_the_way(self):
        for family, inner in ((4, "10.244.6.0/25"), (6, "fd00:10:244:6::/65")):
            route = f"blackhole {inner}"
            with self.subTest(family=family):
                in_netns(self.nodes.n1, *f"{IP[family]} route add {route} proto static".split())
                drop = self.dropped_request(self.pod3.address(family), family=family)
                self.assert_cause(drop, "route-blackhole", f"{route} proto static$", "route get",
                                  fix=[f"^{IP[family]} route del {route}$"])
                self.mend(drop)
                ping(self.pod1, self.pod3.address(family), family=family)

    def test_a_node_without_a_route(self):
        for family, beside in ((4, r"10\.244\.6\.0/24"), (6, "fd00:10:244:6::/64")):
            with self.subTest(family=family):
                self.assert_cause(self.dropped_request(BESIDE[family], family=family), "no-route", "route get",
                                  f"^the network beside it has one: {beside} via .* dev flannel")


class NeighbourTable(CauseTest):
    """The table and its settings are the machine's, and so dptrace runs there."""

    def setUp(self):
        here = ("nsenter", f"--net=/proc/{os.getpid()}/ns/net")
        self.trace = self.enterContext(support.Trace("--pod-ip", self.pod1.ip, "--pod-ip", self.pod1.ip6, prefix=here))

    @contextlib.contextmanager
    def limit(self, family, most):
        setting = pathlib.Path(f"/proc/sys/net/ipv{family}/neigh/default/gc_thresh3")
        before = setting.read_text()
        setting.write_text(str(most))
        try:
            yield
        finally:
            setting.write_text(before)

    def forget_neighbours(self):
        netns = (self.nodes.n1, self.nodes.n2, *(pod.netns for pod in self.nodes.pods))
        for state in ("all",), ("nud", "noarp"), ("nud", "failed"):
            flush = ("ip", "-4", "neigh", "flush", *state)
            support.run(*flush, check=False)
            for name in netns:
                in_netns(name, *flush, check=False)

    def test_full(self):
        """Of IPv4. Each question of IPv6 makes an entry for a multicast address, which gives way to the next one."""
        prefix = self.pod1.ip.rpartition(".")[0]
        addresses = (f"{prefix}.{number}" for number in range(130, 150))  # nobody has them
        with self.limit(4, 0), sysctl(self.pod1.netns, "net/ipv4/neigh/eth0/retrans_time_ms", 100):
            # An entry that may go makes room; other programs of the machine may have made one.
            drop = {}
            while drop.get("cause", "neighbour-unresolved") == "neighbour-unresolved":
                self.forget_neighbours()
                drop = self.dropped_request(next(addresses))
            self.assert_cause(drop, "neighbour-table-full", r"^\d+ entries, gc_thresh3 = 0$", r"found no room \d+ times",
                              fix=[r"^sysctl -w net\.ipv4\.neigh\.default\.gc_thresh3=\d+$"])
            support.run("sh", "-c", drop["fix"][0])
            drop = self.dropped_request(next(addresses))
            self.assertEqual(drop.get("cause"), "neighbour-unresolved", drop)


class Tunnels(CauseTest):
    def test_into_itself(self):
        near, far = "192.168.56.11", "192.168.56.12"
        with changed(self.nodes.n1, f"ip route add {far}/32 dev flannel.1", f"ip route del {far}/32 dev flannel.1"):
            drop = self.dropped_request(self.pod3.ip)
        self.assert_cause(drop, "tunnel-loop", f"^ip route get {far}: dev flannel.1$")
        ping(self.pod1, self.pod3.ip)
        support.require("ipip devices")
        with changed(self.nodes.n1, f"ip link add ip7 type ipip local {near} remote {far}", "ip link del ip7"):
            in_netns(self.nodes.n1, "ip", "link", "set", "ip7", "up")
            for destination in "10.98.0.3", far:
                in_netns(self.nodes.n1, "ip", "route", "add", f"{destination}/32", "dev", "ip7")
            self.assert_cause(self.dropped_request("10.98.0.3"), "tunnel-loop", f"^ip route get {far}: dev ip7$")


class RulesAgainstOthers(CauseTest):
    """A rule drops a packet that another one depends on."""

    def setUp(self):
        support.require("netfilter hops")
        super().setUp()

    def rule(self, rule, family=4):
        tool = {4: "iptables-legacy", 6: "ip6tables-legacy"}[family]
        return changed(self.nodes.n1, f"{tool} -I {rule}", f"{tool} -D {rule}")

    def test_the_tunnel_is_blocked(self):
        blocks = "OUTPUT -p udp -m udp --dport 8472 -j DROP"
        with self.rule(blocks):
            drop = self.dropped_request(self.pod3.ip)
            self.assert_cause(drop, "tunnel-blocked", "--dport 8472", fix=["^iptables-legacy -t filter -D OUTPUT .*8472"])
            self.assertIn("the outer packet of a tunnel", drop["explanation"])
            self.mend(drop)
            ping(self.pod1, self.pod3.ip)
            in_netns(self.nodes.n1, *f"iptables-legacy -I {blocks}".split())  # for the one that takes it back
        ping(self.pod1, self.pod3.ip)

    def test_the_sender_is_not_told_of_the_mtu(self):
        for family, device, mtu, icmp, rule in (
            (4, "flannel.1", 1450, 3, "OUTPUT -p icmp -m icmp --icmp-type 3/4 -j DROP"),
            (6, "flannel-v6.1", 1430, 2, "OUTPUT -p ipv6-icmp -m icmp6 --icmpv6-type 2 -j DROP"),
        ):
            with self.subTest(family=family), self.rule(rule, family), \
                    changed(self.nodes.n1, f"ip link set {device} mtu 1300", f"ip link set {device} mtu {mtu}"):
                drop = self.dropped_request(self.pod3.address(family), "-M", "do", "-s", "1320", family=family)
                self.assertEqual(drop.get("cause"), "mtu-exceeded", drop)
                told = self.trace.packet(icmp=icmp, destination=self.pod1.address(family))
                self.assert_cause(told["drop"], "icmp-blackhole", "-j DROP$", fix=["-D OUTPUT "])
                self.assertIn("the sender does not learn", told["drop"]["explanation"])

    def test_on_the_bridge(self):
        chain = "add chain bridge dptbridge forward { type filter hook forward priority -200 ; }"  # before br_netfilter
        rule = f"add rule bridge dptbridge forward ip daddr {self.pod2.ip} icmp type echo-request drop"
        self.addCleanup(in_netns, self.nodes.n1, "nft", "delete", "table", "bridge", "dptbridge", check=False)
        in_netns(self.nodes.n1, "nft", "-f", "-", input=f"add table bridge dptbridge\n{chain}\n{rule}\n")
        drop = self.dropped_request(self.pod2.ip)
        self.assert_cause(drop, "ebtables-rule", "echo-request drop", fix=["^nft delete rule bridge dptbridge forward handle "])
        self.mend(drop)
        ping(self.pod1, self.pod2.ip)
