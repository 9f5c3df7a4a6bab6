"""Drops by nftables on a kernel that lets nobody see which rule it was: what may have been it is told instead."""

import unittest

import support
from support import CauseTest, drop_of_datagram
from test_nftables import load, unload


class UnseenRules(CauseTest):
    @classmethod
    def setUpClass(cls):
        if support.has("netfilter hops"):
            raise unittest.SkipTest("the rule itself is seen here")
        super().setUpClass()

    def dropped(self, rules, family=4):
        load(rules)
        self.addCleanup(lambda: [unload(name) for name in ("inet", "ip", "ip6", "bridge")])
        return drop_of_datagram(self.trace, support.new_port(), family)

    def chain(self, rules, hook="forward", family="inet", name="c", policy="accept"):
        return (f"table {family} dptrace_case {{ chain {name} {{ type filter hook {hook} priority 10; policy {policy};\n"
                f"{rules}\n }} }}\n")

    def test_the_only_one(self):
        for family in (4, 6):
            with self.subTest(family=family):
                drop = self.dropped(self.chain('meta l4proto udp drop comment "the one"') + self.chain("meta l4proto udp drop", hook="input", name="in"), family)
                self.assert_cause(drop, "netfilter-rule", '^inet dptrace_case, chain c: meta l4proto udp drop comment "the one"$')
                self.assertIn("only one at FORWARD can drop", drop["explanation"])
                unload()

    def test_behind_a_jump(self):
        rules = """table ip dptrace_case {
            chain other { drop
            }
            chain deep { udp dport 1-65535 reject
            }
            chain c { type filter hook forward priority 10; ip protocol udp jump deep
            }
        }
        """
        drop = self.dropped(rules + self.chain("drop", family="ip6"))
        # The rule of kube-proxy's that takes what conntrack calls invalid is at the same hook.
        self.assert_cause(drop, "netfilter-rule", "^ip filter, chain KUBE-FORWARD: ct state invalid ",
                          "^ip dptrace_case, chain deep: udp dport 1-65535 reject")

    def test_one_of_some(self):
        drop = self.dropped(self.chain("tcp dport 9 drop\nudp dport 1-65535 drop", policy="drop"))
        self.assert_cause(drop, "netfilter-rule", "chain c: tcp dport 9 drop$", "chain c: udp dport 1-65535 drop$", "chain c: policy drop$")
        self.assertRegex(drop["explanation"], "^one of the 3 rules and policies of nftables at FORWARD that can; which one")

    def test_one_of_many(self):
        rules = "\n".join(f"tcp dport {port} drop" for port in range(1, 60))
        drop = self.dropped(self.chain(rules + "\nmeta l4proto udp drop"))
        self.assert_cause(drop, "netfilter-rule", "^inet dptrace_case, chain c: 60$")

    def test_a_map_may_lead_to_any_chain(self):
        rules = """table inet dptrace_case {
            chain a { udp dport 1-65535 drop
            }
            chain c { type filter hook forward priority 10; meta l4proto vmap { tcp : accept, udp : goto a }
            }
        }
        """
        drop = self.dropped(rules)
        self.assert_cause(drop, "netfilter-rule", "chain a: udp dport 1-65535 drop$", "chain c: meta l4proto vmap ")

    def test_by_a_policy(self):
        drop = self.dropped(self.chain("meta l4proto != udp accept", policy="drop"))
        self.assert_cause(drop, "netfilter-policy", "^inet dptrace_case, chain c: policy drop$")


if __name__ == "__main__":
    unittest.main()
