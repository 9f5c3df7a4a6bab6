"""Pods that come, send packets that die, and go; and netfilter's own count of some of these."""

import hashlib
import json
import os
import pathlib
import re
import socket
import struct
import time

import support

# IP protocols that nobody takes: a kind of drop each, told apart on any node by the number alone.
PER_CAUSE = 22
CAUSES = ("forward", "bridge", "ttl", "no-route", "no-protocol")
REASONS = {"forward": "NETFILTER_DROP", "bridge": "NETFILTER_DROP", "ttl": "IP_INHDR", "no-route": "IP_INNOROUTES",
           "no-protocol": "IP_NOPROTO"}
PROTOCOLS = {cause: range(143 + PER_CAUSE * i, 143 + PER_CAUSE * (i + 1)) for i, cause in enumerate(CAUSES)}
FAR, NOWHERE, GATEWAY = "10.244.6.200", "198.51.100.1", "10.244.19.1"


class Pod:
    """Wired as the CNI bridge plugin does, without its six processes."""

    def __init__(self, number, host=None):
        self.nodes = support.topology()
        self.born, self.sent, self.sockets = time.monotonic(), 0, None
        self.short = f"soak-{number}"
        self.name, self.netns = f"default/{self.short}", f"{self.nodes.prefix}-{self.short}"
        # Addresses are used again, by other pods, within a minute.
        host = host or 50 + number % 150
        self.ip, self.ip6, self.veth = f"10.244.19.{host}", f"fd00:10:244:19::{host:x}", f"veth{number:08x}"
        self.container = hashlib.sha256(self.netns.encode()).hexdigest()
        cache = pathlib.Path(os.environ.get("CNI_CACHE_DIR", "/var/lib/cni/cache")) / "results"
        self.cache = cache / f"cbr0-{self.container}-eth0"
        support.run("ip", "netns", "add", self.netns)
        support.run("ip", "-n", self.nodes.n1, "-batch", "-", input=f"""\
link add {self.veth} mtu 1450 type veth peer name eth0 mtu 1450 netns {self.netns}
link set {self.veth} master cni0
link set {self.veth} up
""")
        support.run("ip", "-n", self.netns, "-batch", "-", input=f"""\
link set lo up
addr add {self.ip}/24 dev eth0
addr add {self.ip6}/64 dev eth0 nodad
link set eth0 up
route add default via {GATEWAY}
""")
        self.inode = str(os.stat(f"/run/netns/{self.netns}").st_ino)
        cache.mkdir(parents=True, exist_ok=True)
        self.cache.write_text(json.dumps({
            "kind": "cniCacheV1", "containerId": self.container, "ifName": "eth0", "networkName": "cbr0",
            "cniArgs": [["IgnoreUnknown", "1"], ["K8S_POD_NAMESPACE", "default"], ["K8S_POD_NAME", self.short]],
            "result": {"cniVersion": "0.3.1",
                       "interfaces": [{"name": "eth0", "sandbox": f"/run/netns/{self.netns}"}],
                       "ips": [{"address": f"{self.ip}/24"}, {"address": f"{self.ip6}/64"}]}}))
        with support.network_namespace(self.netns):
            self.sockets = (socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
                            socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def address(self, family):
        return self.ip if family == 4 else self.ip6

    def age(self):
        return time.monotonic() - self.born

    def inject(self, counts, sink):
        """A packet of each kind, and one that arrives."""
        raw, datagram = self.sockets
        for cause, protocols in PROTOCOLS.items():
            destination = {"bridge": GATEWAY, "no-route": NOWHERE, "no-protocol": self.ip}.get(cause, FAR)
            for protocol in protocols:
                # Length, identification, checksum and source are the kernel's to fill in.
                header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 1 if cause == "ttl" else 64, protocol, 0,
                                     bytes(4), socket.inet_aton(destination))
                raw.sendto(header + bytes(20), (destination, 0))
                counts[protocol] += 1
                self.sent += 1
        datagram.sendto(b"hello", sink)

    def close(self):
        for one in self.sockets or ():
            one.close()
        support.run("ip", "netns", "del", self.netns)
        self.cache.unlink(missing_ok=True)


class Judge:
    """netfilter's counters of the two rules."""

    def __init__(self, netns):
        self.netns = netns
        support.in_netns(netns, "nft", "-f", "-", input="".join(
            f"table {family} dptrace_soak {{\nchain c {{\ntype filter hook {hook} priority 10\n"
            f"ip daddr {address} ip protocol {PROTOCOLS[cause][0]}-{PROTOCOLS[cause][-1]} counter drop\n}}\n}}\n"
            for family, hook, address, cause in (("ip", "forward", FAR, "forward"),
                                                 ("bridge", "prerouting", GATEWAY, "bridge"))))

    def count(self, cause):
        family = {"forward": "ip", "bridge": "bridge"}[cause]
        listed = support.in_netns(self.netns, "nft", "list", "table", family, "dptrace_soak").stdout
        return int(re.search(r"counter packets (\d+)", listed)[1])
