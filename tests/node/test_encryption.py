"""IPsec and WireGuard between the nodes: what is encrypted is told as taken by who encrypts it, never as lost or arrived."""

import contextlib
import json
import os
import tempfile
import unittest

import support
from support import NodeTest, Trace, Watch, crossings, describe, dptrace, in_netns, ping, run, topology
from test_counters import Counters

KEY = "0x" + "5a" * 20


def underlay(netns):
    (link,) = json.loads(in_netns(netns, "ip", "-j", "-4", "address", "show", "dev", "eth0").stdout)
    return link["addr_info"][0]["local"]


class EncryptionTest(NodeTest):
    def setUp(self):
        self.nodes = topology()
        self.near, self.far = self.nodes.pod1, self.nodes.pod3
        self.undo = contextlib.ExitStack()
        self.addCleanup(self.undo.close)

    def recording(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.file = os.path.join(folder, "trace.dpt")
        return Trace("--pod-ip", self.near.ip, "-w", self.file)

    def request(self, trace, answered=True):
        if answered:
            icmp_id = ping(self.near, self.far.ip)
        else:
            in_netns(self.near.netns, "ping", "-c", "1", "-W", "1", "-e", "4711", self.far.ip, check=False)
            icmp_id = 4711
        return trace.packet(icmp=8, id=icmp_id)


class Ipsec(EncryptionTest):
    def setUp(self):
        super().setUp()
        support.require("IPsec")
        if not support.has("netfilter hops"):
            raise unittest.SkipTest("not with the running kernel: it refuses fentry programs")
        ends = [(self.nodes.n1, self.near.ip), (self.nodes.n2, self.far.ip)]
        self.addresses = [underlay(netns) for netns, _ in ends]
        for here, (netns, _) in enumerate(ends):
            self.undo.callback(in_netns, netns, "ip", "xfrm", "state", "flush")
            self.undo.callback(in_netns, netns, "ip", "xfrm", "policy", "flush")
            for source in (0, 1):
                there = 1 - source
                around = ["src", self.addresses[source], "dst", self.addresses[there], "proto", "esp"]
                in_netns(netns, "ip", "xfrm", "state", "add", *around, "spi", str(0x101 + source), "reqid", "1",
                         "mode", "tunnel", "aead", "rfc4106(gcm(aes))", KEY, "128")
                for direction in ["out"] if source == here else ["in", "fwd"]:
                    in_netns(netns, "ip", "xfrm", "policy", "add", "src", ends[source][1], "dst", ends[there][1],
                             "dir", direction, "tmpl", *around, "reqid", "1", "mode", "tunnel")

    def test_ping(self):
        """Both nodes are in view: what is decrypted is the same packet."""
        with Trace("--pod-ip", self.near.ip) as trace:
            request = self.request(trace)
            self.assert_delivered(request, [
                *self.nodes.up(self.near), "encapsulate eth0@n1", "device-receive eth0@n2",
                *(f"device-transmit {device}@n2" for device in (*self.nodes.BRIDGES, self.far.veth)),
                "device-receive eth0@pod3", "socket eth0@pod3"])
            self.assertEqual(trace.packet(icmp=0)["verdict"], "delivered")

    def test_the_other_end_lost_the_key(self):
        in_netns(self.nodes.n2, "ip", "xfrm", "state", "flush")
        with self.recording() as trace:
            request = self.request(trace, answered=False)
            self.assertEqual(request["verdict"], "stolen", describe(request))
            self.assert_crossings(request, [*self.nodes.up(self.near), "encapsulate eth0@n1"])
            trace.stop()
            self.assertIn("\n  encrypted by IPsec at eth0 (uplink)", dptrace("show", self.file).stdout)

    def test_a_policy_without_a_key(self):
        """It dies before anything is encrypted."""
        in_netns(self.nodes.n1, "ip", "xfrm", "state", "flush")
        with Trace("--pod-ip", self.near.ip) as trace:
            request = self.request(trace, answered=False)
            self.assertEqual(request["verdict"], "dropped", describe(request))
            self.assertNotIn("encapsulate eth0@n1", crossings(request))


class WireGuard(EncryptionTest):
    PORT = 51820

    def setUp(self):
        super().setUp()
        support.require("wireguard devices")
        self.keys = [run("wg", "genkey").stdout.strip() for _ in (1, 2)]
        self.public = [run("wg", "pubkey", input=key).stdout.strip() for key in self.keys]
        self.ends = [(self.nodes.n1, self.near.ip), (self.nodes.n2, self.far.ip)]
        addresses = [underlay(netns) for netns, _ in self.ends]
        for here, (netns, _) in enumerate(self.ends):
            there = 1 - here
            in_netns(netns, "ip", "link", "add", "wg0", "type", "wireguard")
            self.undo.callback(in_netns, netns, "ip", "link", "del", "wg0")
            in_netns(netns, "wg", "set", "wg0", "listen-port", str(self.PORT), "private-key", "/dev/stdin",
                     "peer", self.public[there], "endpoint", f"{addresses[there]}:{self.PORT}",
                     "allowed-ips", f"{self.ends[there][1]}/32", input=self.keys[here])
            in_netns(netns, "ip", "link", "set", "wg0", "up")
            in_netns(netns, "ip", "route", "add", f"{self.ends[there][1]}/32", "dev", "wg0")
        ping(self.near, self.far.ip)  # the handshake

    def test_ping(self):
        """Both nodes are in view: what is decrypted is the same packet."""
        with Trace("--pod-ip", self.near.ip) as trace:
            request = self.request(trace)
            self.assert_delivered(request, [
                *self.nodes.up(self.near), "device-transmit wg0@n1", "device-receive wg0@n2",
                *(f"device-transmit {device}@n2" for device in (*self.nodes.BRIDGES, self.far.veth)),
                "device-receive eth0@pod3", "socket eth0@pod3"])
            self.assertEqual(trace.packet(icmp=0)["verdict"], "delivered")

    def test_a_source_that_the_other_end_refuses(self):
        """Nothing but a counter of the device tells it there."""
        in_netns(self.nodes.n2, "wg", "set", "wg0", "peer", self.public[0], "allowed-ips", "192.0.2.1/32")
        with self.recording() as trace, Counters() as counters:
            request = self.request(trace, answered=False)
            errors = {"group": "device", "name": "rx_errors"}
            support.wait_until(lambda: any(
                record["interface"].get("name") == "wg0" and errors.items() <= record.items()
                for record in list(counters.packets)), counters.state)
            self.assertEqual(request["verdict"], "stolen", describe(request))
            trace.stop()
            self.assertIn("\n  stolen by wg0 (overlay), encrypted there,", dptrace("show", self.file).stdout)

    def test_healthy_is_no_loss(self):
        with Watch("--interval", "200ms") as watch:
            for _ in range(5):
                ping(self.near, self.far.ip)
            watch.stop()
        self.assertEqual([row for row in watch.rows(loss=True)], [])
