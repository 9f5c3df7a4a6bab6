"""Causes of connection tracking: its table is full, two connections want one entry, NAT has no port left, and why a rule
found a segment invalid. Which hook function dropped a packet is told only where hook functions can be probed."""

import contextlib
import unittest

import support
from support import CauseTest, Trace, changed, sysctl, wait_until

NODE2 = {4: "192.168.56.12", 6: "fd00:56::12"}
MAX = "net/netfilter/nf_conntrack_max"
TOOL = {4: "iptables", 6: "ip6tables"}
ACK, RST = 16, 4
FAILED = r"^conntrack: \d+ entries could not be made so far \(insert_failed\)$"


class Conntrack(CauseTest):
    def rule(self, rule, family=4, tool=None):
        """`-t TABLE CHAIN ...` while the case runs, before all others of its chain."""
        table, chain, rest = rule.split(maxsplit=2)
        tool = f"{tool or TOOL[family]} -t {table}"
        self.enterContext(changed(self.nodes.n1, f"{tool} -I {chain} {rest}", f"{tool} -D {chain} {rest}"))

    def send_to_outside(self, port, family=4, source_port=None):
        with support.udp_socket(self.pod1, family, source_port) as client:
            client.sendto(b"x", (NODE2[family], port))
            return client.getsockname()[1], port

    def drop_of(self, ports):
        packet = self.trace.packet(ports=ports)
        self.assertEqual(packet["verdict"], "dropped", support.describe(packet))
        return packet["drop"]

    def until_told(self, send, cause):
        """Until the drop that `send` causes has the cause: the first one begins the probes of hook functions."""
        drops = []

        def told():
            drops.append(send())
            return drops[-1].get("cause") == cause

        wait_until(told, lambda: f"{cause}: {drops[-1]} ({self.trace.state()})")
        return drops[-1]


@contextlib.contextmanager
def room_for(entries):
    """The setting is the machine's, whichever netns has the entries."""
    path = f"/proc/sys/{MAX}"
    with open(path) as file:
        before = file.read()
    with open(path, "w") as file:
        file.write(str(entries))
    try:
        yield
    finally:
        with open(path, "w") as file:
            file.write(before)


class Table(Conntrack):
    def test_full(self):
        support.require("netfilter hops")
        for family in (4, 6):
            with self.subTest(family=family):
                self.send_to_outside(support.new_port(), family)  # there is an entry
                with room_for(1):
                    drop = self.until_told(
                        lambda: self.drop_of(self.send_to_outside(support.new_port(), family)), "conntrack-table-full")
                    self.assert_cause(drop, "conntrack-table-full", r"^net\.netfilter\.nf_conntrack_count = \d+$",
                                      r"^net\.netfilter\.nf_conntrack_max = 1$")

    def test_full_where_there_is_a_way_to_the_setting(self):
        """The one that all of the machine have."""
        support.require("netfilter hops")
        with Trace("--pod-ip", self.pod1.ip, prefix=("nsenter", "--net=/proc/1/ns/net")) as trace:
            self.trace = trace
            self.send_to_outside(support.new_port())
            with room_for(1):
                drop = self.until_told(lambda: self.drop_of(self.send_to_outside(support.new_port())), "conntrack-table-full")
                self.assert_cause(drop, "conntrack-table-full", "nf_conntrack_count", "nf_conntrack_max",
                                  fix=[r"^sysctl -w net\.netfilter\.nf_conntrack_max=\d+$"])
                support.run("sh", "-c", drop["fix"][0])
                packet = trace.packet(ports=self.send_to_outside(support.new_port()))
                self.assertNotEqual(packet.get("drop", {}).get("interface", {}).get("name"), "cni0", support.describe(packet))


class Clash(Conntrack):
    def test_another_has_the_port(self):
        """Whether NAT could have known is not told of an entry whose packets still come."""
        support.require("netfilter hops")
        for family in (4, 6):
            with self.subTest(family=family), support.udp_socket(self.pod2, family) as busy:
                port = support.new_port()
                self.rule(f"nat POSTROUTING -p udp --dport {port} -j MASQUERADE --to-ports 5000", family)

                def send():
                    busy.sendto(b"x", (NODE2[family], port))
                    return self.drop_of(self.send_to_outside(port, family))

                drop = self.until_told(send, "conntrack-clash")
                self.assert_cause(drop, "conntrack-clash",
                                  rf"^conntrack: udp \[?{self.pod2.address(family)}\]?:\d+ > .*:{port}, by NAT .*:5000 > .*:{port}$",
                                  FAILED)


class Ports(Conntrack):
    def test_none_left(self):
        support.require("netfilter hops")
        for family in (4, 6):
            with self.subTest(family=family):
                port = support.new_port()
                self.rule(f"nat POSTROUTING -p udp --dport {port} -j MASQUERADE --to-ports 5000-5001", family)
                for _ in range(2):
                    self.send_to_outside(port, family)
                drop = self.until_told(lambda: self.drop_of(self.send_to_outside(port, family)), "nat-ports-exhausted")
                self.assert_cause(drop, "nat-ports-exhausted",
                                  rf"^conntrack: udp .*:{port}, by NAT .*:500[01] > .*:{port}, older", FAILED)
                self.assertIn(f"{NODE2[family]} port {port}", drop["explanation"])


class Invalid(Conntrack):
    def segment(self, flags, sender=None, receiver=None, ports=None):
        ports = ports or (support.new_port(), support.new_port())
        support.send_tcp_segment(sender or self.pod1, receiver or self.pod3, ports, flags)
        return self.drop_of(ports)

    def test_of_no_connection(self):
        support.require("netfilter hops")
        for tool in "iptables-legacy", "iptables-nft":
            with self.subTest(tool=tool), contextlib.ExitStack() as stack:
                rule = "FORWARD -m conntrack --ctstate INVALID -j DROP"
                stack.enter_context(changed(self.nodes.n1, f"{tool} -I {rule}", f"{tool} -D {rule}"))
                drop = self.until_told(lambda: self.segment(RST), "conntrack-invalid")
                self.assert_cause(drop, "conntrack-invalid",
                                  rf"^conntrack: no entry of tcp {self.pod1.ip}:\d+ > {self.pod3.ip}:\d+$",
                                  fix=["^(iptables-legacy -t filter -D FORWARD|nft delete rule ip filter FORWARD handle) "])

    def test_by_a_rule_of_more(self):
        """The same segment, but the rule does not say that it is because of its state."""
        support.require("netfilter hops")
        rule = "FORWARD -p tcp -m conntrack --ctstate INVALID,NEW -j DROP"
        with changed(self.nodes.n1, f"iptables-legacy -I {rule}", f"iptables-legacy -D {rule}"):
            drop = self.until_told(lambda: self.segment(RST), "netfilter-rule")
        self.assertNotIn("conntrack", drop["explanation"])

    def test_outside_of_the_window(self):
        support.require("netfilter hops")
        rule = "FORWARD -m conntrack --ctstate INVALID -j DROP"
        liberal = "net/netfilter/nf_conntrack_tcp_be_liberal"
        with changed(self.nodes.n1, f"iptables-legacy -I {rule}", f"iptables-legacy -D {rule}"), \
                sysctl(self.nodes.n1, liberal, 0), sysctl(self.nodes.n2, liberal, 1), \
                support.listener(self.pod3) as server, support.tcp_client(self.pod1) as client:
            ports = client.getsockname()[1], server.getsockname()[1]
            client.connect((self.pod3.ip, ports[1]))
            # What is too old is let pass since 6.2, and on 6.1 as Debian has it, too.
            ahead = (self.trace.packet(ports=ports)["flow"]["tcp"]["sequence"] + (1 << 30)) % (1 << 32)
            with server.accept()[0]:
                def send():
                    known = len(self.trace.found(ports=ports))
                    support.send_tcp_segment(self.pod1, self.pod3, ports, ACK, ahead)
                    return next((packet["drop"] for packet in self.trace.wait_for(known + 1, ports=ports)[known:]
                                 if "drop" in packet), {})

                drop = self.until_told(send, "conntrack-invalid")
                self.assert_cause(drop, "conntrack-invalid", rf"^conntrack: tcp {self.pod1.ip}:{ports[0]} > .*: ESTABLISHED$",
                                  r"^net\.netfilter\.nf_conntrack_tcp_be_liberal = 0$",
                                  fix=[r"sysctl -w net\.netfilter\.nf_conntrack_tcp_be_liberal=1$"])
                self.mend(drop)
                self.assertNotEqual(send().get("cause"), "conntrack-invalid")  # the pod that gets it may not want it


if __name__ == "__main__":
    unittest.main()
