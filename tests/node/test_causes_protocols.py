"""Causes beyond routes and rules of netfilter: neighbours, tunnels, IPsec, queues to programs, fragments, sockets."""

import contextlib
import ctypes
import socket
import struct
import unittest

import support
from support import CauseTest, changed, in_netns, ping, sysctl

STRANGE_MAC = "22:47:9a:ce:70:88"
VXLAN_PORT = 4790
BEHIND_TUNNEL = "10.98.0.2"
FAR_MAC = "02:00:00:00:98:02"


def address_of(netns, device):
    return in_netns(netns, "ip", "-4", "-o", "address", "show", "dev", device).stdout.split()[3].split("/")[0]


class FrameForAnother(CauseTest):
    def test_the_node_has_an_old_mac(self):
        for family, pod in ((4, self.pod1), (6, self.pod1)):
            address = pod.address(family)
            entry = f"{address} lladdr {STRANGE_MAC} dev cni0 nud reachable"
            ping(self.pod3, address, family=family)
            with self.subTest(family=family):
                in_netns(self.nodes.n1, "ip", "neigh", "replace", *entry.split())
                drop = self.dropped_request(address, family=family, source=self.pod3)
                self.assert_cause(drop, "other-host", "^eth0 has ([0-9a-f]{2}:){5}", f"^neighbour {address} dev cni0: {STRANGE_MAC} ",
                                  fix=[f"^ip neigh del {address} dev cni0$"])
                self.assertIn(f"this node sends to {address}", drop["explanation"])
                self.mend(drop)
                ping(self.pod3, address, family=family)

    def test_another_sends_to_a_pod_behind_a_gateway(self):
        """The far node has the old entry. Here, the gateway to that pod rightly has another MAC address than the pod."""
        in_netns(self.nodes.n2, "ip", "neigh", "replace", self.pod3.ip, "lladdr", STRANGE_MAC, "dev", "cni0", "nud", "reachable")
        try:
            drop = self.dropped_request(self.pod3.ip)
        finally:
            in_netns(self.nodes.n2, "ip", "neigh", "del", self.pod3.ip, "dev", "cni0")
        self.assert_cause(drop, "other-host", "^eth0 has ([0-9a-f]{2}:){5}")

    def test_the_other_node_has_an_old_mac(self):
        """Of the tunnel's device. Who has it cannot be seen from here."""
        subnet = self.pod1.ip.rsplit(".", 1)[0]
        device = in_netns(self.nodes.n2, "ip", "neigh", "show", "dev", "flannel.1", f"{subnet}.0").stdout.split()
        right, to = device[device.index("lladdr") + 1], address_of(self.nodes.n1, "eth0")
        with changed(self.nodes.n2, f"bridge fdb replace {STRANGE_MAC} dev flannel.1 dst {to}",
                     f"bridge fdb del {STRANGE_MAC} dev flannel.1"), \
                changed(self.nodes.n2, f"ip neigh replace {subnet}.0 lladdr {STRANGE_MAC} dev flannel.1 nud permanent",
                        f"ip neigh replace {subnet}.0 lladdr {right} dev flannel.1 nud permanent"):
            drop = self.dropped_request(self.pod1.ip, source=self.pod3)
        self.assert_cause(drop, "other-host", f"^flannel.1 has {right}$")


class Tunnels(CauseTest):
    """pod 1 sends into a tunnel of its own, which the other node does not take as it should."""

    @contextlib.contextmanager
    def tunnel(self, near="", far=""):
        near_ip, far_ip = address_of(self.nodes.n1, "eth0"), address_of(self.nodes.n2, "eth0")
        common = f"dstport {VXLAN_PORT} nolearning"
        with contextlib.ExitStack() as stack:
            def add(netns, *commands):
                stack.callback(in_netns, netns, "ip", "link", "del", "vx7", check=False)
                for command in commands:
                    in_netns(netns, *command.split())

            add(self.nodes.n2, f"ip link add vx7 address {FAR_MAC} type vxlan {far or 'id 7'} local {far_ip} {common}",
                "ip link set vx7 up", f"ip address add {BEHIND_TUNNEL}/32 dev vx7")
            add(self.nodes.n1, f"ip link add vx7 type vxlan id 7 local {near_ip} {near or f'remote {far_ip}'} {common}",
                "ip link set vx7 up", f"ip neigh replace {BEHIND_TUNNEL} lladdr {FAR_MAC} dev vx7 nud permanent",
                f"ip route add {BEHIND_TUNNEL}/32 dev vx7")
            yield

    def arrives(self):
        icmp_id = ping(self.pod1, BEHIND_TUNNEL, expect_reply=False)
        packet = self.trace.packet(icmp=8, id=icmp_id)
        self.assertEqual(packet["verdict"], "delivered", support.describe(packet))

    def test_the_far_device_is_down(self):
        with self.tunnel():
            self.arrives()
            in_netns(self.nodes.n2, "ip", "link", "set", "vx7", "down")
            drop = self.dropped_request(BEHIND_TUNNEL)
            self.assert_cause(drop, "tunnel-no-device", "^vx7: down$",
                              fix=[rf"^ip netns exec {self.nodes.n2} ip link set vx7 up$"])
            self.mend(drop)
            self.arrives()

    def test_another_vni(self):
        with self.tunnel(far="id 8"):
            self.assert_cause(self.dropped_request(BEHIND_TUNNEL), "vxlan-unknown-vni", "^vx7 has VNI 8$")

    def test_no_entry_for_the_far_mac(self):
        with self.tunnel(near=" "):
            drop = self.dropped_request(BEHIND_TUNNEL)
            self.assert_cause(drop, "vxlan-no-fdb", f"^neighbour {BEHIND_TUNNEL} dev vx7: {FAR_MAC}$", f"no entry for {FAR_MAC}$")
            far_ip = address_of(self.nodes.n2, "eth0")
            in_netns(self.nodes.n1, "bridge", "fdb", "append", FAR_MAC, "dev", "vx7", "dst", far_ip)  # as the page says
            self.arrives()


class Ipsec(CauseTest):
    def policy(self, direction, source, destination, ends):
        selector = f"src {source.ip}/32 dst {destination.ip}/32 dir {direction}"
        return changed(self.nodes.n1,
                       f"ip xfrm policy add {selector} tmpl src {ends[0]} dst {ends[1]} proto esp reqid 11 mode tunnel",
                       "ip xfrm policy flush")

    def test_what_comes_is_not_encrypted(self):
        ends = address_of(self.nodes.n2, "eth0"), address_of(self.nodes.n1, "eth0")
        with self.policy("fwd", self.pod3, self.pod1, ends):
            drop = self.dropped_request(self.pod1.ip, source=self.pod3)
            selector = f"src {self.pod3.ip}/32 dst {self.pod1.ip}/32 dir fwd"
            self.assert_cause(drop, "xfrm-policy", f"^ip xfrm policy: {selector}$", fix=[f"^ip xfrm policy delete {selector}$"])
            self.assertIn("only as esp", drop["explanation"])
            self.mend(drop)
            ping(self.pod3, self.pod1.ip)

    def test_nothing_encrypts_what_goes(self):
        ends = address_of(self.nodes.n1, "eth0"), address_of(self.nodes.n2, "eth0")
        with self.policy("out", self.pod1, self.pod3, ends):
            self.assert_cause(self.dropped_request(self.pod3.ip), "xfrm-policy",
                              f"^ip xfrm policy: src {self.pod1.ip}/32 dst {self.pod3.ip}/32 dir out$",
                              "^ip xfrm state: none of proto esp reqid 11$")


class Queues(CauseTest):
    def test_nobody_reads(self):
        rule = f"FORWARD -s {self.pod1.ip} -d {self.pod3.ip} -j NFQUEUE --queue-num 77"
        with changed(self.nodes.n1, f"iptables-nft -I {rule}", f"iptables-nft -D {rule}"):
            drop = self.dropped_request(self.pod3.ip)
        self.assert_cause(drop, "queue-without-reader", "^no program reads a queue")


class Fragments(CauseTest):
    @contextlib.contextmanager
    def everywhere(self, setting, value):
        """The node puts bridged packets together where the bridge calls iptables, else the pod does."""
        with sysctl(self.nodes.n1, setting, value), sysctl(self.pod2.netns, setting, value):
            yield

    def first_fragment(self, ports):
        with support.network_namespace(self.pod1.netns):
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        udp = struct.pack(">HHHH", *ports, 1000, 0) + bytes(40)
        more = 0x2000
        header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), ports[0], more, 64, socket.IPPROTO_UDP, 0,
                             socket.inet_aton(self.pod1.ip), socket.inet_aton(self.pod2.ip))
        with raw:
            raw.sendto(header + udp, (self.pod2.ip, 0))

    def dropped_fragment(self):
        ports = support.new_port(), support.new_port()
        self.first_fragment(ports)
        packet = self.trace.packet(ports=ports)
        self.assertEqual(packet["verdict"], "dropped", support.describe(packet))
        return packet["drop"]

    def test_the_rest_never_comes(self):
        with self.everywhere("net/ipv4/ipfrag_time", 1):
            self.assert_cause(self.dropped_fragment(), "fragments-timeout", "^net.ipv4.ipfrag_time = 1$")

    def test_no_memory_for_more(self):
        with self.everywhere("net/ipv4/ipfrag_time", 10), self.everywhere("net/ipv4/ipfrag_low_thresh", 0), \
                self.everywhere("net/ipv4/ipfrag_high_thresh", 1):
            self.first_fragment((support.new_port(), support.new_port()))
            drop = self.dropped_fragment()
        self.assert_cause(drop, "fragments-memory", r"^\d+ bytes are used by fragments$", "^net.ipv4.ipfrag_high_thresh = 1$",
                          fix=[r"sysctl -w net.ipv4.ipfrag_high_thresh=4194304$"])


class SocketFilters(CauseTest):
    def test_a_filter_refuses(self):
        class Filter(ctypes.Structure):
            _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

        nothing = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF_RET 0
        with support.udp_socket(self.pod1) as client, support.udp_socket(self.pod2) as server:
            so_attach_filter = 26
            server.setsockopt(socket.SOL_SOCKET, so_attach_filter, bytes(Filter(1, ctypes.addressof(nothing))))
            ports = client.getsockname()[1], server.getsockname()[1]
            client.sendto(b"not wanted", (self.pod2.ip, ports[1]))
            drop = self.trace.packet(ports=ports)["drop"]
        if support.HAS_REASONS:
            self.assert_cause(drop, "socket-filter", "^the kernel says SOCKET_FILTER$")
        else:
            self.assertEqual(drop.get("cause"), "unknown", drop)


if __name__ == "__main__":
    unittest.main()
