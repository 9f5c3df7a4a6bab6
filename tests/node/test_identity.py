"""Which packets are ours: what was asked for, and nothing of another's, whatever its content is."""

import contextlib
import socket
import threading
import unittest

import support
from support import NodeTest, Trace, in_netns, network_namespace, ping, topology

ECHO_REQUEST = {4: 8, 6: 128}
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, DO_NOT_FRAGMENT = 10, 23, 2


def datagrams(pod, family, port):
    """A socket whose IPv4 packets have no id: DF is set, as by QUIC's libraries. Not connected: then IPv4 counts ids."""
    client = support.udp_socket(pod, family, port)
    if family == 4:
        client.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, DO_NOT_FRAGMENT)
    else:
        client.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, DO_NOT_FRAGMENT)
    return client


class EqualContent(NodeTest):
    """Two pods whose packets differ in nothing but their addresses."""

    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1, cls.pod2, cls.pod3 = cls.nodes.pods[:3]
        cls.trace = cls.enterClassContext(Trace("--pod-ip", cls.pod1.ip, "--pod-ip", cls.pod1.ip6))

    def assert_nothing_of(self, pod):
        for packet in self.trace.found():
            text = support.describe(packet)
            ends = {end["ip"] for end in (packet["flow"]["source"], packet["flow"]["destination"])}
            self.assertFalse(ends & {pod.ip, pod.ip6}, text)
            for (source, _), (destination, _) in support.flows(packet):
                self.assertFalse({source, destination} & {pod.ip, pod.ip6}, text)

    def test_pings_of_one_address_at_one_moment(self):
        for family in (4, 6):
            with self.subTest(family=family):
                icmp_id = 0x7100 + family
                options = "-s", "16", "-p", "ff"
                threads = [
                    threading.Thread(
                        target=ping, args=(pod, self.pod3.address(family), *options),
                        kwargs={"family": family, "icmp_id": icmp_id},
                    )
                    for pod in (self.pod2, self.pod1, self.pod2)
                ]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                ours = self.pod1.address(family)
                request = self.trace.packet(icmp=ECHO_REQUEST[family], source=ours, id=icmp_id)
                self.assert_delivered(request, self.nodes.request(self.pod1, self.pod3, family))
                reply = self.trace.packet(destination=ours, id=icmp_id)
                self.assert_delivered(reply, self.nodes.reply(self.pod1, self.pod3, family))
                self.assert_nothing_of(self.pod2)

    def test_datagrams_without_an_id(self):
        for family in (4, 6):
            with self.subTest(family=family), support.udp_socket(self.pod3, family) as server:
                port, to = support.new_port(), server.getsockname()[:2]
                with datagrams(self.pod1, family, port) as ours, datagrams(self.pod2, family, port) as theirs:
                    for client in (theirs, ours, theirs, ours):
                        client.sendto(b"equal content", to)
                packets = self.trace.wait_for(2, source=self.pod1.address(family), ports=(port, to[1]))
                self.assertEqual(len(packets), 2)
                for packet in packets:
                    self.assert_delivered(packet, self.nodes.request(self.pod1, self.pod3, family))
                self.assert_nothing_of(self.pod2)

    def test_one_of_them_is_dropped(self):
        """The other's must not be told as dropped, nor its own end lost."""
        for family in (4, 6):
            with self.subTest(family=family), contextlib.ExitStack() as stack:
                server = stack.enter_context(support.udp_socket(self.pod3, family))
                port, to = support.new_port(), server.getsockname()[:2]
                tool = {4: "iptables", 6: "ip6tables"}[family]
                rule = f"FORWARD -s {self.pod2.address(family)} -p udp --dport {to[1]} -j DROP"
                stack.enter_context(
                    support.changed(self.nodes.n1, f"{tool} -I {rule}", f"{tool} -D {rule}")
                )
                ours = stack.enter_context(datagrams(self.pod1, family, port))
                theirs = stack.enter_context(datagrams(self.pod2, family, port))
                for client in (theirs, ours, theirs):
                    client.sendto(b"equal content again", to)
                packet = self.trace.packet(source=self.pod1.address(family), ports=(port, to[1]))
                self.assert_delivered(packet, self.nodes.request(self.pod1, self.pod3, family))
                self.assert_nothing_of(self.pod2)


class LargeInterfaceNumbers(NodeTest):
    """Nodes that live long count their devices far."""

    def test_each_crossing_once(self):
        nodes = topology()
        for number in (65536, 70000, 0x7FFFFFF0):
            with self.subTest(number=number), contextlib.ExitStack() as stack:
                device = f"big{number % 1000}"
                in_netns(nodes.n1, "ip", "link", "add", device, "index", str(number), "type", "bridge")
                stack.callback(in_netns, nodes.n1, "ip", "link", "del", device)
                in_netns(nodes.n1, "ip", "addr", "add", "10.77.0.1/24", "dev", device)
                in_netns(nodes.n1, "ip", "link", "set", device, "up")
                pod = stack.enter_context(nodes.pod(1, f"far{number % 1000}"))
                address = "10.77.0.2"
                in_netns(nodes.n1, "ip", "link", "set", pod.veth, "master", device)
                in_netns(pod.netns, "ip", "addr", "add", f"{address}/24", "dev", "eth0")
                with Trace("--pod-ip", address) as trace:
                    icmp_id = 0x7200 + number % 100
                    with network_namespace(pod.netns):
                        support.run("ping", "-n", "-c1", "-W", "5", "-I", address, "-e", str(icmp_id), "10.77.0.1")
                    request = trace.packet(icmp=8, id=icmp_id)
                    names = [hop.split()[1] for hop in support.crossings(request)]
                self.assertEqual(names, [f"eth0@{pod.name}", f"{pod.veth}@n1", f"{device}@n1", f"{device}@n1"],
                                 support.describe(request))


if __name__ == "__main__":
    unittest.main()
