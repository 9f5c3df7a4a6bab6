"""The rule of iptables-legacy or ip6tables-legacy that dropped a packet: named as the kernel's counters name it."""

import collections
import os
import random
import re
import unittest

import support
from support import NodeTest, drop_with_text, has_text, in_netns, send_datagram, topology, wait_until

RULESETS = int(os.environ.get("DPTRACE_RULESETS", "10"))
TOOL = {4: "iptables-legacy", 6: "ip6tables-legacy"}


def setUpModule():
    """One trace for all cases: it takes the guests longest to start."""
    nodes = topology()
    support.require("iptables-legacy")
    # The modules are there before the trace, as on a node that uses them.
    for tool in TOOL.values():
        for table in "filter", "raw", "mangle":
            in_netns(nodes.n1, tool, "-t", table, "-L", "-n")
    XtTest.trace = unittest.enterModuleContext(
        support.Trace("--pod-ip", nodes.pod1.ip, "--pod-ip", nodes.pod1.ip6, "--pod-ip", nodes.pod2.ip)
    )
    rule = "OUTPUT -p udp -m udp --dport 7100 -j DROP"
    with support.changed(nodes.pod1.netns, f"iptables-legacy -I {rule}", f"iptables-legacy -D {rule}"):
        XtTest.first_drop = support.drop_of_datagram(XtTest.trace, 7100)


def restore(rules, family=4):
    in_netns(topology().n1, f"{TOOL[family]}-restore", input=rules)


class XtTest(NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1, cls.pod3 = cls.nodes.pod1, cls.nodes.pod3

    def tables(self, rules, family=4):
        """The tables of node 1, while the case runs."""
        before = in_netns(self.nodes.n1, f"{TOOL[family]}-save").stdout
        self.addCleanup(restore, before, family)
        restore(rules, family)

    def drop_of(self, port, family=4):
        return drop_with_text(self.trace, port, family)[0]

    def assert_rule(self, drop, chain, number, text, path=(), family=4, table="filter", hook="FORWARD", verdict="drop"):
        if not support.has("netfilter hops"):
            self.assertNotIn("rule", drop)
            return
        rule = drop["rule"]
        told = [rule.get(key) for key in ("family", "hook", "table", "chain", "rule_number", "verdict")]
        self.assertEqual(told, [f"ipv{family}", hook, table, chain, number, verdict], drop)
        self.assertEqual(rule["rule"], text, drop)
        self.assertEqual([(step["chain"], step["rule_number"]) for step in drop.get("path", ())], list(path), drop)


class Rules(XtTest):
    RULES = """
*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
:svc -
:deny -
-A FORWARD -p udp -m udp --dport 7101 -m comment --comment "no 7101" -j DROP
-A FORWARD -p udp -m udp --dport 7102 -j REJECT
-A FORWARD -p udp -m udp --dport 7103:7106 -j svc
-A FORWARD -p udp -m udp --dport 7105 -j DROP
-A svc -p udp -m udp --dport 7103 -g deny
-A svc -p udp -m udp --dport 7105 -j RETURN
-A svc -p udp -m udp --dport 7106 -j DROP
-A deny -m comment --comment "a comment; with $signs"
-A deny -j DROP
COMMIT
"""

    def test_verdicts_jumps_and_gotos(self):
        for family in 4, 6:
            with self.subTest(TOOL[family]):
                self.tables(self.RULES, family)
                text = '-p udp -m udp --dport 7101 -m comment --comment "no 7101" -j DROP'
                self.assert_rule(self.drop_of(7101, family), "FORWARD", 1, text, family=family)
                reject = "--reject-with " + ("icmp-port-unreachable" if family == 4 else "icmp6-port-unreachable")
                text = f"-p udp -m udp --dport 7102 -j REJECT {reject}"
                self.assert_rule(self.drop_of(7102, family), "FORWARD", 2, text, family=family, verdict="reject")
                path = [("FORWARD", 3), ("svc", 1), ("deny", 2)]
                self.assert_rule(self.drop_of(7103, family), "deny", 2, "-j DROP", path, family)
                text = "-p udp -m udp --dport 7105 -j DROP"
                self.assert_rule(self.drop_of(7105, family), "FORWARD", 4, text, family=family)
                text = "-p udp -m udp --dport 7106 -j DROP"
                self.assert_rule(self.drop_of(7106, family), "svc", 3, text, [("FORWARD", 3), ("svc", 3)], family)

    def test_policy(self):
        self.tables("*filter\n:FORWARD DROP\n-A FORWARD -p udp -m udp ! --dport 7110 -j ACCEPT\nCOMMIT\n")
        drop = self.drop_of(7110)
        if support.has("netfilter hops"):
            rule = drop["rule"]
            self.assertEqual((rule["chain"], rule["policy"], rule["rule"]), ("FORWARD", True, "policy DROP"), drop)
            self.assertNotIn("rule_number", rule)

    def test_other_tables_and_hooks(self):
        text = "-p udp -m udp --dport 7120 -j DROP"
        for table, chain in (("raw", "PREROUTING"), ("mangle", "FORWARD"), ("mangle", "POSTROUTING")):
            with self.subTest(f"{table} {chain}"):
                rule = f"-t {table} {{}} {chain} {text}"
                with support.changed(self.nodes.n1, *(f"iptables-legacy {rule.format(how)}" for how in ("-I", "-D"))):
                    drop = self.drop_of(7120)
                self.assert_rule(drop, chain, 1, text, table=table, hook=chain)

    def test_hooks_of_node_and_pod(self):
        """The tables of the pod are others than those of the node."""
        node = support.node_on_its_bridge()
        text = "-p udp -m udp --dport {} -j DROP"
        ways = [
            (self.nodes.n1, "INPUT", 7121, self.pod1, node),
            (self.nodes.n1, "OUTPUT", 7122, node, self.pod1),
            (self.pod1.netns, "OUTPUT", 7123, self.pod1, self.pod3),
            (self.pod1.netns, "INPUT", 7124, self.pod3, self.pod1),
        ]
        for netns, chain, port, sender, receiver in ways:
            rule = f"{chain} {text.format(port)}"
            with self.subTest(f"{chain} {netns}"):
                with support.changed(netns, f"iptables-legacy -I {rule}", f"iptables-legacy -D {rule}"):
                    drop = drop_with_text(self.trace, port, 4, sender, receiver)[0]
                self.assert_rule(drop, chain, 1, text.format(port), hook=chain)

    def test_the_first_packet_of_all(self):
        """No device has met it, and nothing was followed before. Its text may have been read too late."""
        self.assertEqual("rule" in self.first_drop, support.has("netfilter hops"), self.first_drop)
        if support.has("netfilter hops"):
            rule = self.first_drop["rule"]
            self.assertEqual((rule["hook"], rule["table"], rule["verdict"]), ("OUTPUT", "filter", "drop"))

    def test_what_a_reject_sends_is_dropped_too(self):
        """The traversal of the ICMP error runs within that of the packet."""
        rules = "-A FORWARD -p udp -m udp --dport 7130 -j REJECT\n-A OUTPUT -p icmp -j DROP\n"
        self.tables(f"*filter\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n{rules}COMMIT\n")
        text = "-p udp -m udp --dport 7130 -j REJECT --reject-with icmp-port-unreachable"
        self.assert_rule(self.drop_of(7130), "FORWARD", 1, text, verdict="reject")
        drops = wait_until(
            lambda: [
                packet["drop"] for packet in self.trace.found(destination=self.pod1.ip, icmp=3)
                if has_text(packet.get("drop", {"rule": {}}))
            ],
            "the dropped ICMP error",
        )
        # Before 5.17 a machine with one processor has one kretprobe at a time, here that of the outer traversal.
        if support.KERNEL < (5, 17) and os.cpu_count() == 1 and "rule" not in drops[0]:
            return
        self.assert_rule(drops[0], "OUTPUT", 1, "-p icmp -j DROP", hook="OUTPUT")

    def test_accepted_packets_have_no_rule(self):
        """A rule that drops others has counted one of the same length before."""
        self.tables("*filter\n:FORWARD ACCEPT\n-A FORWARD -p udp -m udp --dport 7140 -j DROP\nCOMMIT\n")
        self.drop_of(7140)
        packet = self.trace.packet(source=self.pod1.ip, ports=send_datagram(7141))
        # No socket has the port: it dies where it arrives.
        self.assertNotIn("rule", packet.get("drop", {}), packet)


class ReplacedRules(XtTest):
    """The text is that of the rule that dropped, or is not told."""

    def test_while_rules_change_places(self):
        rules = [f"-A FORWARD -p udp -m udp --dport {port} -m comment --comment p{port} -j DROP" for port in (7150, 7151)]
        versions = ["\n".join(["*filter", ":FORWARD ACCEPT", *order, "COMMIT", ""]) for order in (rules, rules[::-1])]
        self.tables(versions[0])
        support.assert_exact_while_replaced(self, self.trace, versions, restore)


class Judge(XtTest):
    """Random rulesets, and the counters of all their rules beside them."""

    CHAINS, PORTS = 5, range(7200, 7206)

    def random_rule(self, at, number):
        first, last = sorted(random.choices(self.PORTS, k=2))
        match = random.choice([f"-p udp -m udp --dport {first}:{last}", f"-p udp -m udp --dport {first}", "-p udp"])
        targets = ["-j DROP", "-j ACCEPT", "-j RETURN", "", "-j REJECT", "-j DROP"]
        targets += [f"{how} c{to}" for how in ("-j", "-g") for to in range(at + 1, self.CHAINS)]
        return f'{match} -m comment --comment "r{number}" {random.choice(targets)}'

    def random_ruleset(self):
        numbers = iter(range(1, 1000))
        lines = ["*filter", f":FORWARD {random.choice(['ACCEPT', 'DROP'])}", *(f":c{at} -" for at in range(1, self.CHAINS))]
        # ICMP errors that answer the datagrams count in no other rule.
        lines.append("-A FORWARD ! -p udp -j ACCEPT")
        for at in range(self.CHAINS):
            chain = f"c{at}" if at else "FORWARD"
            lines += [f"-A {chain} {self.random_rule(at, next(numbers))}" for _ in range(random.randint(0, 5))]
        return "\n".join([*lines, "COMMIT", ""])

    def counted(self, family):
        """How many packets each place has dropped: by (chain, number), 0 for a policy."""
        counts, numbers = collections.Counter(), collections.Counter()
        for line in in_netns(self.nodes.n1, f"{TOOL[family]}-save", "-c", "-t", "filter").stdout.splitlines():
            if found := re.match(r":(\S+) DROP \[(\d+):", line):
                counts[found[1], 0] += int(found[2])
            if found := re.match(r"\[(\d+):\d+\] -A (\S+) (.*)", line):
                numbers[found[2]] += 1
                if re.search("-j (DROP|REJECT)", found[3]):
                    counts[found[2], numbers[found[2]]] += int(found[1])
        return +counts

    def test_judged_by_the_counters(self):
        if not support.has("netfilter hops"):
            self.skipTest("the rule cannot be seen here")
        random.seed(10)
        compared, disagreements = 0, []
        for family in TOOL:
            self.tables("*filter\nCOMMIT\n", family)
        for number in range(RULESETS):
            family = 6 if number % 3 == 2 else 4
            ruleset = self.random_ruleset()
            restore(ruleset, family)  # its counters are 0
            said = collections.Counter()
            for port in self.PORTS:
                drop, sent = drop_with_text(self.trace, port, family)
                compared += sent
                if rule := drop.get("rule"):
                    said[rule["chain"], rule.get("rule_number", 0)] += sent
            judged = self.counted(family)
            if said != judged:
                disagreements.append((judged, said, ruleset))
        print(f"{compared} compared, {len(disagreements)} of {RULESETS} rulesets disagree")
        self.assertEqual(disagreements, [])


if __name__ == "__main__":
    unittest.main()
