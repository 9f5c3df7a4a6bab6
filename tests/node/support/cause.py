"""The base of the cases of causes: a packet of pod 1's dies, and the command that is printed is run as a shell does."""

from .case import NodeTest
from .netns import in_netns
from .nodes import topology
from .packets import describe
from .trace import Trace
from .traffic import ping

ECHO_REQUEST = {4: 8, 6: 128}
PROVED = set()  # the causes that the cases of this run have found told, with their evidence


class CauseTest(NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1, cls.pod2, cls.pod3 = cls.nodes.pod1, cls.nodes.pod2, cls.nodes.pod3
        for tool in "iptables-legacy", "ip6tables-legacy":  # its module is there before the trace
            in_netns(cls.nodes.n1, tool, "-L", check=False)

    def setUp(self):
        self.trace = Trace.shared("--pod-ip", self.pod1.ip, "--pod-ip", self.pod1.ip6)

    def dropped_request(self, address, *options, family=4, source=None):
        icmp_id = ping(source or self.pod1, address, *options, family=family, expect_reply=False)
        packet = self.trace.packet(icmp=ECHO_REQUEST[family], id=icmp_id)
        self.assertEqual(packet["verdict"], "dropped", describe(packet))
        return packet["drop"]

    def assert_cause(self, drop, cause, *evidence, fix=()):
        """`evidence`: patterns, in order; `fix`: patterns of all commands."""
        self.assertEqual(drop.get("cause"), cause, drop)
        self.assertTrue(drop["explanation"], drop)
        told = drop.get("evidence", [])
        self.assertEqual(len(told), len(evidence), drop)
        for fact, pattern in zip(told, evidence):
            self.assertRegex(fact, pattern)
        commands = drop.get("fix", [])
        self.assertEqual(len(commands), len(fix), drop)
        for command, pattern in zip(commands, fix):
            self.assertRegex(command, pattern)
        PROVED.add(cause)

    def mend(self, drop):
        """What a person does on the node: pastes the command into a shell."""
        self.assertTrue(drop.get("fix"), drop)
        for command in drop["fix"]:
            in_netns(self.nodes.n1, "sh", "-c", command)
