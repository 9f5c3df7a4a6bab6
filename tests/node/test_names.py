"""A number or an address that another pod takes: packets keep the names of their time. Recordings tell no addresses of
the kernel. Ports of a bridge are pods only where pods are behind them."""

import contextlib
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import stat
import struct
import tempfile
import time
import unittest

import support
from support import NodeTest, Trace, Watch, dptrace, in_netns, run, topology

RESULTS = pathlib.Path("/var/lib/cni/results")  # as libcni caches them
ADDRESS, GATEWAY = "10.213.0.2", "10.213.0.1"
_numbers = itertools.count(1)


class Stand:
    """A pod beside the topology's, behind a veth of node 1, with a result of a CNI plugin."""

    def __init__(self, node, name):
        self.node, self.name = node, name
        self.netns = f"{topology().prefix}-{name}-{next(_numbers)}"
        self.veth = f"st{next(_numbers)}"
        run("ip", "netns", "add", self.netns)
        self.inode = os.stat(f"/run/netns/{self.netns}").st_ino
        in_netns(node, "ip", "link", "add", self.veth, "type", "veth", "peer", "name", "eth0", "netns", self.netns)
        in_netns(node, "ip", "address", "add", f"{GATEWAY}/24", "dev", self.veth)
        in_netns(node, "ip", "link", "set", self.veth, "up")
        for command in (f"address add {ADDRESS}/24 dev eth0", "link set eth0 up", "link set lo up"):
            in_netns(self.netns, "ip", *command.split())
        self.result = RESULTS / f"dptrace-{self.netns}"
        RESULTS.mkdir(parents=True, exist_ok=True)
        self.result.write_text(json.dumps({
            "kind": "cniCacheV1", "containerId": self.netns, "ifName": "eth0", "netns": f"/run/netns/{self.netns}",
            "cniArgs": [["K8S_POD_NAMESPACE", "default"], ["K8S_POD_NAME", name]],
            "result": {"cniVersion": "1.0.0", "ips": [{"address": f"{ADDRESS}/24", "interface": 0}]}}))

    def end(self):
        self.result.unlink(missing_ok=True)
        run("ip", "netns", "del", self.netns, check=False)
        support.wait_until(lambda: run("ip", "netns", "exec", self.node, "ip", "link", "show", self.veth,
                                       check=False).returncode, "the veth's end")


@contextlib.contextmanager
def stand(node, name):
    made = Stand(node, name)
    try:
        yield made
    finally:
        made.end()


@contextlib.contextmanager
def stand_with_inode(node, name, inode):
    """The kernel gives the lowest number that is free: soon the one that was."""
    for _ in range(50):
        with stand(node, name) as made:
            if made.inode == inode:
                yield made
                return
    raise unittest.SkipTest("the kernel gives no number of a netns twice")


def pods_of(packet):
    """Every pod that the packet's JSON tells."""
    ends = [packet["flow"][end].get("pod") for end in ("source", "destination")]
    places = [hop["interface"].get("pod") for hop in packet["hops"] if "interface" in hop]
    return {pod for pod in ends + places if pod}


class NamesOfTheTime(NodeTest):
    def setUp(self):
        self.node = topology().n1

    def ping(self):
        """From node 1 into the pod."""
        class Node:
            netns = self.node

        return support.ping(Node, ADDRESS)

    def assert_names(self, packet, name, veth):
        self.assertEqual(pods_of(packet), {f"default/{name}"}, packet)
        interfaces = {hop["interface"]["name"]: hop["interface"] for hop in packet["hops"] if "interface" in hop}
        self.assertIn(veth, interfaces, packet)
        for device in (veth, "eth0"):
            self.assertEqual(interfaces[device].get("pod"), f"default/{name}", packet)

    def test_netns_number_and_address_are_given_to_another(self):
        with tempfile.TemporaryDirectory() as folder:
            recording = os.path.join(folder, "r.dpt")
            with contextlib.ExitStack() as stack:
                old = stack.enter_context(stand(self.node, "old"))
                trace = stack.enter_context(Trace("--pod-ip", ADDRESS, "--protocol", "icmp", "-w", recording))
                first = self.ping()
                trace.packet(icmp=8, id=first)
                # Everything else it is told when it is over.
                trace.process.send_signal(signal.SIGSTOP)
                second = self.ping()
                old.end()
                new = stack.enter_context(stand_with_inode(self.node, "new", old.inode))
                third = self.ping()
                trace.process.send_signal(signal.SIGCONT)
                veths = {first: ("old", old.veth), second: ("old", old.veth), third: ("new", new.veth)}
                for icmp_id, (name, veth) in veths.items():
                    self.assert_names(trace.packet(icmp=8, id=icmp_id), name, veth)
                trace.stop()
            shown = [json.loads(line) for line in dptrace("show", "-o", "json", recording, check=True).stdout.splitlines()]
            self.assertEqual([record for record in shown if record["type"] == "packet"], trace.packets)
            blocks = re.split(r"\n\n", dptrace("show", recording, check=True).stdout)
            for icmp_id, (name, veth) in veths.items():
                other = "new" if name == "old" else "old"
                for block in (block for block in blocks if f" id {icmp_id} " in block):
                    self.assertIn(f"eth0 in pod default/{name} ", block)
                    self.assertIn(f"{veth} (pod default/{name}) ", block)
                    self.assertNotIn(f"default/{other}", block)

    def test_results_of_a_file_system_with_another_clock(self):
        """What was there when the trace began was there all along, though its time is yet to come."""
        with stand(self.node, "early") as pod:
            later = time.time() + 60
            os.utime(pod.result, (later, later))
            with Trace("--pod-ip", ADDRESS, "--protocol", "icmp") as trace:
                packet = trace.packet(icmp=8, id=self.ping())
        self.assert_names(packet, "early", pod.veth)
        self.assertEqual(packet["flow"]["destination"].get("pod"), "default/early")

    def test_rows_of_drops(self):
        ports = support.new_port(), support.new_port()
        with contextlib.ExitStack() as stack:
            old = stack.enter_context(stand(self.node, "old"))
            watch = stack.enter_context(Watch("--interval", "200ms", "--protocol", "udp", "--pod-ip", ADDRESS))
            send(self.node, ports[0])
            watch.wait_for_count(1, protocol="udp")
            old.end()
            stack.enter_context(stand_with_inode(self.node, "new", old.inode))
            send(self.node, ports[1])
            support.wait_until(lambda: len(rows_of(watch, ports[1])) == 1, "the row of the new pod")
            watch.stop()
        for port, name in zip(ports, ("old", "new")):
            for row in rows_of(watch, port):
                self.assertEqual(row["interface"].get("pod"), f"default/{name}", row)
                self.assertEqual(row["sample"]["flow"]["destination"]["pod"], f"default/{name}", row)


def send(node, port):
    """A datagram that no socket takes."""
    with support.network_namespace(node):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", (ADDRESS, port))


def rows_of(watch, port):
    return [row for row in watch.packets
            if row.get("sample", {}).get("flow", {}).get("destination", {}).get("port") == port]


class Recording(NodeTest):
    def test_tells_no_addresses_and_is_its_owners(self):
        nodes = topology()
        with tempfile.TemporaryDirectory() as folder:
            recording = os.path.join(folder, "r.dpt")
            os.umask(0o022)
            with Trace("--pod-ip", nodes.pod1.ip, "-w", recording) as trace:
                icmp_id = support.ping(nodes.pod1, nodes.pod3.ip)
                trace.packet(icmp=0, id=icmp_id)
                with support.udp_socket(nodes.pod1) as client:
                    ports = client.getsockname()[1], support.new_port()
                    client.sendto(b"refused", (nodes.pod2.ip, ports[1]))
                    dropped = trace.packet(ports=ports)
                trace.stop()
            self.assertEqual(stat.S_IMODE(os.stat(recording).st_mode), 0o600)
            content = pathlib.Path(recording).read_bytes()
            shown = [json.loads(line) for line in dptrace("show", "-o", "json", recording, check=True).stdout.splitlines()]
            verbose = dptrace("show", "-v", recording, check=True).stdout
        self.assertEqual([record for record in shown if record["type"] == "packet"], trace.packets)
        self.assertEqual(dropped["verdict"], "dropped")
        self.assertRegex(dropped["drop"]["location"], r"^\w+(\.[\w.]+)?\+0x[0-9a-f]+$")
        self.assertIn("skb 0000000000000001", verbose)
        self.assertNotRegex(verbose, r"ffff[0-9a-f]{12}")
        # The half of the address space that is the kernel's; keys, which are hashes, may lie in it.
        keys = {key for _, key in records_with_key(content)}
        for _, value in aligned_words(content):
            self.assertFalse(value >= 0xFFFF800000000000 and value not in keys, hex(value))
        self.assertNotRegex(content, rb"1844[67]\d{15}")

    def test_file_that_others_could_read(self):
        with tempfile.TemporaryDirectory() as folder:
            recording = pathlib.Path(folder) / "r.dpt"
            recording.write_bytes(b"what was there before")
            recording.chmod(0o644)
            with Trace("--pod-ip", topology().pod1.ip, "-w", str(recording)) as trace:
                trace.stop()
            self.assertEqual(stat.S_IMODE(recording.stat().st_mode), 0o600)
            self.assertIn("could be read by others (mode 0644)", trace.stderr())


def event_records(content):
    """Of a recording's chunks of events."""
    at = 16
    while at < len(content):
        kind, length, _ = struct.unpack_from("<III", content, at)
        at += 12
        inside = at
        while kind == 3 and inside < at + length:
            size = struct.unpack_from("<H", content, inside + 2)[0]
            yield content[inside:inside + size]
            inside += size
        at += length


def records_with_key(content):
    for record in event_records(content):
        if struct.unpack_from("<H", record)[0] in (1, 2, 3, 5):
            yield record, struct.unpack_from("<Q", record, 24)[0]


def aligned_words(content):
    for record in event_records(content):
        for at in range(0, len(record) - 7, 8):
            yield at, struct.unpack_from("<Q", record, at)[0]


class Roles(NodeTest):
    def test_only_ports_with_a_pod_behind_them_are_pods(self):
        """A bridge joins something like a node and a plain netns; dptrace is where the bridge is."""
        hub, node, plain = (f"{topology().prefix}-{name}" for name in ("hub", "node", "plain"))
        addresses = {node: "10.214.0.2", plain: "10.214.0.3"}
        with contextlib.ExitStack() as stack:
            for netns in (hub, node, plain):
                run("ip", "netns", "add", netns)
                stack.callback(run, "ip", "netns", "del", netns)
            in_netns(hub, "ip", "link", "add", "br0", "type", "bridge")
            in_netns(hub, "ip", "link", "set", "br0", "up")
            for port, netns in (("to-node", node), ("to-plain", plain)):
                in_netns(hub, "ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", netns)
                in_netns(hub, "ip", "link", "set", port, "master", "br0", "up")
                in_netns(netns, "ip", "address", "add", f"{addresses[netns]}/24", "dev", "eth0")
                in_netns(netns, "ip", "link", "set", "eth0", "up")
            in_netns(node, "ip", "link", "add", "cni0", "type", "bridge")
            in_netns(node, "ip", "route", "add", "default", "via", "10.214.0.1")

            class Node:
                netns = node

            with tempfile.TemporaryDirectory() as folder:
                recording = os.path.join(folder, "r.dpt")
                with Trace("--pod-ip", addresses[node], "--protocol", "icmp", "-w", recording, netns=hub) as trace:
                    packet = trace.packet(icmp=8, id=support.ping(Node, addresses[plain]))
                    trace.stop()
                text = dptrace("show", recording, check=True).stdout
        roles = {hop["interface"]["name"]: hop["interface"]["role"] for hop in packet["hops"] if "interface" in hop}
        self.assertEqual((roles["to-node"], roles["to-plain"]), ("other", "pod"), packet)
        self.assertIn(f"to-node (to netns {node}) in netns {hub} ", text)
        self.assertIn(f"to-plain (pod, netns {plain}) in netns {hub} ", text)
        self.assertIn(f"eth0 (uplink) in netns {node} ", text)


if __name__ == "__main__":
    unittest.main()
