"""A user's own tc programs on the devices that dptrace watches: their order and result stay, and so do they."""

import contextlib
import ctypes
import json
import os
import socket
import struct
import tempfile
import unittest

import support
from support import Bpf, NodeTest, Trace, in_netns, network_namespace, ping, run, topology

TC_ACT_UNSPEC, TC_ACT_OK, TC_ACT_SHOT = -1, 0, 2
BPF_PROG_TYPE_SCHED_CLS = 3
BPF_MAP_TYPE_ARRAY = 2
MARKED_SIZE = 333  # of an echo request's data: such a packet meets the verdict that the case asks for
FRAME = 14 + 20 + 8 + MARKED_SIZE


class Counting:
    """A tc program of the user's: counts packets of FRAME bytes and returns `verdict` for them, UNSPEC for others."""

    def __init__(self, verdict):
        self.map, _ = Bpf.call(Bpf.MAP_CREATE, struct.pack("IIIII", BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0))
        code = b"".join([
            instruction(0x61, dst=0, src=1),                    # r0 = skb->len
            instruction(0x55, dst=0, offset=7, value=FRAME),    # not ours: return UNSPEC
            instruction(0x7A, dst=10, offset=-8),               # key 0 on the stack
            instruction(0x18, dst=1, src=1, value=self.map),    # r1 = map
            instruction(0),
            instruction(0xBF, dst=2, src=10),                   # r2 = &key
            instruction(0x07, dst=2, value=-8),
            instruction(0x85, value=1),                         # bpf_map_lookup_elem
            instruction(0x55, dst=0, offset=2),                 # found: count
            instruction(0xB7, dst=0, value=TC_ACT_UNSPEC),
            instruction(0x95),
            instruction(0xB7, dst=1, value=1),
            instruction(0xDB, dst=0, src=1),                    # lock *(u64 *)r0 += 1
            instruction(0xB7, dst=0, value=verdict),
            instruction(0x95),
        ])
        license_, code_, log = (ctypes.create_string_buffer(data) for data in (b"GPL", code, bytes(65536)))
        address = ctypes.addressof
        attributes = struct.pack(
            "IIQQIIQII16s", BPF_PROG_TYPE_SCHED_CLS, len(code) // 8, address(code_), address(license_),
            1, 65536, address(log), 0, 0, b"users_own",
        )
        try:
            self.program, _ = Bpf.call(Bpf.PROG_LOAD, attributes)
        except OSError as error:
            raise AssertionError(f"{error}: {log.value.decode()}") from None

    def count(self):
        key, value = ctypes.c_uint32(0), ctypes.c_uint64()
        address = ctypes.addressof
        Bpf.call(Bpf.MAP_LOOKUP, struct.pack("IIQQ", self.map, 0, address(key), address(value)))
        return value.value

    def close(self):
        os.close(self.program)
        os.close(self.map)

    @contextlib.contextmanager
    def as_filter(self, netns, device, priority, hook="ingress", protocol="ip"):
        """On a clsact qdisc of the user's, by tc."""
        with tempfile.TemporaryDirectory() as folder:
            run("mount", "-t", "bpf", "bpf", folder)
            try:
                path = ctypes.create_string_buffer(f"{folder}/users_own".encode())
                Bpf.call(Bpf.OBJ_PIN, struct.pack("QI", ctypes.addressof(path), self.program))
                in_netns(netns, "tc", "qdisc", "add", "dev", device, "clsact", check=False)  # dptrace may have made it
                in_netns(
                    netns, "tc", "filter", "add", "dev", device, hook, "prio", str(priority), "protocol", protocol,
                    "bpf", "direct-action", "object-pinned", f"{folder}/users_own",
                )
            finally:
                run("umount", folder)
        try:
            yield
        finally:
            in_netns(netns, "tc", "qdisc", "del", "dev", device, "clsact")

    @contextlib.contextmanager
    def as_tcx(self, netns, device):
        """As Cilium does it, with a link."""
        with network_namespace(netns):
            index = socket.if_nametoindex(device)
            link, _ = Bpf.call(Bpf.LINK_CREATE, struct.pack("III", self.program, index, Bpf.TCX_INGRESS))
        try:
            yield
        finally:
            os.close(link)


def instruction(opcode, dst=0, src=0, offset=0, value=0):
    return struct.pack("BBhi", opcode, dst | src << 4, offset, value)


def marked_ping(pod, address, **options):
    return ping(pod, address, "-s", str(MARKED_SIZE), **options)


class ForeignFilter(NodeTest):
    def setUp(self):
        self.nodes = topology()
        self.pod1, self.pod3 = self.nodes.pod1, self.nodes.pod3
        self.request = self.nodes.request(self.pod1, self.pod3)

    def trace(self, device=None):
        """With programs on the device; without tcx, one with filters of somebody else is left to the tracepoints."""
        return Trace("--pod-ip", self.pod1.ip, "--interface", device or self.pod1.veth)

    def assert_seen_by_tc(self, packet, seen):
        self.assertEqual(f"tc-ingress {self.pod1.veth}@n1" in support.points(packet), seen, support.describe(packet))

    def program(self, verdict):
        program = Counting(verdict)
        self.addCleanup(program.close)
        return program

    def filters(self, device):
        return in_netns(self.nodes.n1, "tc", "filter", "show", "dev", device, "ingress").stdout

    def clsact_case(self, verdict, priority):
        """The echo request that meets `verdict` at the veth, and the id of an ordinary one after it."""
        program = self.program(verdict)
        dropping = verdict == TC_ACT_SHOT
        with program.as_filter(self.nodes.n1, self.pod1.veth, priority):
            before = self.filters(self.pod1.veth)
            self.assertIn("users_own", before)
            marked_ping(self.pod1, self.pod3.ip, expect_reply=not dropping)
            self.assertEqual(program.count(), 1)
            with self.trace() as trace:
                icmp_id = marked_ping(self.pod1, self.pod3.ip, expect_reply=not dropping)
                packet = trace.packet(icmp=8, id=icmp_id)
                self.assert_seen_by_tc(packet, support.HAS_TCX)
                self.assertEqual(program.count(), 2, "it saw the packet once, as without dptrace")
                icmp_id = ping(self.pod1, self.pod3.ip)
                self.assert_delivered(trace.packet(icmp=8, id=icmp_id), self.request)
                self.assert_nothing_lost(trace.stop())
            self.assertEqual(self.filters(self.pod1.veth), before, "it is still there, and alone")
            marked_ping(self.pod1, self.pod3.ip, expect_reply=not dropping)
            self.assertEqual(program.count(), 3)
        return packet

    def test_filter_that_lets_go_on(self):
        packet = self.clsact_case(TC_ACT_UNSPEC, priority=1)
        self.assert_delivered(packet, self.request)

    def test_filter_that_accepts(self):
        packet = self.clsact_case(TC_ACT_OK, priority=100)
        self.assert_delivered(packet, self.request)

    def test_filter_that_drops(self):
        for priority in (100, 1):
            with self.subTest(priority=priority):
                packet = self.clsact_case(TC_ACT_SHOT, priority)
                self.assert_dropped(
                    packet, self.nodes.out(self.pod1)[:2], f"{self.pod1.veth}@n1", "TC_INGRESS", "__netif_receive_skb_core"
                )

    def test_filter_that_comes_later(self):
        """It would end the row before dptrace's: without tcx the device is left to the tracepoints at once."""
        program = self.program(TC_ACT_OK)
        with self.trace() as trace:
            with program.as_filter(self.nodes.n1, self.pod1.veth, 1):
                if not support.HAS_TCX:
                    support.wait_until(lambda: "somebody has added" in trace.stderr(), trace.state)
                icmp_id = marked_ping(self.pod1, self.pod3.ip)
                self.assert_delivered(trace.packet(icmp=8, id=icmp_id), self.request)
                self.assertEqual(program.count(), 1)
            self.assert_nothing_lost(trace.stop())
        self.assertEqual(support.traces_left(self.nodes.n1), [])

    def test_qdisc_that_is_taken_away(self):
        """With dptrace's filters: it sees the device by tracepoints from then on, and makes no other."""
        support.require(support.CLSACT)
        with self.trace() as trace:
            in_netns(self.nodes.n1, "tc", "qdisc", "del", "dev", self.pod1.veth, "clsact")
            support.wait_until(lambda: "somebody has removed" in trace.stderr(), trace.state)
            icmp_id = ping(self.pod1, self.pod3.ip)
            self.assert_delivered(trace.packet(icmp=8, id=icmp_id), self.request)
            qdiscs = in_netns(self.nodes.n1, "tc", "qdisc", "show", "dev", self.pod1.veth).stdout
            self.assertNotIn("clsact", qdiscs)
            self.assert_nothing_lost(trace.stop())

    def test_clsact_of_the_user_survives_a_kill(self):
        program = self.program(TC_ACT_UNSPEC)
        with program.as_filter(self.nodes.n1, "cni0", 1):
            before = self.filters("cni0")
            with self.trace("cni0") as trace:
                trace.kill()
            support.wait_until(lambda: self.filters("cni0") == before, "the user's filter alone")
            qdiscs = in_netns(self.nodes.n1, "tc", "qdisc", "show", "dev", "cni0").stdout
            self.assertIn("clsact", qdiscs)

    def test_tcx_program_of_the_user(self):
        support.require(support.TCX)
        for verdict in (TC_ACT_UNSPEC, TC_ACT_SHOT):
            with self.subTest(verdict=verdict):
                program = self.program(verdict)
                dropping = verdict == TC_ACT_SHOT
                with program.as_tcx(self.nodes.n1, self.pod1.veth), self.trace() as trace:
                    self.assertEqual(support.attached(self.nodes.n1, self.pod1.veth), (2, 1))
                    icmp_id = marked_ping(self.pod1, self.pod3.ip, expect_reply=not dropping)
                    packet = trace.packet(icmp=8, id=icmp_id)
                    trace.stop()
                    self.assert_seen_by_tc(packet, True)
                    self.assertEqual(program.count(), 1)
                    self.assertEqual(support.attached(self.nodes.n1, self.pod1.veth), (1, 0))
                if dropping:
                    device = f"{self.pod1.veth}@n1"
                    way = self.nodes.out(self.pod1)[:2]
                    self.assert_dropped(packet, way, device, "TC_INGRESS", "__netif_receive_skb_core")
                else:
                    self.assert_delivered(packet, self.request)


class Mechanism(NodeTest):
    def with_programs(self):
        n1 = topology().n1
        return [device for device in sorted(support.devices(n1)) if support.attached(n1, device) == (1, 1)]

    def test_devices_that_get_programs(self):
        """The uplink and a tunnel by tcx; without it none: making a qdisc would lose packets."""
        nodes = topology()
        with Trace("--pod-ip", nodes.pod1.ip) as trace:
            self.assertEqual(self.with_programs(), ["eth0", "flannel.1"] if support.HAS_TCX else [])
            icmp_id = ping(nodes.pod1, nodes.pod3.ip)
            packet = trace.packet(icmp=8, id=icmp_id)
            by_tc = [hop for hop in support.points(packet) if hop.startswith("tc-")]
            wanted = ["tc-egress flannel.1@n1", "tc-egress eth0@n1"]
            self.assertEqual(by_tc, wanted if support.HAS_TCX else [])

    def test_a_clsact_that_is_there_is_used(self):
        support.require(support.CLSACT)
        nodes = topology()
        with support.changed(nodes.n1, "tc qdisc add dev cni0 clsact", "tc qdisc del dev cni0 clsact"):
            with Trace("--pod-ip", nodes.pod1.ip) as trace:
                self.assertEqual(self.with_programs(), ["cni0"])
                trace.stop()
            self.assertIn("clsact", in_netns(nodes.n1, "tc", "qdisc", "show", "dev", "cni0").stdout)
            self.assertEqual(self.with_programs(), [])

    def test_clsact_is_made_where_asked_for_and_taken_away(self):
        support.require(support.CLSACT)
        nodes = topology()
        with Trace("--pod-ip", nodes.pod1.ip, "--interface", "cni0") as trace:
            self.assertIn("clsact", in_netns(nodes.n1, "tc", "qdisc", "show", "dev", "cni0").stdout)
            trace.stop()
        self.assertEqual(support.traces_left(nodes.n1), [])

    def test_nothing_is_lost_by_looking(self):
        """While a trace starts and ends the node's devices throw nothing away; a qdisc that is made or removed would."""
        nodes = topology()

        def thrown_away():
            shown = json.loads(in_netns(nodes.n1, "ip", "-j", "-s", "link", "show").stdout)
            return {link["ifname"]: link["stats64"]["tx"]["dropped"] for link in shown}

        with support.udp_socket(nodes.pod1) as client, support.udp_socket(nodes.pod3) as server:
            client.connect(server.getsockname())
            before = thrown_away()
            # All the time, but no flood.
            with support.repeating(lambda: client.send(b"anything"), 0.001 if support.IN_VM else 50e-6):
                for _ in range(1 if support.IN_VM else 5):
                    with Trace("--pod-ip", "10.244.19.250") as trace:
                        trace.stop()
            self.assertEqual(thrown_away(), before)

    def test_tcx_makes_no_qdisc(self):
        support.require(support.TCX)
        nodes = topology()
        with Trace("--pod-ip", nodes.pod1.ip):
            self.assertNotIn("clsact", in_netns(nodes.n1, "tc", "qdisc", "show", "dev", "cni0").stdout)
            self.assertEqual(support.attached(nodes.n1, "eth0"), (1, 1))

    def test_form_for_the_verifier(self):
        """Where the verifier can, the programs that read nearly every packet in one go; before, those that only walk."""
        nodes = topology()
        with Trace("--pod-ip", nodes.pod1.ip, "--interface", "cni0"):
            loaded = json.loads(run("bpftool", "--json", "prog", "show").stdout)
        names = {program.get("name") for program in loaded}
        fast, slow = {"dptrace_l2_in", "dptrace_l3_in"}, {"dptrace_l2_in_w", "dptrace_l3_in_w"}
        if support.KERNEL >= (6, 9):
            self.assertLessEqual(fast, names)
            self.assertFalse(slow & names)
        else:
            self.assertLessEqual(slow, names)

    def test_programs_are_known_by_their_name(self):
        with Trace("--pod-ip", topology().pod1.ip) as trace:
            loaded = json.loads(run("bpftool", "--json", "prog", "show").stdout)
            ours = trace.programs()
            trace.stop()
        names = [program.get("name", "") for program in loaded if program["id"] in ours]
        self.assertEqual(len(names), len(ours))
        self.assertEqual([name for name in names if not name.startswith("dptrace_")], [])


if __name__ == "__main__":
    unittest.main()
