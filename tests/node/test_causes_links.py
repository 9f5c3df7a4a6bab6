"""Causes of devices: links, bridges, queues, filters and programs. As in test_causes.py, what is printed is run."""

import contextlib
import ctypes
import json
import os
import socket
import struct
import tempfile
import unittest

import support
from support import Bpf, CauseTest, Trace, changed, in_netns, network_namespace, ping, run, sysctl
from test_tc import MARKED_SIZE, TC_ACT_OK, TC_ACT_SHOT, Counting, instruction

BPF_PROG_TYPE_XDP, BPF_XDP = 6, 37
XDP_DROP = 1
OWN_BRIDGE, BEHIND = "10.99.7.1", "10.99.7.9"  # that has no port
NESTED = "10.244.19.99"  # a device of pod 1's own


def mac_of(netns, device):
    return json.loads(in_netns(netns, "ip", "-j", "link", "show", device).stdout)[0]["address"]


def wait_state(netns, device, state="UP"):
    def shown():
        return in_netns(netns, "ip", "link", "show", device).stdout

    support.wait_until(lambda: f"state {state}" in shown(), shown)


def known(netns, address, device, mac):
    """The kernel forgets all other neighbours when a carrier goes."""
    entry = f"{address} dev {device}"
    return changed(netns, f"ip neigh replace {entry} lladdr {mac} nud permanent", f"ip neigh del {entry}")


class DeviceTest(CauseTest):
    def setUp(self):
        super().setUp()
        self.n1 = self.nodes.n1
        self.veth1, self.veth2 = self.pod1.veth, self.pod2.veth
        # The node has each of its pods in its tables, and they have each other.
        for pod in (self.pod1, self.pod2):
            in_netns(self.n1, "ping", "-n", "-q", "-c1", "-W", str(support.TIMEOUT), pod.ip)
        ping(self.pod1, self.pod2.ip)

    def port(self, veth, setting, back):
        """A setting of a port of cni0, for a while."""
        return changed(self.n1, f"bridge link set dev {veth} {setting}", f"bridge link set dev {veth} {back}")

    def hairpin_off(self):
        """With hairpin on, as flannel's configuration has it, a flood goes back to the pod that sent it."""
        return self.port(self.veth1, "hairpin off", "hairpin on")


class Links(DeviceTest):
    def test_the_nodes_end_is_down(self):
        """What the pod sends dies in its own netns, and the command is for the node's."""
        gateway = self.pod1.ip.rsplit(".", 1)[0] + ".1"
        with known(self.pod1.netns, gateway, "eth0", mac_of(self.n1, "cni0")), support.link_down(self.n1, self.veth1):
            drop = self.dropped_request(self.pod3.ip)
            self.assert_cause(drop, "no-carrier", "^eth0: NO-CARRIER$", f"^{self.veth1} of another netns: not UP$",
                              fix=[f"^ip link set {self.veth1} up$"])
            self.mend(drop)
            wait_state(self.pod1.netns, "eth0")
            ping(self.pod1, self.pod3.ip)

    def test_a_bridge_without_ports(self):
        """Its carrier went with its last one."""
        in_netns(self.n1, "ip", "link", "add", "dptbr", "address", "02:00:00:00:00:01", "type", "bridge")
        self.addCleanup(in_netns, self.n1, "ip", "link", "del", "dptbr")
        for command in (f"address add {OWN_BRIDGE}/24 dev dptbr", "link set dptbr up"):
            in_netns(self.n1, "ip", *command.split())
        with known(self.n1, BEHIND, "dptbr", "02:00:00:00:00:09"):
            port = "link add dptp0 type veth peer name dptp1", "link set dptp0 master dptbr up", "link set dptp1 up"
            for command in port:
                in_netns(self.n1, "ip", *command.split())
            wait_state(self.n1, "dptbr")
            in_netns(self.n1, "ip", "link", "del", "dptp0")
            wait_state(self.n1, "dptbr", "DOWN")
            self.assert_cause(self.dropped_request(BEHIND), "no-carrier", "^dptbr: NO-CARRIER$", "^dptbr: 0 ports$")

    def test_the_port_to_a_pod_is_down(self):
        with self.hairpin_off(), support.link_down(self.n1, self.veth2):
            drop = self.dropped_request(self.pod2.ip)
            self.assert_cause(drop, "device-down", f"^{self.veth2}: not UP$", fix=[f"^ip link set {self.veth2} up$"])
            self.mend(drop)
            wait_state(self.n1, self.veth2)
            ping(self.pod1, self.pod2.ip)

    def test_the_pods_end_is_down(self):
        """The command enters the pod."""
        with self.hairpin_off(), sysctl(self.pod2.netns, "net/ipv6/conf/eth0/keep_addr_on_down", 1), \
                support.link_down(self.pod2.netns, "eth0"):
            drop = self.dropped_request(self.pod2.ip)
            self.assert_cause(drop, "no-carrier", f"^{self.veth2}: NO-CARRIER$", "^eth0 of another netns: not UP$",
                              fix=[f"^ip netns exec {self.pod2.netns} ip link set eth0 up$"])
            self.mend(drop)
            wait_state(self.n1, self.veth2)
            ping(self.pod1, self.pod2.ip)


class Bridges(DeviceTest):
    def assert_mended(self, drop, address, *options):
        self.mend(drop)
        ping(self.pod1, address, *options)

    def test_a_port_that_lets_nothing_in(self):
        with self.port(self.veth1, "state 0", "state 3"):
            drop = self.dropped_request(self.pod3.ip)
            self.assert_cause(drop, "bridge-port-blocked", f"^{self.veth1}: state disabled$", "^cni0: STP is off$",
                              fix=[f"^bridge link set dev {self.veth1} state 3$"])
            self.assert_mended(drop, self.pod3.ip)

    def test_a_port_that_lets_nothing_out(self):
        with self.port(self.veth2, "state 0", "state 3"):
            drop = self.dropped_request(self.pod2.ip)
            self.assert_cause(drop, "bridge-port-blocked", f"^{self.veth2}: state disabled$", "^cni0: STP is off$",
                              fix=[f"^bridge link set dev {self.veth2} state 3$"])
            self.assert_mended(drop, self.pod2.ip)

    def test_isolated_ports(self):
        with self.port(self.veth1, "isolated on", "isolated off"), self.port(self.veth2, "isolated on", "isolated off"):
            ping(self.pod1, self.pod3.ip)
            drop = self.dropped_request(self.pod2.ip)
            facts = [f"^{veth}: isolated on$" for veth in (self.veth1, self.veth2)]
            self.assert_cause(drop, "bridge-port-isolated", *facts,
                              fix=[f"^bridge link set dev {self.veth1} isolated off$"])
            self.assert_mended(drop, self.pod2.ip)

    def test_one_isolated_port_is_no_cause(self):
        with self.port(self.veth1, "isolated on", "isolated off"), self.port(self.veth2, "state 0", "state 3"):
            self.assertEqual(self.dropped_request(self.pod2.ip)["cause"], "bridge-port-blocked")

    def test_the_way_back(self):
        """A second device of the pod's, behind the same port."""
        nested = f"{self.n1[:-3]}-nested"
        run("ip", "netns", "add", nested)
        self.addCleanup(run, "ip", "netns", "del", nested)
        kind = "name mv0 link eth0 type macvlan mode vepa"
        if in_netns(self.pod1.netns, "ip", "link", "add", *kind.split(), check=False).returncode:
            self.skipTest("not with the running kernel: macvlan")
        in_netns(self.pod1.netns, "ip", "link", "set", "mv0", "netns", nested)
        for command in (f"address add {NESTED}/24 dev mv0", "link set mv0 up"):
            in_netns(nested, "ip", *command.split())
        in_netns(self.n1, "ping", "-n", "-q", "-c1", "-W", str(support.TIMEOUT), NESTED)
        ends = [known(self.pod1.netns, NESTED, "eth0", mac_of(nested, "mv0")),
                known(nested, self.pod1.ip, "mv0", mac_of(self.pod1.netns, "eth0"))]
        with ends[0], ends[1], self.hairpin_off():
            drop = self.dropped_request(NESTED)
            self.assert_cause(drop, "bridge-hairpin-off", f"^{self.veth1}: hairpin off$",
                              fix=[f"^bridge link set dev {self.veth1} hairpin on$"])
            self.assert_mended(drop, NESTED)

    def forgotten(self):
        """The bridge does not know where pod 2 is, and does not learn it."""
        entry = f"bridge fdb del {mac_of(self.pod2.netns, 'eth0')} dev {self.veth2} master"
        stack = contextlib.ExitStack()
        stack.enter_context(self.hairpin_off())
        stack.enter_context(self.port(self.veth2, "learning off", "learning on"))
        in_netns(self.n1, *entry.split())
        return stack

    def test_an_address_that_nobody_knows(self):
        with self.port(self.veth2, "flood off", "flood on"), self.forgotten():
            drop = self.dropped_request(self.pod2.ip)
            self.assert_cause(drop, "bridge-no-port", f"^{self.veth2}: flood off$",
                              fix=[f"^bridge link set dev {self.veth2} flood on$"])
            self.assert_mended(drop, self.pod2.ip)

    def test_several_obstacles(self):
        """No single command lets it pass, and so none is told."""
        with self.port(self.veth2, "flood off", "flood on"), self.port(self.veth2, "state 0", "state 3"), \
                self.forgotten():
            drop = self.dropped_request(self.pod2.ip)
        self.assert_cause(drop, "bridge-no-port", f"^{self.veth2}: state disabled$", f"^{self.veth2}: flood off$")

    def test_a_vlan_of_the_port(self):
        setting = "ip link set cni0 type bridge vlan_filtering".split()
        if in_netns(self.n1, *setting, "1", check=False).returncode:
            self.skipTest("not with the running kernel: VLANs of bridges")
        self.addCleanup(in_netns, self.n1, *setting, "0")
        membership = f"dev {self.veth2} vid 1"
        with self.hairpin_off(), \
                changed(self.n1, f"bridge vlan del {membership}", f"bridge vlan add {membership} pvid untagged"):
            drop = self.dropped_request(self.pod2.ip)
            self.assert_cause(drop, "bridge-vlan-filtered", f"^{self.veth2}: not of VLAN 1$",
                              fix=[f"^bridge vlan add {membership} pvid untagged$"])
            self.assert_mended(drop, self.pod2.ip)
        membership = f"dev {self.veth1} vid 1"
        with changed(self.n1, f"bridge vlan del {membership}", f"bridge vlan add {membership} pvid untagged"):
            drop = self.dropped_request(self.pod2.ip)
            self.assert_cause(drop, "bridge-vlan-filtered", "^cni0: vlan_filtering 1$", f"^{self.veth1}: of no VLAN$")


class Queues(DeviceTest):
    def lost(self, queue):
        """The drops of a burst that pod 1 sends through the queue."""
        command = f"tc qdisc add dev eth0 root {queue}".split()
        if in_netns(self.pod1.netns, *command, check=False).returncode:
            self.skipTest(f"not with the running kernel: tc's {queue.split()[0]}")
        with changed(self.pod1.netns, "true", "tc qdisc del dev eth0 root"), support.udp_socket(self.pod1) as client, \
                support.udp_socket(self.pod2) as server:
            ports = client.getsockname()[1], server.getsockname()[1]
            for _ in range(10):
                client.sendto(bytes(1000), (self.pod2.ip, ports[1]))
            self.trace.packet(ports=ports, source=self.pod1.ip)

            def drops():
                return [packet["drop"] for packet in self.trace.found(ports=ports) if "drop" in packet]

            return support.wait_until(drops, self.trace.state)

    def test_too_slow(self):
        for drop in self.lost("tbf rate 16kbit burst 2000 limit 3000"):
            self.assert_cause(
                drop, "queue-full", r"^qdisc tbf of eth0: limit 3000 bytes, \d+ packets were dropped so far$")

    def test_a_packet_that_is_larger_than_the_bucket(self):
        """Its queue is empty."""
        for drop in self.lost("tbf rate 1mbit burst 600 limit 30000"):
            self.assertEqual(drop["cause"], "unknown", drop)

    def test_loss_that_is_meant(self):
        for drop in self.lost("netem loss 100%"):
            self.assertEqual(drop["cause"], "unknown", drop)

    def test_backlog_of_the_cpu(self):
        """Fragments that the node hands to the pod within one interrupt. The setting is one for the whole machine."""
        setting, name = "net/core/netdev_max_backlog", f"{self.n1[:-3]}-first"
        if not os.path.exists(f"/proc/sys/{setting}"):
            self.skipTest("not in a network namespace: the setting is of the first one's")
        run("ip", "netns", "attach", name, str(os.getpid()))
        self.addCleanup(run, "ip", "netns", "del", name)
        with Trace("--pod-ip", self.pod1.ip, netns=name) as self.trace:
            with sysctl(name, setting, 20):
                icmp_id = ping(self.pod3, self.pod1.ip, "-s", "40000", expect_reply=False)
                packet = self.trace.packet(icmp=8, id=icmp_id)
                drop = packet["drop"]
                self.assert_cause(drop, "backlog-full", r"^/proc/net/softnet_stat: \d+ packets were dropped so far$",
                                  r"^net\.core\.netdev_max_backlog = 20$",
                                  fix=[r"^sysctl -w net\.core\.netdev_max_backlog=40$"])
                run("sh", "-c", drop["fix"][0])
                ping(self.pod3, self.pod1.ip, "-s", "40000")
            self.trace.stop()


class Xdp:
    """A program that drops all that a device receives."""

    def __init__(self, name=b"users_xdp"):
        code = instruction(0xB7, dst=0, value=XDP_DROP) + instruction(0x95)
        license_, code_ = ctypes.create_string_buffer(b"GPL"), ctypes.create_string_buffer(code)
        address = ctypes.addressof
        self.program, _ = Bpf.call(Bpf.PROG_LOAD, struct.pack(
            "IIQQIIQII16s", BPF_PROG_TYPE_XDP, len(code) // 8, address(code_), address(license_), 0, 0, 0, 0, 0, name))

    @contextlib.contextmanager
    def on(self, netns, device, mode):
        with tempfile.TemporaryDirectory() as folder:
            run("mount", "-t", "bpf", "bpf", folder)
            try:
                path = ctypes.create_string_buffer(f"{folder}/users_xdp".encode())
                Bpf.call(Bpf.OBJ_PIN, struct.pack("QI", ctypes.addressof(path), self.program))
                in_netns(netns, "ip", "link", "set", "dev", device, mode, "pinned", f"{folder}/users_xdp")
            finally:
                run("umount", folder)
        try:
            yield
        finally:
            in_netns(netns, "ip", "link", "set", "dev", device, mode, "off")


class Filters(DeviceTest):
    def program(self, verdict):
        program = Counting(verdict)
        self.addCleanup(program.close)
        return program

    def dropped_by_filter(self):
        return self.dropped_request(self.pod3.ip, "-s", str(MARKED_SIZE))

    def test_the_only_filter(self):
        with self.program(TC_ACT_SHOT).as_filter(self.n1, self.veth1, 7):
            drop = self.dropped_by_filter()
            place = f"^tc filter at ingress of {self.veth1}: pref 7 bpf handle 0x1"
            self.assert_cause(
                drop, "tc-filter", place + r" users_own\S* \(program \d+\)$",
                fix=[f"^tc filter del dev {self.veth1} ingress pref 7$"])
            self.mend(drop)
            ping(self.pod1, self.pod3.ip, "-s", str(MARKED_SIZE))

    def test_one_of_two_filters(self):
        first, second = self.program(TC_ACT_SHOT), self.program(TC_ACT_OK)
        with second.as_filter(self.n1, self.veth1, 8):
            with first.as_filter(self.n1, self.veth1, 7):
                drop = self.dropped_by_filter()
            in_netns(self.n1, "tc", "qdisc", "add", "dev", self.veth1, "clsact")  # it went with the first
        self.assert_cause(drop, "tc-filter", "pref 7 bpf", "pref 8 bpf")
        self.assertIn("one of 2", drop["explanation"])

    def test_a_filter_that_lets_pass(self):
        with self.program(TC_ACT_OK).as_filter(self.n1, self.veth1, 7), \
                sysctl(self.n1, "net/ipv4/conf/cni0/forwarding", 0):
            self.assertEqual(self.dropped_by_filter()["cause"], "forwarding-disabled")

    def test_a_program_by_tcx(self):
        support.require(support.TCX)
        with self.program(TC_ACT_SHOT).as_tcx(self.n1, self.veth1):
            drop = self.dropped_by_filter()
        self.assert_cause(drop, "tc-filter", rf"^tcx ingress of {self.veth1}: program \d+ users_own$")

    def test_an_agents_program(self):
        """What an agent has put there is not for others to remove."""
        with Xdp(b"cil_xdp_entry").on(self.n1, self.veth1, "xdpgeneric"):
            drop = self.dropped_request(self.pod3.ip)
        self.assert_cause(drop, "xdp-program", rf"^{self.veth1} xdpgeneric: program \d+ cil_xdp_entry$")
        self.assertIn("Cilium", drop["explanation"])

    def test_xdp(self):
        for mode in "xdpgeneric", "xdpdrv":
            with self.subTest(mode=mode), Xdp().on(self.n1, self.veth1, mode):
                drop = self.dropped_request(self.pod3.ip)
                self.assert_cause(drop, "xdp-program", rf"^{self.veth1} {mode}: program \d+ users_xdp$",
                                  fix=[f"^ip link set dev {self.veth1} {mode} off$"])
                self.mend(drop)
                ping(self.pod1, self.pod3.ip)

    def test_xdp_that_a_link_holds(self):
        """The command could not take it away."""
        program = Xdp()
        with network_namespace(self.n1):
            index = next(index for index, name in socket.if_nameindex() if name == self.veth1)
            link, _ = Bpf.call(Bpf.LINK_CREATE, struct.pack("III", program.program, index, BPF_XDP))
        try:
            drop = self.dropped_request(self.pod3.ip)
        finally:
            os.close(link)
        self.assert_cause(drop, "xdp-program", r"program \d+ users_xdp$")


del CauseTest, DeviceTest  # only their subclasses have cases

if __name__ == "__main__":
    unittest.main()
