"""With fewer capabilities: what is told is true, or refused by the name of what is missing."""

import unittest

from support import NodeTest, Trace, ping, topology


class FewerCapabilities(NodeTest):
    def test_ping_is_no_drop_without_word_of_sockets(self):
        """Without CAP_SYS_ADMIN nobody tells which packets sockets take."""
        nodes = topology()
        without = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
        with Trace("--pod-ip", nodes.pod1.ip, prefix=without) as trace:
            icmp_id = ping(nodes.pod1, nodes.pod2.ip)
            request = trace.packet(icmp=8, id=icmp_id)
            summary = trace.stop()
            self.assertIn("which packets a TCP, UDP or raw socket took", trace.stderr())
        reply = trace.packet(icmp=0, id=icmp_id)
        self.assertEqual(request["verdict"], "delivered")
        self.assertEqual(reply["verdict"], "unfinished")
        self.assertEqual(summary["dropped"], 0)


if __name__ == "__main__":
    unittest.main()
