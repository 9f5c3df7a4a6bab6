"""What a tenant makes in its own network namespace takes time to look at: the watch has none for it."""

import support
from support import NodeTest, Watch, wait_until
from tenant import Tenant
from support.metrics import refused_datagrams

PAIRS = 300
ROUTES = 100_000

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
        """Pairs, a kind of drops each, and routes: others' drops keep their names, intervals their length."""
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
                self.assertLess(longest(watch), 10)
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


# Protocols that nobody speaks, each a kind of its own, at the bridge that both pods share and beyond it.
LOSE_BY_PROTOCOL = """
import socket, sys
for protocol in set(range(64, 253)) - {103, 108, 132, 136}:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol) as sender:
        for address in sys.argv[1:]:
            sender.sendto(bytes(64), (address, 0))
"""


class Shares(NodeTest):
    def test_a_neighbour_takes_nothing_of_a_pod(self):
        """A pod that makes more kinds than it may have, at the same device: the other one's have their names all the same."""
        nodes = support.topology()
        noisy, good = nodes.pod2, nodes.pod1
        gateway = type("Gateway", (), {"ip": "10.244.19.1"})
        sent = 0
        with Watch("--interval", "1s") as watch:
            for _ in range(3):
                done = support.in_netns(noisy.netns, "python3", "-c", LOSE_BY_PROTOCOL, gateway.ip, good.ip)
                self.assertEqual(done.returncode, 0, done.stderr)
                refused_datagrams(good, gateway, 10)
                sent += 10
            wait_until(lambda: self.count(watch, good) >= sent, watch.state)
            watch.stop()
        self.assertEqual(self.count(watch, good), sent)
        kinds = [row for row in watch.rows() if row.get("pod", {}).get("pod") == f"default/{noisy.name}"]
        self.assertGreater(len(kinds), 200, "the noisy one was noisy")
        self.assertTrue([row for row in kinds if row.get("folded")], "and had more kinds than its share")
        self.assertFalse([line for line in watch.stray_lines if "drop_other" in line], watch.stray_lines)

    @staticmethod
    def count(watch, pod):
        return sum(row["packets"] for row in watch.rows(protocol="udp")
                   if row["interface"].get("name") == "cni0" and row.get("pod", {}).get("pod") == f"default/{pod.name}")
