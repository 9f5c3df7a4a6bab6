"""What a tenant makes in its own network namespace takes time to look at: the watch has none for it."""

import support
from support import NodeTest, Watch, wait_until
from tenant import Tenant
from test_metrics import refused_datagrams

PAIRS = 1000
ROUTES = 200_000

MAKE_PAIRS = b"""
for i in $(seq %d); do
  echo "link add s$i type veth peer name r$i address 02:00:00:00:00:01"
done | ip -batch -
for i in $(seq %d); do printf 'link set s%%s up\\nlink set r%%s up\\n' $i $i; done | ip -batch -
""" % (PAIRS, PAIRS)

# For each of the devices a kind: packets without an IP header.
LOSE = b"""python3 -c '
import socket
for index in range(1, %d + 1):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((f"s{index}", 0))
        sender.send(bytes.fromhex("020000000001" "020000000002" "0800") + bytes(46))'
""" % PAIRS

# 10.0.0.0/8 has room for them.
MAKE_ROUTES = b"""
ip link set s1 up; ip addr add 192.0.2.1/24 dev s1
python3 -c '
for index in range(%d):
    print(f"route add 10.{index >> 16}.{index >> 8 & 255}.{index & 255}/32 via 192.0.2.2 dev s1")' | ip -batch -
""" % ROUTES


def longest(watch):
    with watch._changed:
        records = list(watch.packets)
    return max((record["interval_ns"] for record in records if "interval_ns" in record), default=0) / 1e9


class Naming(NodeTest):
    def test_the_watch_goes_on(self):
        """A thousand pairs, a kind of drops each, and routes: others' drops keep their names, intervals their length."""
        nodes = support.topology()
        sent = 0
        with Tenant() as tenant:
            tenant.run(MAKE_PAIRS)
            tenant.run(MAKE_ROUTES)
            with Watch("--interval", "1s") as watch:
                tenant.run(LOSE)
                for _ in range(5):
                    refused_datagrams(nodes.pod1, nodes.pod2, 10)
                    sent += 10
                    self.wait_for(watch, sent, nodes.pod1)
                    tenant.run(LOSE)
                watch.stop()
                self.assertEqual(self.count(watch, nodes.pod1), sent)
                # Twice its length is promised; a machine that is busy itself gets more.
                self.assertLess(longest(watch), 5)
                self.assert_folded(watch, tenant)

    @staticmethod
    def count(watch, pod):
        """Drops of what the pod has sent, with their names."""
        return sum(row["packets"] for row in watch.rows(protocol="udp")
                   if row["interface"].get("name") == "eth0" and row.get("pod", {}).get("pod") == f"default/{pod.name}"
                   and row.get("reason", "NO_SOCKET") == "NO_SOCKET")

    def wait_for(self, watch, count, pod):
        wait_until(lambda: self.count(watch, pod) >= count, watch.state, timeout=3 * support.TIMEOUT)

    def assert_folded(self, watch, tenant):
        """What the tenant has too much of is its own `other`, and all of it is counted."""
        with watch._changed:
            records = [record for record in watch.packets
                       if record.get("interface", {}).get("netns") == tenant.netns and record["loss"]]
        kinds = [record for record in records if not record.get("folded")]
        self.assertTrue(any(record.get("folded") for record in records))
        # A share each interval, on two processors perhaps a little more; another device may be met in the next.
        self.assertLess(len(kinds) / len({record["time"] for record in kinds}), 48)
        self.assertFalse([line for line in watch.stray_lines if "drop_other" in line], watch.stray_lines)
