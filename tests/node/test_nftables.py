"""The rule of nftables that dropped a packet: named as the kernel's own trace names it."""

import contextlib
import os
import random
import re
import socket
import subprocess
import tempfile
import threading
import unittest

import support
from support import NodeTest, drop_with_text, has_text, in_netns, send_datagram, topology, wait_until

RULESETS = int(os.environ.get("DPTRACE_RULESETS", "10"))


def setUpModule():
    """One trace for all cases: it takes the guests longest to start."""
    nodes = topology()
    # The modules are there before the trace, as on a node that uses them.
    support.has("netfilter hops")
    load("table inet dptrace_case { chain c { type filter hook forward priority 10; udp dport 7000 reject\n } }")
    unittest.addModuleCleanup(unload)
    NftTest.trace = unittest.enterModuleContext(support.Trace("--pod-ip", nodes.pod1.ip, "--pod-ip", nodes.pod1.ip6))
    unload()


def load(rules, netns=None):
    in_netns(netns or topology().n1, "nft", "-f", "-", input=re.sub(r"}[ \n]*}", "}\n}", rules))


def unload(family="inet", table="dptrace_case", netns=None):
    in_netns(netns or topology().n1, "nft", "delete", "table", family, table, check=False)


class NftTest(NodeTest):
    FAMILIES = {"inet": "inet", "ip": "ipv4", "ip6": "ipv6"}

    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1, cls.pod3 = cls.nodes.pod1, cls.nodes.pod3

    def table(self, rules, family="inet"):
        load(f"table {family} dptrace_case {{\n{rules}\n}}\n")
        self.addCleanup(unload, family)

    def handle(self, comment, family="inet"):
        listing = in_netns(self.nodes.n1, "nft", "-a", "list", "table", family, "dptrace_case").stdout
        return int(re.search(rf'"{comment}".*# handle (\d+)', listing).group(1))

    def drop_of(self, port, family=4):
        return drop_with_text(self.trace, port, family)[0]

    def assert_rule(self, drop, chain, comment, verdict="drop", path=None, family="inet"):
        if not support.has("netfilter hops"):
            self.assertNotIn("rule", drop)
            return
        rule = drop["rule"]
        told = [rule[key] for key in ("family", "hook", "table", "chain", "verdict")]
        self.assertEqual(told, [self.FAMILIES[family], "FORWARD", "dptrace_case", chain, verdict], drop)
        self.assertEqual(rule["rule_handle"], self.handle(comment, family), drop)
        self.assertIn(f'comment "{comment}"', rule["rule"])
        if path:
            self.assertEqual([step["rule_handle"] for step in drop["path"]], [self.handle(c, family) for c in path])


class Rules(NftTest):
    FORWARD = "type filter hook forward priority 10; policy accept;"

    def test_verdicts_jumps_and_maps(self):
        """One ruleset for all packets: to load one takes the guests longest."""
        self.table(
            f"""
            chain deny {{ counter drop comment "deny"
            }}
            chain svc {{
                udp dport 7004 goto deny comment "to-deny"
                udp dport 7005 return comment "back"
                udp dport 7006 drop comment "svc"
            }}
            chain forwarded {{ {self.FORWARD}
                udp dport 7001 drop comment "drop"
                udp dport 7002 reject comment "reject"
                udp dport {{ 7004, 7005, 7006 }} jump svc comment "to-svc"
                udp dport 7005 drop comment "after-return"
                udp dport vmap {{ 7007 : drop, 7008 : goto deny }} comment "map"
            }}"""
        )
        self.assert_rule(self.drop_of(7001), "forwarded", "drop")
        self.assert_rule(self.drop_of(7002), "forwarded", "reject", "reject")
        self.assert_rule(self.drop_of(7004), "deny", "deny", path=["to-svc", "to-deny", "deny"])
        self.assert_rule(self.drop_of(7005), "forwarded", "after-return")
        self.assert_rule(self.drop_of(7006), "svc", "svc", path=["to-svc", "svc"])
        self.assert_rule(self.drop_of(7007), "forwarded", "map")
        self.assert_rule(self.drop_of(7008), "deny", "deny", path=["map", "deny"])

    def test_a_chain_in_braces(self):
        self.table(f'chain forwarded {{ {self.FORWARD}\nudp dport 7015 jump {{\nudp dport 7016 accept\ndrop\n}} comment "braces"\n}}')
        drop = self.drop_of(7015)
        if support.has("netfilter hops"):
            self.assertRegex(drop["rule"]["chain"], "^__chain")
            self.assertEqual((drop["rule"]["rule_number"], drop["rule"]["rule"]), (2, "drop"))
            self.assertEqual([step["chain"] for step in drop["path"]], ["forwarded", drop["rule"]["chain"]])

    def test_policy(self):
        self.table('chain forwarded { type filter hook forward priority 10; policy drop; udp dport != 7010 accept\n }')
        drop = self.drop_of(7010)
        if not support.has("netfilter hops"):
            self.assertNotIn("rule", drop)
            return
        self.assertEqual((drop["rule"]["chain"], drop["rule"]["policy"]), ("forwarded", True), drop)
        self.assertNotIn("rule_handle", drop["rule"])
        self.assertEqual(drop["rule"]["rule"], "policy drop")

    def test_families(self):
        rules = f'chain forwarded {{ {self.FORWARD} udp dport 7020 drop comment "family"\n }}'
        for family, version in (("ip", 4), ("ip6", 6)):
            with self.subTest(family):
                self.table(rules, family)
                self.assert_rule(self.drop_of(7020, version), "forwarded", "family", family=family)


def state():
    """What of node 1 nobody but its user may change."""
    node = topology().n1
    sysctls = in_netns(node, "sysctl", "-a", "--pattern", r"^(net|kernel\.(bpf|kptr|ftrace))", check=False).stdout
    settled = [line for line in sysctls.splitlines() if "nf_conntrack_count" not in line]
    return {
        "nftables": in_netns(node, "nft", "-s", "list", "ruleset").stdout,
        "iptables": [re.sub(r"\[.*|^#.*", "", in_netns(node, "iptables-legacy-save", check=False).stdout, flags=re.M)],
        "sysctls": settled,
    }


@contextlib.contextmanager
def nothing_changed():
    node = topology().n1
    before = state()
    monitor = subprocess.Popen(["ip", "netns", "exec", node, "stdbuf", "-oL", "nft", "monitor"], stdout=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        monitor.terminate()
        seen, _ = monitor.communicate()
    assert seen == "", f"nft monitor saw:\n{seen}"
    after = state()
    assert after == before, [key for key in before if after[key] != before[key]]


class Hooks(NftTest):
    """All hooks of a node, and those of a pod whose table has the same name, chains and handles."""

    def hooked(self, netns, comment):
        chains = [
            f'chain {hook} {{ type filter hook {hook} priority 10; policy accept; udp dport {port} drop comment "{hook} {comment}"\n }}'
            for port, hook in enumerate(("prerouting", "input", "output", "postrouting"), 7031)
        ]
        load("table inet dptrace_case {\n" + "\n".join(chains) + "\n}\n", netns)
        self.addCleanup(unload, netns=netns)

    def assert_hook(self, hook, netns, port, sender, receiver):
        drop = drop_with_text(self.trace, port, 4, sender, receiver)[0]
        if not support.has("netfilter hops"):
            self.assertNotIn("rule", drop)
            return
        self.assertEqual(drop["rule"]["hook"], hook.upper(), drop)
        self.assertIn(f'comment "{hook} {netns}"', drop["rule"]["rule"])

    def test_of_node_and_pod(self):
        node = support.node_on_its_bridge()
        self.hooked(self.nodes.n1, "node")
        self.assert_hook("prerouting", "node", 7031, self.pod1, self.pod3)
        self.assert_hook("input", "node", 7032, self.pod1, node)
        self.assert_hook("output", "node", 7033, node, self.pod1)
        self.assert_hook("postrouting", "node", 7034, self.pod1, self.pod3)
        unload()
        self.hooked(self.pod1.netns, "pod")
        self.hooked(self.nodes.n1, "of nobody")
        in_netns(self.nodes.n1, "nft", "flush", "table", "inet", "dptrace_case")
        self.assert_hook("output", "pod", 7033, self.pod1, self.pod3)
        self.assert_hook("input", "pod", 7032, self.pod3, self.pod1)


class Text(NftTest):
    def test_says_by_what_and_changes_nothing(self):
        self.table(f"""chain svc {{
            udp dport 7050 drop comment "svc"
            }}
            chain forwarded {{ {Rules.FORWARD}
            udp dport 7050 jump svc comment "to-svc"
            }}""")
        with tempfile.TemporaryDirectory() as folder:
            recording = os.path.join(folder, "recording")
            with nothing_changed(), support.Trace("--pod-ip", self.pod1.ip, "-w", recording) as trace:
                drop_with_text(trace, 7050)
                trace.stop()
            text = support.dptrace("show", recording, check=True).stdout
        last = self.handle("svc")
        said = (
            f"    by    nftables inet dptrace_case, chain svc, rule handle {last}\n"
            f'          udp dport 7050 drop comment "svc"\n'
            f"    path  forwarded {self.handle('to-svc')} → svc {last}\n"
        )
        self.assertEqual(said in text, support.has("netfilter hops"), text)


class Iptables(NftTest):
    """Rules that iptables-nft has made."""

    def iptables(self, *arguments, check=True):
        in_netns(self.nodes.n1, "iptables-nft", *arguments, check=check)

    def insert(self, *rule):
        """Before those of the node."""
        self.iptables("-I", "FORWARD", *rule)
        self.addCleanup(self.iptables, "-D", "FORWARD", *rule)

    def assert_told(self, drop, verdict, *texts):
        if not support.has("netfilter hops"):
            self.assertNotIn("rule", drop)
            return
        told = [drop["rule"][key] for key in ("table", "chain", "verdict")]
        self.assertEqual(told, ["filter", "FORWARD", verdict], drop)
        for text in texts:
            self.assertIn(text, drop["rule"]["rule"])

    def test_comments_and_targets(self):
        self.insert("-p", "udp", "--dport", "7041", "-m", "comment", "--comment", "no 7041", "-j", "DROP")
        self.insert("-p", "udp", "--dport", "7042", "-m", "comment", "--comment", "no 7042", "-j", "REJECT")
        self.assert_told(self.drop_of(7041), "drop", "udp dport 7041", 'comment "no 7041"')
        self.assert_told(self.drop_of(7042), "reject", "udp dport 7042", 'comment "no 7042"')

    def test_several_comments(self):
        """Calico's rules have its mark and a reason."""
        comments = ("cali:wVZUPQ2Dhl4TPVs3", "Drop if no profiles matched")
        marks = [word for comment in comments for word in ("-m", "comment", "--comment", comment)]
        self.iptables("-N", "cali-fw-cali1")
        self.addCleanup(self.iptables, "-X", "cali-fw-cali1")
        self.iptables("-A", "cali-fw-cali1", *marks, "-j", "DROP")
        self.addCleanup(self.iptables, "-F", "cali-fw-cali1")
        self.insert("-p", "udp", "--dport", "7044", "-j", "cali-fw-cali1")
        drop = self.drop_of(7044)
        if support.has("netfilter hops"):
            for comment in comments:
                self.assertIn(f'comment "{comment}"', drop["rule"]["rule"])
            self.assertRegex(drop["explanation"], "^Calico: ")
        self.assertEqual(drop["cause"], "netfilter-rule")

    def test_a_match_that_drops_is_not_the_policy(self):
        """A datagram too short for its ports."""
        self.insert("-p", "udp", "-m", "multiport", "--dports", "7043", "-j", "ACCEPT")
        self.iptables("-P", "FORWARD", "DROP")
        self.addCleanup(self.iptables, "-P", "FORWARD", "ACCEPT")
        with support.network_namespace(self.pod1.netns):
            endpoint = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)

        def dropped():
            endpoint.sendto(b"\0\1", (self.pod3.ip, 0))
            found = self.trace.found(source=self.pod1.ip, destination=self.pod3.ip, protocol="udp", ports=(1, 0))
            return [packet["drop"] for packet in found if has_text(packet["drop"])]

        with contextlib.closing(endpoint):
            drop = wait_until(dropped, "the drop with its rule")[0]
        # libnftables may tell the match in words of its own.
        self.assert_told(drop, "drop", "dport", "7043")


class ReplacedRules(NftTest):
    """The text is that of the rule that dropped, or is not told."""

    def test_while_rules_change_places(self):
        self.table(f"chain forwarded {{ {Rules.FORWARD}\n }}")
        chain = "inet dptrace_case forwarded"
        rules = [f'add rule {chain} udp dport {port} drop comment "p{port}"' for port in (7150, 7151)]
        versions = ["\n".join([f"flush chain {chain}", *order]) for order in (rules, rules[::-1])]
        load(versions[0])
        support.assert_exact_while_replaced(self, self.trace, versions, load)


class Judge(NftTest):
    """Random rulesets, and the kernel's own trace beside them."""

    CHAINS, PORTS = 5, range(7100, 7108)

    def random_rule(self, at, number):
        ports = sorted(random.sample(self.PORTS, random.randint(1, 4)))
        match = f"udp dport {{ {', '.join(map(str, ports))} }}"
        verdicts = ["drop", "accept", "return", "counter", "reject", "counter drop", "meta mark set 7"]
        verdicts += [f"{how} c{to}" for how in ("jump", "goto") for to in range(at + 1, self.CHAINS)]
        if random.random() < 0.2:
            targets = ["drop", "accept"] + [f"jump c{to}" for to in range(at + 1, self.CHAINS)]
            match, verdicts = f"udp dport vmap {{ {', '.join(f'{p} : {random.choice(targets)}' for p in ports)} }}", [""]
        return f'{match} {random.choice(verdicts)} comment "r{number}"'

    def random_ruleset(self):
        numbers = iter(range(1, 1000))
        chains = []
        for at in reversed(range(self.CHAINS)):
            rules = "\n".join(self.random_rule(at, next(numbers)) for _ in range(random.randint(0, 5)))
            hook = f"type filter hook forward priority 10; policy {random.choice(['accept', 'drop'])};" if at == 0 else ""
            chains.append(f"chain c{at} {{ {hook}\n{rules}\n }}")
        return "table inet dptrace_case { " + "\n".join(chains) + " }"

    @contextlib.contextmanager
    def monitor(self):
        load("table inet dptrace_judge { chain t { type filter hook forward priority -400; meta l4proto udp meta nftrace set 1\n } }")
        self.addCleanup(unload, "inet", "dptrace_judge")
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.nodes.n1, "stdbuf", "-oL", "nft", "-a", "monitor", "trace"], stdout=subprocess.PIPE, text=True
        )
        lines = []

        def read():
            for line in process.stdout:
                lines.append(line)

        threading.Thread(target=read, daemon=True).start()
        try:
            # It listens some time after it was started.
            wait_until(lambda: send_datagram(7199) and lines, "the kernel's trace")
            yield lines
        finally:
            process.terminate()
            process.wait()

    @staticmethod
    def judged(lines, ports):
        """What the kernel's trace says of this packet; None: nothing yet."""
        number = None
        for line in list(lines):
            if "udp sport {} udp dport {} ".format(*ports) in line:
                number = line.split()[2]
            if number and line.startswith(f"trace id {number} inet dptrace_case c"):
                if "policy " in line:
                    return "policy " + line.split("policy ")[1].split()[0]
                rule = re.search(r"handle (\d+) \(verdict (accept|drop)\)", line)
                if rule:
                    return int(rule.group(1)) if rule.group(2) == "drop" else "policy accept"
        return None

    def test_judged_by_the_kernel(self):
        if not support.has("netfilter hops"):
            self.skipTest("the rule cannot be seen here")
        random.seed(10)
        compared, disagreements = 0, []
        with self.monitor() as lines:
            for _ in range(RULESETS):
                ruleset = self.random_ruleset()
                load(ruleset)
                lines.clear()
                sent = [send_datagram(port) for port in self.PORTS]
                for ports in sent:
                    verdict = wait_until(lambda: self.judged(lines, ports), f"the kernel's trace of {ports}")
                    drop = self.trace.packet(source=self.pod1.ip, ports=ports).get("drop")
                    rule = (drop or {}).get("rule", {})
                    said = "policy drop" if rule.get("policy") else rule.get("rule_handle")
                    compared += 1
                    if said != (None if verdict == "policy accept" else verdict):
                        disagreements.append((verdict, said, rule, ruleset))
                unload()
        print(f"{compared} compared, {len(disagreements)} disagree")
        self.assertEqual(disagreements, [])


if __name__ == "__main__":
    unittest.main()
