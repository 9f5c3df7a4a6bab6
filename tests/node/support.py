"""What the node cases share: the two-node topology, traffic in it, a running dptrace and what it printed.

Run as root, natively or in a guest of tests/vm:  python3 -m unittest discover -s tests/node -v

Variables: DPTRACE, the binary (default build/dptrace); DPTRACE_VM, set in the guests, where a feature that the
kernel must have may not be missing.
"""

import atexit
import contextlib
import ctypes
import functools
import itertools
import json
import os
import pathlib
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DPTRACE = os.path.abspath(os.environ.get("DPTRACE", ROOT / "build" / "dptrace"))
IN_VM = "DPTRACE_VM" in os.environ
# Upper bounds only: everything is polled. Guests are emulated and some ten times slower.
TIMEOUT = 90 if IN_VM else 20
POLL = 0.01


def wait_until(condition, what, timeout=TIMEOUT):
    """Returns condition()'s first true value. `what` is a text, or a function that makes one when it is too late."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what() if callable(what) else what}: not within {timeout} s")
        time.sleep(POLL)


def run(*command, check=True, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr}{done.stdout}")
    return done


# ---- the kernel

KERNEL = tuple(int(part) for part in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())
HAS_REASONS = KERNEL >= (5, 17)
HAS_TCX = KERNEL >= (6, 6)
TCX, CLSACT = "tcx (6.6 and later)", "clsact as the way to attach (before 6.6)"


@functools.lru_cache(maxsize=None)
def symbols():
    with open("/proc/kallsyms") as lines:
        return {line.split()[2] for line in lines}


def first_symbol(*names):
    """The first that the running kernel has: functions are renamed and inlined from version to version."""
    return next(name for name in names if name in symbols())


@functools.lru_cache(maxsize=None)
def reason_codes():
    """Drop reasons by name, from the BTF of the running kernel."""
    dump = run("bpftool", "btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "raw").stdout
    return {name: int(code) for name, code in re.findall(r"'SKB_(?:DROP_REASON_)?(\w+)' val=(\d+)", dump)}


@functools.lru_cache(maxsize=None)
def features():
    """What the cases depend on and not every kernel has."""
    found = set()
    checks = json.loads(run(DPTRACE, "check", "-o", "json", check=False).stdout)["checks"]
    if any(re.search("nf_hook|netfilter", check["name"]) and check["state"] == "ok" for check in checks):
        found.add("netfilter hops")
    with network_namespace(topology().n1):
        if run("iptables-legacy", "-L", "-n", check=False).returncode == 0:
            found.add("iptables-legacy")
    found.add(TCX if HAS_TCX else CLSACT)
    return found


def has(feature):
    """Is it there? In a guest it must be, but for what the kernel's version decides."""
    if feature in features():
        return True
    if IN_VM and feature not in (TCX, CLSACT):
        raise AssertionError(f"this kernel must have it, but it is missing: {feature}")
    return False


def require(feature):
    if not has(feature):
        raise unittest.SkipTest(f"not with the running kernel ({os.uname().release}): {feature}")


# ---- network namespaces

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def network_namespace(name):
    """Sockets made and processes started inside belong to `name`. For the calling thread only."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{name}") as there:
        if _libc.setns(there.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"entering network namespace {name}")
        try:
            yield
        finally:
            if _libc.setns(home.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "leaving a network namespace")


def in_netns(netns, *command, **options):
    with network_namespace(netns):
        return run(*command, **options)


@contextlib.contextmanager
def sysctl(netns, key, value):
    """A setting of `netns`, for a while. '/' separates the parts of the key."""
    with network_namespace(netns):
        path = pathlib.Path("/proc/sys") / key
        before = path.read_text()
        path.write_text(str(value))
    try:
        yield
    finally:
        with network_namespace(netns):
            path.write_text(before)


@contextlib.contextmanager
def changed(netns, do, undo):
    """A command in `netns` and what takes it back."""
    in_netns(netns, *do.split())
    try:
        yield
    finally:
        in_netns(netns, *undo.split())


# ---- the topology


class Pod:
    def __init__(self, netns, name, node, ip, ip6, veth):
        self.netns, self.name, self.node, self.veth = netns, name, node, veth
        self.ip, self.ip6 = ip, ip6

    def address(self, family):
        return self.ip if family == 4 else self.ip6


class Topology:
    """Two flannel nodes; dptrace runs on node 1. See tests/topology/flannel."""

    SCRIPT = ROOT / "tests" / "topology" / "flannel"

    def __init__(self, prefix):
        self.prefix = prefix
        self.n1, self.n2 = f"{prefix}-n1", f"{prefix}-n2"
        run(self.SCRIPT, "up", prefix)
        env = dict(word.split("=", 1) for word in run(self.SCRIPT, "env", prefix).stdout.split())
        self.service = (env["SERVICE_IP"], int(env["SERVICE_PORT"]))
        self.pods = []
        for number in itertools.takewhile(lambda n: f"POD{n}" in env, itertools.count(1)):
            keys = ("", "_NAME", "_NODE", "_IP", "_IP6", "_VETH")
            self.pods.append(Pod(*(env[f"POD{number}{key}"] for key in keys)))
        self.pod1, self.pod2, self.pod3, self.pod4 = self.pods
        for pod in self.pods[1:]:  # ARP and neighbour discovery are not the subject
            for family in (4, 6):
                ping(self.pod1, pod.address(family), family=family)

    def down(self):
        run(self.SCRIPT, "down", self.prefix)

    @contextlib.contextmanager
    def pod(self, node, name):
        """One more pod for a while; unless the body has ended it with end_pod."""
        netns, ip, ip6, veth = run(self.SCRIPT, "pod", self.prefix, str(node), name).stdout.split()
        pod = Pod(netns, name, f"{self.prefix}-n{node}", ip, ip6, veth)
        try:
            yield pod
        finally:
            if os.path.exists(f"/run/netns/{netns}"):
                self.end_pod(pod)

    def end_pod(self, pod):
        run(self.SCRIPT, "unpod", self.prefix, pod.node[-1], pod.name)

    # Ways through the topology, as a tracer on node 1 tells them: it has tc programs there and tracepoints elsewhere.

    def out(self, pod, overlay="flannel.1"):
        """From a pod of node 1 to the underlay."""
        return [
            f"device-transmit eth0@{pod.name}",
            f"tc-ingress {pod.veth}@n1",
            "tc-ingress cni0@n1",
            f"tc-egress {overlay}@n1",
            "tc-egress eth0@n1",
        ]

    def far_in(self, pod, overlay="flannel.1"):
        """From the underlay into a pod of node 2."""
        return [
            "device-receive eth0@n2",
            f"device-receive {overlay}@n2",
            "device-transmit cni0@n2",
            f"device-transmit {pod.veth}@n2",
            f"device-receive eth0@{pod.name}",
        ]

    def far_out(self, pod, overlay="flannel.1"):
        return [
            f"device-transmit eth0@{pod.name}",
            f"device-receive {pod.veth}@n2",
            "device-receive cni0@n2",
            f"device-transmit {overlay}@n2",
            "device-transmit eth0@n2",
        ]

    def into(self, pod, overlay="flannel.1"):
        return ["tc-ingress eth0@n1", f"tc-ingress {overlay}@n1", *self.from_node(pod)]

    def from_node(self, pod):
        """From node 1 itself, or routed by it, into one of its pods."""
        return ["tc-egress cni0@n1", f"tc-egress {pod.veth}@n1", f"device-receive eth0@{pod.name}"]

    def request(self, near, far, family=4):
        """A packet from a pod of node 1 to one of node 2, taken there."""
        return self.out(near, OVERLAY[family]) + self.far_in(far, OVERLAY[family]) + [f"socket eth0@{far.name}"]

    def reply(self, near, far, family=4):
        return self.far_out(far, OVERLAY[family]) + self.into(near, OVERLAY[family]) + [f"socket eth0@{near.name}"]

    def across_bridge(self, source, destination):
        """Between two pods of node 1."""
        return [
            f"device-transmit eth0@{source.name}",
            f"tc-ingress {source.veth}@n1",
            f"tc-egress {destination.veth}@n1",
            f"device-receive eth0@{destination.name}",
            f"socket eth0@{destination.name}",
        ]


OVERLAY = {4: "flannel.1", 6: "flannel-v6.1"}

# The netfilter hooks of a packet that crosses, outer header (of the underlay's family) in between.
CROSSING_HOOKS = (
    ["PREROUTING@n1", "FORWARD@n1", "POSTROUTING@n1"]
    + ["OUTPUT@n1", "POSTROUTING@n1", "PREROUTING@n2", "INPUT@n2"]
    + ["PREROUTING@n2", "FORWARD@n2", "POSTROUTING@n2"]
)


def _prefix():
    return f"dpt{os.getpid()}"


def _remove_left_behind():
    """Topologies of runs that were killed."""
    netns = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    for prefix, pid in {match.group(1, 2) for match in map(re.compile(r"(dpt(\d+)[a-z]?)-").match, netns) if match}:
        if not os.path.exists(f"/proc/{pid}"):
            run(Topology.SCRIPT, "down", prefix)


@functools.lru_cache(maxsize=None)
def topology():
    """The one that most cases share and leave as they found it."""
    _remove_left_behind()
    shared = Topology(_prefix())
    atexit.register(shared.down)
    return shared


@contextlib.contextmanager
def own_topology(letter="x"):
    """For a case that destroys it."""
    own = Topology(_prefix() + letter)
    try:
        yield own
    finally:
        own.down()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that atexit runs


# ---- traffic

_icmp_ids = itertools.count(0x4100)
_ports = itertools.count(20000)


def new_port():
    """One that no other case uses, so that its packets can be told from theirs."""
    return next(_ports)


def ping(pod, address, *options, family=4, expect_reply=True, icmp_id=None):
    """One echo request; returns its identifier."""
    icmp_id = icmp_id or next(_icmp_ids)
    wait = str(TIMEOUT) if expect_reply else "0.1"
    in_netns(
        pod.netns, "ping", f"-{family}", "-n", "-q", "-c1", "-W", wait, "-e", str(icmp_id), *options, address,
        check=expect_reply,
    )
    return icmp_id


def udp_socket(pod, family=4, port=None):
    """Bound to the pod's address."""
    with network_namespace(pod.netns):
        endpoint = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    endpoint.bind((pod.address(family), port or new_port()))
    endpoint.settimeout(TIMEOUT)
    return endpoint


def listener(pod, family=4, port=None, backlog=128):
    with network_namespace(pod.netns):
        endpoint = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    endpoint.bind((pod.address(family), port or new_port()))
    endpoint.listen(backlog)
    endpoint.settimeout(TIMEOUT)
    return endpoint


def tcp_client(pod, family=4, port=None):
    """Not yet connected."""
    with network_namespace(pod.netns):
        endpoint = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    endpoint.bind((pod.address(family), port or new_port()))
    endpoint.settimeout(TIMEOUT)
    return endpoint


def tcp_transfer(source, destination, size, family=4):
    """Sends `size` bytes; returns the two ports. Both ends close in order."""
    with listener(destination, family) as server, tcp_client(source, family) as client:
        ports = client.getsockname()[1], server.getsockname()[1]
        received = 0

        def receive():
            nonlocal received
            connection, _ = server.accept()
            with connection:
                connection.settimeout(TIMEOUT)
                while data := connection.recv(1 << 20):
                    received += len(data)

        thread = threading.Thread(target=receive)
        thread.start()
        client.connect((destination.address(family), ports[1]))
        client.sendall(bytes(size))
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        thread.join()
    assert received == size, f"{received} of {size} bytes came through"
    return ports


FLOOD = """
import socket, sys, time
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.connect((sys.argv[1], int(sys.argv[2])))
end, payload, sent = time.monotonic() + float(sys.argv[3]), bytes(18), 0
while time.monotonic() < end:
    for _ in range(100):
        try:
            sender.send(payload)
        except OSError:
            continue
        sent += 1
print(sent)
"""


@contextlib.contextmanager
def flood(source, destination, seconds):
    """Small datagrams from `source`, as fast as one process can; yields a function that waits and tells how many."""
    sink = udp_socket(destination)  # never read: some are taken, the rest overflow its buffer
    with network_namespace(source.netns):
        process = subprocess.Popen(
            [sys.executable, "-c", FLOOD, destination.ip, str(sink.getsockname()[1]), str(seconds)],
            stdout=subprocess.PIPE, text=True,
        )
    with sink, process:
        try:
            yield lambda: int(process.communicate()[0])
        finally:
            process.kill()


# ---- dptrace


class Trace:
    """A running `dptrace -o json`, its packets as they come."""

    RECORDS = "packet"

    def __init__(self, *arguments, netns=None):
        self.packets = []
        self.summary = None
        self.stray_lines = []
        self._changed = threading.Condition()
        self._folder = tempfile.TemporaryDirectory(prefix="dptrace-")
        ready = os.path.join(self._folder.name, "ready")
        self._stderr = open(os.path.join(self._folder.name, "stderr"), "w+")
        self.process = subprocess.Popen(  # "ip netns exec" becomes dptrace: one process id
            ["ip", "netns", "exec", netns or topology().n1, DPTRACE, *arguments, "-o", "json", "--ready-file", ready],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._stderr, text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            wait_until(lambda: os.path.exists(ready) or self.process.poll() is not None, "dptrace's ready file")
            if not os.path.exists(ready):
                raise AssertionError(f"dptrace ended with {self.process.returncode}:\n{self.stderr()}")
        except AssertionError:
            self.__exit__()
            raise

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                try:
                    record = json.loads(line)
                except ValueError:
                    self.stray_lines.append(line)
                    continue
                if record.get("type") == self.RECORDS:
                    self.packets.append(record)
                elif record.get("type") == "summary":
                    self.summary = record
                else:
                    self.stray_lines.append(line)
                self._changed.notify_all()

    def stderr(self):
        """What it has said so far; also after the end."""
        if not self._stderr.closed:
            self._said = pathlib.Path(self._stderr.name).read_text()
        return self._said

    def found(self, **wanted):
        with self._changed:
            return [packet for packet in self.packets if matches(packet, **wanted)]

    def wait_for(self, count, **wanted):
        """The first packets of that flow (see matches), once there are as many."""

        def enough():
            packets = self.found(**wanted)
            if len(packets) >= count:
                return packets
            if self.process.poll() is not None:
                self._reader.join(TIMEOUT)
                packets = self.found(**wanted)
                if len(packets) >= count:
                    return packets
                raise AssertionError(f"dptrace ended with {self.process.returncode} before it was seen: {self.state()}")
            return None

        return wait_until(enough, lambda: f"{count} of {wanted} ({self.state()})")

    def packet(self, **wanted):
        return self.wait_for(1, **wanted)[0]

    def state(self):
        with self._changed:
            shown = "\n".join(describe(packet) for packet in self.packets[-20:])
        return f"dptrace printed {len(self.packets)} packets, the last:\n{shown}\nand said:\n{self.stderr()}"

    def wait_end(self):
        """Until it ends by itself; returns the exit status."""
        try:
            status = self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"dptrace does not end; {self.state()}") from None
        self._reader.join(TIMEOUT)
        return status

    def stop(self, signal_number=signal.SIGINT):
        """Ends it in order; returns the summary."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        status = self.wait_end()
        if status or self.summary is None:
            raise AssertionError(f"dptrace ended with {status}, summary {self.summary}; {self.state()}")
        return self.summary

    def kill(self):
        """As by "kill -9"."""
        self.process.kill()
        self.process.wait()
        self._reader.join(TIMEOUT)

    def programs(self):
        """The BPF programs that it holds, by id."""
        found = set()
        for entry in pathlib.Path(f"/proc/{self.process.pid}/fdinfo").iterdir():
            with contextlib.suppress(OSError):
                found.update(int(number) for number in re.findall(r"^prog_id:\s*(\d+)$", entry.read_text(), re.M))
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()
        self.stderr()
        self.process.stdout.close()
        self._stderr.close()
        self._folder.cleanup()


class Watch(Trace):
    """A running `dptrace drops -o json`: a record per kind of drop and interval."""

    RECORDS = "drop_kind"

    def __init__(self, *arguments, netns=None):
        super().__init__("drops", *arguments, netns=netns)
        self._netns = netns_names()  # others use this machine too

    def rows(self, **wanted):
        """The last record of each kind in our network namespaces; each is a running total."""
        with self._changed:
            records = list(self.packets)
        rows = {}
        for record in records:
            if record.get("interface", {}).get("netns") not in self._netns:
                continue
            if all(record.get(key) == value for key, value in wanted.items()):
                rows[row_kind(record)] = record
        return list(rows.values())

    def count(self, **wanted):
        return sum(row["packets"] for row in self.rows(**wanted))

    def wait_for_count(self, count, **wanted):
        """Until at least so many are told."""
        wait_until(lambda: self.count(**wanted) >= count, lambda: f"{count} drops {wanted} ({self.state()})")

    def state(self):
        with self._changed:
            records = "\n".join(map(json.dumps, self.packets[-20:]))
        return f"dptrace printed:\n{records}\nand said:\n{self.stderr()}"


def row_kind(row):
    """What makes a row of its own."""
    keys = ("reason", "location", "family", "protocol", "icmp_type", "multicast", "loss")
    interface, pod = row.get("interface", {}), row.get("pod", {})
    return (*(row.get(key) for key in keys), interface.get("netns"), interface.get("index"), pod.get("ip"))


def dptrace(*arguments, netns=None, check=False, **options):
    """A command that ends by itself."""
    prefix = ("ip", "netns", "exec", netns) if netns else ()
    return run(*prefix, DPTRACE, *arguments, check=check, timeout=TIMEOUT, **options)


# ---- what it printed


def matches(packet, **wanted):
    """`source`, `destination`: IP; `ports`: (source, destination); `icmp`: its type; or a key of flow or icmp."""
    flow = packet["flow"]
    source, destination = flow["source"], flow["destination"]
    for key, value in wanted.items():
        if key == "source":
            seen = source["ip"]
        elif key == "destination":
            seen = destination["ip"]
        elif key == "ports":
            seen = (source.get("port"), destination.get("port"))
        elif key == "icmp":
            seen = flow.get("icmp", {}).get("type")
        else:
            seen = flow.get(key, flow.get("icmp", {}).get(key))
        if seen != value:
            return False
    return True


def describe(packet):
    flow = packet["flow"]
    source, destination = (f"{end['ip']} {end.get('port', '')}" for end in (flow["source"], flow["destination"]))
    what = f"{flow['protocol']} {flow.get('icmp', '')} {source} > {destination}"
    drop = {key: value for key, value in packet.get("drop", {}).items() if key in ("reason", "location", "stack")}
    return f"{what} {flow.get('tcp', '')} {packet['verdict']} {drop or ''}: {crossings(packet)}"


def netns_names():
    """`n1`, `pod1`, ... by inode number, which is how dptrace tells a network namespace."""
    with os.scandir("/run/netns") as entries:
        ours = (entry for entry in entries if entry.name.startswith(_prefix()))
        return {str(entry.stat().st_ino): entry.name.split("-", 1)[1] for entry in ours}


def place(interface, names=None):
    """`eth0@n1` of a hop's interface."""
    if not interface:
        return "nowhere"
    inode = interface["netns"]
    return f"{interface['name']}@{(names or netns_names()).get(inode, inode)}"


def crossings(packet):
    """The hops, netfilter's left out, as `point device@netns`."""
    names = netns_names()
    hops = (hop for hop in packet["hops"] if hop["point"] != "netfilter")
    return [f"{hop['point']} {place(hop.get('interface'), names)}" for hop in hops]


def hooks(packet, family):
    """The netfilter hops of an IP family, as `HOOK@netns`; `HOOK@netns drop` where it was not accepted.

    "stolen" is left out: it is how br_netfilter keeps a bridged packet from running the IP hooks twice. The pods' own
    hooks are left out: security modules register some in every netns (Debian's AppArmor at POSTROUTING).
    """
    names, found = netns_names(), []
    for hop in packet["hops"]:
        if hop["point"] != "netfilter" or hop["netfilter"]["family"] != family:
            continue
        verdict, netns = hop["netfilter"]["verdict"], names.get(hop["interface"]["netns"], "?")
        if verdict != "stolen" and not netns.startswith("pod"):
            text = f"{hop['netfilter']['hook']}@{netns}"
            found.append(text if verdict == "accept" else f"{text} {verdict}")
    return found


def flows(packet):
    """The tuple at each crossing, as (source, destination) with ports where there are any."""
    ends = packet["flow"]
    found = []
    for hop in packet["hops"]:
        ends = hop.get("flow", ends)
        if hop["point"] != "netfilter":
            found.append(tuple((end["ip"], end.get("port")) for end in (ends["source"], ends["destination"])))
    return found


def function_of(location):
    """`ip_rcv_finish_core` of `ip_rcv_finish_core.constprop.0+0x1f2`."""
    suffix = r"(?:\.(?:constprop|isra|part|cold)(?:\.\d+)?)*"
    match = re.fullmatch(rf"(\w+?){suffix}\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?(?: \[\w+\])?", location)
    return match.group(1) if match else location


class NodeTest(unittest.TestCase):
    maxDiff = None

    def assert_crossings(self, packet, expected):
        self.assertEqual(crossings(packet), expected, describe(packet))

    def assert_hooks(self, packet, expected, family="ipv4"):
        """On kernels where netfilter's hooks can be watched."""
        if has("netfilter hops"):
            self.assertEqual(hooks(packet, family), expected, describe(packet))

    def assert_delivered(self, packet, expected):
        self.assert_crossings(packet, expected)
        self.assertEqual(packet["verdict"], "delivered", describe(packet))
        self.assertNotIn("drop", packet)

    def assert_dropped(self, packet, way, device, reason, *functions):
        """Dropped at `device` (`name@netns`) after `way`, in one of `functions`."""
        self.assert_crossings(packet, [*way, f"drop {device}"])
        self.assertEqual(packet["verdict"], "dropped")
        drop = packet["drop"]
        self.assertEqual(drop["interface"]["name"], device.split("@")[0], drop)
        self.assertIn(function_of(drop["location"]), functions, drop)
        if HAS_REASONS:
            self.assertEqual(drop["reason"], reason)
            self.assertEqual(drop["reason_code"], reason_codes()[reason])
        else:
            self.assertNotIn("reason", drop)
            self.assertNotIn("reason_code", drop)

    def assert_nothing_lost(self, summary):
        self.assertEqual(summary["events_lost"], 0, summary)


# ---- BPF, as far as the cases need it


# Before 5.11 maps and programs count as locked memory. Later it does not matter that it may not be raised.
with contextlib.suppress(ValueError):
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class Bpf:
    """The system call, without a library: what is attached, and a program of the user's own."""

    _NUMBER = {"x86_64": 321, "aarch64": 280}
    MAP_CREATE, MAP_LOOKUP, PROG_LOAD, OBJ_PIN = 0, 1, 5, 6
    PROG_GET_FD_BY_ID, PROG_QUERY, LINK_CREATE = 13, 16, 28
    TCX_INGRESS, TCX_EGRESS = 46, 47

    @classmethod
    def call(cls, command, attributes):
        data = ctypes.create_string_buffer(attributes.ljust(128, b"\0"))
        result = _libc.syscall(cls._NUMBER[os.uname().machine], command, data, len(data))
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result, data.raw

    @classmethod
    def has_program(cls, program_id):
        try:
            fd, _ = cls.call(cls.PROG_GET_FD_BY_ID, struct.pack("I", program_id))
        except FileNotFoundError:
            return False
        os.close(fd)
        return True

    @classmethod
    def tcx_programs(cls, ifindex, attach_type):
        """The ids attached to a device of the current network namespace, in order."""
        ids = (ctypes.c_uint32 * 64)()
        query = struct.pack("IIIIQIIQQQ", ifindex, attach_type, 0, 0, ctypes.addressof(ids), 64, 0, 0, 0, 0)
        try:
            _, answer = cls.call(cls.PROG_QUERY, query)
        except OSError:
            return []
        count = struct.unpack_from("I", answer, 24)[0]
        return list(ids[:count])


def attached(netns, device):
    """How many tc programs a device has, by tcx and clsact: (ingress, egress)."""
    filters = [
        in_netns(netns, "tc", "filter", "show", "dev", device, direction, check=False).stdout.count(" handle ")
        for direction in ("ingress", "egress")
    ]
    if not HAS_TCX:
        return tuple(filters)
    with network_namespace(netns):
        index = socket.if_nametoindex(device)
        links = [len(Bpf.tcx_programs(index, kind)) for kind in (Bpf.TCX_INGRESS, Bpf.TCX_EGRESS)]
    return tuple(map(sum, zip(filters, links)))


def devices(netns):
    with network_namespace(netns):
        return [name for _, name in socket.if_nameindex()]


def traces_left(netns):
    """What a tracer left on the devices of a node."""
    left = []
    for device in devices(netns):
        if any(attached(netns, device)):
            left.append(f"{device}: {attached(netns, device)} programs")
        if "clsact" in in_netns(netns, "tc", "qdisc", "show", "dev", device).stdout:
            left.append(f"{device}: clsact")
    return left
