"""No cause is told where there is none, and none that is not so: healthy traffic of every kind, and a node that changes
while it is asked."""

import contextlib
import itertools
import socket

import support
from support import NodeTest, Trace, in_netns, topology
from support.traffic import new_port, repeating, tcp_transfer

BEYOND = "10.99.1.1"  # nobody has it
# The first evidence of each cause that the changing routes may be behind.
PROOFS = {
    "no-route": r"^ip route get .*: Network is unreachable$",
    "route-blackhole": r"^ip route: blackhole 10\.99\.0\.0/16",
    "route-unreachable": r"^ip route: unreachable 10\.99\.0\.0/16",
    "route-prohibit": r"^ip route: prohibit 10\.99\.0\.0/16",
    "forwarding-disabled": r"cni0\.forwarding = 0$",
}


def send_datagrams(pod, address, count):
    with support.udp_socket(pod) as client:
        port = new_port()
        for _ in range(count):
            with contextlib.suppress(OSError):  # an ICMP error for the one before
                client.sendto(b"anybody?", (address, port))


def ask_and_answer(client_pod, server_pod, family, count, size):
    """Datagrams, each answered with its like."""
    with support.udp_socket(server_pod, family) as server, support.udp_socket(client_pod, family) as client:
        client.connect(server.getsockname()[:2])
        for _ in range(count):
            client.send(bytes(size))
            data, asking = server.recvfrom(size)
            server.sendto(data, asking)
            client.recv(size)


def ask_the_service(client_pod):
    nodes = topology()
    with support.listener(nodes.pod3, port=nodes.service[1]) as server, support.tcp_client(client_pod) as client:
        client.connect(nodes.service)
        connection, _ = server.accept()
        with connection:
            client.sendall(bytes(10_000))
            client.shutdown(socket.SHUT_WR)
            while connection.recv(10_000):
                pass


class Healthy(NodeTest):
    PINGS = 50 if support.IN_VM else 1500

    def test_no_cause_is_told(self):
        nodes = topology()
        pod1, pod2, pod3 = nodes.pod1, nodes.pod2, nodes.pod3
        for kind in "trace", "drops":
            with self.subTest(kind=kind), contextlib.ExitStack() as stack:
                if kind == "trace":
                    run = stack.enter_context(Trace("--pod-ip", pod1.ip, "--pod-ip", pod1.ip6, "--ring-size", "64M", netns=nodes.n1))
                else:
                    run = stack.enter_context(support.Watch("--pod-ip", pod1.ip, netns=nodes.n1))
                for pod, family in itertools.product((pod2, pod3), (4, 6)):
                    in_netns(pod1.netns, "ping", f"-{family}", "-q", "-f", "-c", str(self.PINGS), pod.address(family))
                    # Fragments, too, of which the tunnel's are smaller.
                    in_netns(pod1.netns, "ping", f"-{family}", "-q", "-i", "0.01", "-c", "20", "-s", "4000", pod.address(family))
                    for size in 100, 3000:
                        ask_and_answer(pod1, pod, family, self.PINGS // 10, size)
                        ask_and_answer(pod, pod1, family, self.PINGS // 10, size)
                    # The pods' MTU is too large for the IPv6 tunnel, so that its first segments are lost.
                    if (pod, family) != (pod3, 6):
                        tcp_transfer(pod1, pod, 1_000_000, family)
                        tcp_transfer(pod, pod1, 1_000_000, family)
                ask_the_service(pod1)
                for family in (4, 6):  # from the node itself
                    in_netns(nodes.n1, "ping", f"-{family}", "-q", "-i", "0.01", "-c", "20", pod1.address(family))
                summary = run.stop()
                told = [packet for packet in run.packets if "drop" in packet or "inference" in packet or "cause" in packet]
                self.assertEqual(told, [], told[:3])
                if kind == "trace":
                    self.assert_nothing_lost(summary)
                    self.assertGreater(len(run.packets), 8 * self.PINGS)


class Changing(NodeTest):
    def test_routes_and_settings(self):
        """What is told is what was read: never the words of one cause with the proof of another."""
        nodes = topology()

        def on_node(*command):
            return lambda: in_netns(nodes.n1, *command, check=False)

        forwarding = "net.ipv4.conf.cni0.forwarding"
        changes = [on_node("ip", "route", "replace", kind, "10.99.0.0/16") for kind in ("blackhole", "unreachable", "prohibit")]
        changes += [on_node("ip", "route", "flush", "root", "10.99.0.0/16"), on_node("sysctl", "-qw", f"{forwarding}=0"),
                    on_node("sysctl", "-qw", f"{forwarding}=1")]
        changes = itertools.cycle(changes)
        with Trace("--pod-ip", nodes.pod1.ip, "--protocol", "udp") as trace:
            try:
                with repeating(lambda: next(changes)(), 0):
                    for _ in range(10 if support.IN_VM else 40):
                        send_datagrams(nodes.pod1, BEYOND, 50)
                        support.ping(nodes.pod1, nodes.pod2.ip)  # across the bridge: a pause
            finally:
                on_node("sysctl", "-qw", f"{forwarding}=1")()
                on_node("ip", "route", "flush", "root", "10.99.0.0/16")()
            summary = trace.stop()
        self.assert_nothing_lost(summary)
        causes = {}
        for packet in trace.packets:
            drop = packet["drop"]
            cause = drop.get("cause", "none")
            causes[cause] = causes.get(cause, 0) + 1
            if cause in ("unknown", "none"):
                continue
            self.assertIn(cause, PROOFS, drop)
            self.assertRegex(drop["evidence"][0], PROOFS[cause], drop)
        self.assertGreater(len(causes.keys() & PROOFS.keys()), 2, causes)

    def test_a_netns_that_ends(self):
        """Its pods' drops are asked about while it is taken down; another pod's are explained all the while."""
        nodes = topology()
        with Trace("--pod-ip", nodes.pod1.ip, "--protocol", "udp") as trace:
            for number in range(3):
                with nodes.pod(1, f"gone{number}") as pod, repeating(lambda: send_datagrams(nodes.pod1, pod.ip, 5), 0.02):
                    support.ping(nodes.pod1, pod.ip)
                    nodes.end_pod(pod)
            send_datagrams(nodes.pod1, nodes.pod2.ip, 1)
            last = trace.packet(destination=nodes.pod2.ip)
            summary = trace.stop()
        self.assertEqual(last["drop"].get("cause"), "no-listener", last)
        self.assert_nothing_lost(summary)
        for packet in trace.packets:
            cause = packet.get("drop", {}).get("cause", "unknown")
            self.assertIn(cause, ("unknown", "no-listener", "neighbour-unresolved", "device-down", "no-carrier", "bridge-no-port", "other-host"), packet)
