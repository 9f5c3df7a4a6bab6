"""What stands between a device and the payload: extension headers, fragments, tags; and what dies before it has a device."""

import contextlib
import socket

import support
from support import NodeTest, PathTest, Trace, Watch, changed, in_netns, new_port, ping, topology, udp_socket

PADDED = bytes([0, 0, 1, 4, 0, 0, 0, 0])  # an extension header of nothing but padding


class ExtensionHeaders(PathTest):
    def check(self, *options):
        with udp_socket(self.pod1, 6) as client, udp_socket(self.pod3, 6) as server:
            ports = client.getsockname()[1], server.getsockname()[1]
            for option in options:
                client.setsockopt(socket.IPPROTO_IPV6, option, PADDED)
            client.sendto(bytes(100), (self.pod3.ip6, ports[1]))
            server.recv(200)
        packet = self.trace.packet(ports=ports)
        self.assert_delivered(packet, self.nodes.request(self.pod1, self.pod3, 6))
        self.assertEqual(packet["flow"]["protocol"], "udp")
        self.assertEqual(packet["length"], 40 + 8 * len(options) + 8 + 100)
        self.assertEqual(len(self.trace.found(ports=ports)), 1, "one packet, not more")

    def test_destination_options(self):
        self.check(socket.IPV6_DSTOPTS)

    def test_hop_by_hop_options(self):
        self.check(socket.IPV6_HOPOPTS)

    def test_both(self):
        self.check(socket.IPV6_HOPOPTS, socket.IPV6_DSTOPTS)


class FragmentsOfAPort(NodeTest):
    def test_later_ones_are_part_of_it(self):
        """They have no ports; each of them crosses every device on the way."""
        nodes = topology()
        pod1, pod2 = nodes.pod1, nodes.pod2
        for family in (4, 6):
            with self.subTest(family=family), udp_socket(pod1, family) as client, udp_socket(pod2, family) as server:
                ports = client.getsockname()[1], server.getsockname()[1]
                client.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: fragments are allowed
                with Trace("--pod-ip", pod1.address(family), "--port", str(ports[1])) as trace:
                    client.sendto(bytes(4000), (pod2.address(family), ports[1]))
                    server.recv(5000)
                    packet = trace.packet(ports=ports)
                    self.assertEqual(packet["verdict"], "delivered", support.describe(packet))
                    self.assertEqual([other for other in trace.packets if other is not packet], [])
                    parts = packet.get("segments", 0)
                    self.assertGreaterEqual(parts, 2, packet)


class DroppedInOutput(NodeTest):
    """A packet has no device yet when OUTPUT's rules drop it."""

    COMMANDS = {4: "iptables", 6: "ip6tables"}

    @contextlib.contextmanager
    def dropping(self, pod, family, protocol):
        icmp = protocol == "icmp"
        match = {(True, 4): "icmp --icmp-type 8", (True, 6): "icmpv6 --icmpv6-type 128"}.get((icmp, family), protocol)
        command = f"{self.COMMANDS[family]}-nft"
        with changed(pod.netns, f"{command} -I OUTPUT -p {match} -j DROP", f"{command} -D OUTPUT -p {match} -j DROP"):
            yield

    def send(self, pod, peer, family, protocol):
        """Returns by what its packet is found, and its length."""
        header = 20 if family == 4 else 40
        address = peer.address(family)
        if protocol == "icmp":
            return {"id": ping(pod, address, family=family, expect_reply=False)}, header + 8 + 56
        port = new_port()
        if protocol == "udp":
            with udp_socket(pod, family) as sender, contextlib.suppress(OSError):
                ports = sender.getsockname()[1], port
                sender.sendto(bytes(100), (address, port))
            return {"ports": ports}, header + 8 + 100
        with support.tcp_client(pod, family) as client, contextlib.suppress(OSError):
            ports = client.getsockname()[1], port
            client.settimeout(0.2)
            client.connect((address, port))
        return {"ports": ports}, header + 40

    def test_flow_and_length_are_told(self):
        nodes = topology()
        pod, peer = nodes.pod1, nodes.pod3
        with Trace("--pod-ip", pod.ip, "--pod-ip", pod.ip6) as trace:
            for family in (4, 6):
                for protocol in ("icmp", "udp", "tcp"):
                    with self.subTest(family=family, protocol=protocol), self.dropping(pod, family, protocol):
                        wanted, length = self.send(pod, peer, family, protocol)
                        packet = trace.packet(**wanted)
                        self.assertEqual(packet["verdict"], "dropped", support.describe(packet))
                        self.assertEqual(packet["flow"]["family"], f"ipv{family}")
                        self.assertEqual(packet["length"], length)
                        self.assertEqual(packet["flow"]["destination"]["ip"], peer.address(family))

    def test_drops_tells_the_same(self):
        nodes = topology()
        pod, peer = nodes.pod1, nodes.pod3
        names = {"icmp": {4: "icmp", 6: "icmpv6"}}
        for family in (4, 6):
            for protocol in ("icmp", "udp", "tcp"):
                with self.subTest(family=family, protocol=protocol), self.dropping(pod, family, protocol):
                    with Watch("--pod-ip", pod.address(family), "--interval", "200ms") as watch:
                        _, length = self.send(pod, peer, family, protocol)
                        name = names.get(protocol, {}).get(family, protocol)
                        support.wait_until(lambda: watch.rows(), lambda: f"a row ({watch.state()})")
                        (row,) = watch.rows()
                        self.assertEqual(row["protocol"], name, row)
                        self.assertEqual(row["sample"]["length"], length, row)


class Tags(NodeTest):
    """A VLAN between the nodes, and another inside it. Tags are in the packet, or beside it where a device inserts them."""

    NETWORK = "10.10.0"

    @contextlib.contextmanager
    def vlan(self, nodes, doubly):
        for netns, host in ((nodes.n1, 1), (nodes.n2, 2)):
            link = "ip link add link eth0 name v0 type vlan"
            in_netns(netns, *(f"{link} proto 802.1ad id 200" if doubly else f"{link} id 100").split())
            in_netns(netns, *"ip link set v0 up".split())
            top = "v0"
            if doubly:
                top = "v1"
                in_netns(netns, *"ip link add link v0 name v1 type vlan id 300".split())
                in_netns(netns, *"ip link set v1 up".split())
            in_netns(netns, "ip", "address", "add", f"{self.NETWORK}.{host}/24", "dev", top)
        in_netns(nodes.n2, "ip", "route", "add", f"{nodes.pod1.ip}/32", "via", f"{self.NETWORK}.1")
        try:
            yield ["v1", "v0"] if doubly else ["v0"]
        finally:
            in_netns(nodes.n2, "ip", "route", "del", f"{nodes.pod1.ip}/32", check=False)
            for netns in (nodes.n1, nodes.n2):
                in_netns(netns, *"ip link del v0".split())

    def test_tagged_frames_are_followed(self):
        support.require("vlan devices")
        nodes = topology()
        with Trace("--pod-ip", nodes.pod1.ip) as trace:
            for doubly in (False, True):
                with self.vlan(nodes, doubly) as devices:
                    for offload in ("on", "off"):
                        for netns in (nodes.n1, nodes.n2):
                            for feature in ("tx-vlan-offload", "rx-vlan-offload", "tx-vlan-stag-hw-insert", "rx-vlan-stag-hw-parse"):
                                in_netns(netns, "ethtool", "-K", "eth0", feature, offload, check=False)
                        with self.subTest(doubly=doubly, offload=offload):
                            self.check_ping(trace, nodes, devices)

    def check_ping(self, trace, nodes, devices):
        before = len(trace.found(icmp=0))
        icmp_id = ping(nodes.pod1, f"{self.NETWORK}.2")
        request = trace.packet(icmp=8, id=icmp_id)
        way = [*nodes.up(nodes.pod1), *(f"device-transmit {device}@n1" for device in [*devices, "eth0"]), "device-receive eth0@n2"]
        self.assertEqual(support.crossings(request)[: len(way)], way)
        self.assertEqual(request["verdict"], "delivered", support.describe(request))
        reply = trace.wait_for(before + 1, icmp=0)[-1]  # to the node's address, for the pod's is translated
        # For a VLAN the tc program alone tells it; without one, the netfilter hop names the device.
        seen = ["eth0", *reversed(devices)] if support.HAS_TCX else ["eth0"]
        back = [f"device-receive {device}@n1" for device in seen]
        if support.has("netfilter hops"):
            self.assertIn(f"{devices[0]}@n1", [support.place(hop["interface"]) for hop in reply["hops"]])
        self.assertEqual([hop for hop in support.crossings(reply) if hop in back], back, support.describe(reply))
        self.assertEqual(reply["verdict"], "delivered")
