"""The command line: what options select, when and how dptrace ends, and what its errors say."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import support
from pseudo_terminal import PseudoTerminal
from support import NodeTest, Trace, dptrace, network_namespace, ping, sysctl, topology


class Selection(NodeTest):
    """Two exchanges of pod1; the option lets one of them through."""

    def setUp(self):
        self.nodes = topology()
        self.pod1, self.pod2, self.pod3 = self.nodes.pods[:3]

    def traffic(self):
        """Pings to both other pods, one datagram to each and one back; returns the two client ports."""
        ports = []
        for peer in (self.pod2, self.pod3):
            ping(self.pod1, peer.ip)
            with support.udp_socket(self.pod1) as client, support.udp_socket(peer) as server:
                client.sendto(b"request", server.getsockname())
                server.sendto(b"answer", server.recvfrom(100)[1])
                client.recv(100)
                ports.append(client.getsockname()[1])
        return ports

    def shown(self, *options, count, source=None):
        with Trace("--pod-ip", source or self.pod1.ip, *options) as trace:
            ports = self.traffic()
            support.wait_until(lambda: len(trace.packets) >= count, trace.state)
            summary = trace.stop()
        self.assertEqual(len(trace.packets), count, trace.state())
        self.assertEqual(summary["packets"], count)
        return trace.packets, ports

    def test_all_of_the_pod(self):
        self.shown(count=8)

    def test_other_pod(self):
        packets, _ = self.shown(count=4, source=self.pod3.ip)
        for packet in packets:
            self.assertIn(self.pod3.ip, [packet["flow"][end]["ip"] for end in ("source", "destination")])

    def test_peer(self):
        packets, _ = self.shown("--peer-ip", self.pod2.ip, count=4)
        for packet in packets:
            self.assertIn(self.pod2.ip, [packet["flow"][end]["ip"] for end in ("source", "destination")])

    def test_protocol(self):
        packets, _ = self.shown("--protocol", "icmp", count=4)
        self.assertEqual({packet["flow"]["protocol"] for packet in packets}, {"icmp"})

    def test_protocol_by_number(self):
        packets, _ = self.shown("--protocol", "17", count=4)
        self.assertEqual({packet["flow"]["protocol"] for packet in packets}, {"udp"})

    def test_ping_has_no_port(self):
        """Where a port would be, an echo request has 8 and 0, which is 2048."""
        with Trace("--pod-ip", self.pod1.ip, "--port", "2048") as trace:
            ping(self.pod1, self.pod3.ip)
            trace.stop()
        self.assertEqual(trace.packets, [])

    def test_port_matches_either_end(self):
        with Trace("--pod-ip", self.pod1.ip, "--port", "4567") as trace:
            self.traffic()
            with support.udp_socket(self.pod1, port=4567) as client, support.udp_socket(self.pod2) as server:
                client.sendto(b"request", server.getsockname())
                server.sendto(b"answer", server.recvfrom(100)[1])
                client.recv(100)
            support.wait_until(lambda: len(trace.packets) >= 2, trace.state)
            trace.stop()
        ports = [{packet["flow"][end]["port"] for end in ("source", "destination")} for packet in trace.packets]
        self.assertEqual(len(ports), 2)
        self.assertTrue(all(4567 in pair for pair in ports))

    def test_address_that_nobody_has(self):
        self.shown(count=0, source="10.244.99.99")

    def test_drops_only(self):
        with sysctl(self.nodes.n1, "net/ipv4/conf/cni0/forwarding", 0):
            with Trace("--pod-ip", self.pod1.ip, "--drops-only") as trace:
                ping(self.pod1, self.pod2.ip)
                icmp_id = ping(self.pod1, self.pod3.ip, expect_reply=False)
                packet = trace.packet(icmp=8, id=icmp_id)
                summary = trace.stop()
        self.assertEqual(packet["verdict"], "dropped")
        self.assertEqual(len(trace.packets), 1, trace.state())
        self.assertEqual((summary["packets"], summary["dropped"]), (1, 1))


class Ending(NodeTest):
    def setUp(self):
        self.nodes = topology()
        self.pod1, self.pod2 = self.nodes.pod1, self.nodes.pod2

    def test_after_a_number_of_packets(self):
        with Trace("--pod-ip", self.pod1.ip, "-c", "3") as trace:
            for _ in range(3):
                ping(self.pod1, self.pod2.ip)
            self.assertEqual(trace.wait_end(), 0)
        self.assertEqual(len(trace.packets), 3)
        self.assertEqual(trace.summary["packets"], 3)

    def test_after_a_time(self):
        with Trace("--pod-ip", self.pod1.ip, "--duration", "1s") as trace:
            ping(self.pod1, self.pod2.ip)
            self.assertEqual(trace.wait_end(), 0)
        self.assertEqual(trace.summary["packets"], 2)
        self.assertGreaterEqual(trace.summary["duration_ns"], 10**9)

    def test_signals_end_it_in_order(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number), Trace("--pod-ip", self.pod1.ip) as trace:
                ping(self.pod1, self.pod2.ip)
                summary = trace.stop(number)  # at once: what was on its way is still shown
                self.assertEqual(summary["packets"], 2)
                self.assertEqual(len(trace.packets), 2)

    def test_fail_on_drop(self):
        for forwarding, status in ((0, 3), (1, 0)):
            setting = sysctl(self.nodes.n1, "net/ipv4/conf/cni0/forwarding", forwarding)
            with self.subTest(forwarding=forwarding), setting:
                with Trace("--pod-ip", self.pod1.ip, "--fail-on-drop", "-c", "1") as trace:
                    ping(self.pod1, self.nodes.pod3.ip, expect_reply=bool(forwarding))
                    self.assertEqual(trace.wait_end(), status)

    def test_standard_output_closed(self):
        """As by `| head`: a quiet end."""
        def ended():
            ping(self.pod1, self.pod2.ip)
            return process.poll() is not None

        with tempfile.TemporaryDirectory() as folder:
            ready = os.path.join(folder, "ready")
            command = [support.DPTRACE, "--pod-ip", self.pod1.ip, "--ready-file", ready]
            with network_namespace(self.nodes.n1):
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            with process:
                support.wait_until(lambda: os.path.exists(ready), "the ready file")
                process.stdout.close()
                support.wait_until(ended, "its end")
                said = process.stderr.read()
        self.assertEqual(process.returncode, 0)
        self.assertNotRegex(said, r"(?i)error|broken pipe|cannot")
        self.assertEqual(support.traces_left(self.nodes.n1), [])


class Json(NodeTest):
    def test_every_line_is_of_the_schema(self):
        nodes = topology()
        with Trace("--pod-ip", nodes.pod1.ip) as trace:
            ping(nodes.pod1, nodes.pod3.ip)
            with sysctl(nodes.n1, "net/ipv4/conf/cni0/forwarding", 0):
                ping(nodes.pod1, nodes.pod3.ip, expect_reply=False)
            trace.wait_for(3, protocol="icmp")
            summary = trace.stop()
        self.assertEqual(trace.stray_lines, [])
        for packet in trace.packets:
            self.assertEqual(packet["schema_version"], 1)
            self.assertRegex(packet["packet_id"], r"^[0-9a-f]{16}$")
            self.assertRegex(packet["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")
            self.assertIn("node_name", packet)
            for hop in packet["hops"]:
                self.assertIsInstance(hop["offset_ns"], int)
                self.assertIsInstance(hop["interface"]["netns"], str)
        self.assertEqual(len({packet["packet_id"] for packet in trace.packets}), len(trace.packets))
        dropped = [packet for packet in trace.packets if packet["verdict"] == "dropped"]
        self.assertEqual(len(dropped), 1)
        self.assertRegex(dropped[0]["drop"]["location"], r"^\w[\w.]*\+0x[0-9a-f]+")
        wanted = {"packets": 3, "dropped": 1, "events_lost": 0, "schema_version": 1}
        self.assertEqual({key: summary[key] for key in wanted}, wanted)
        self.assertGreater(summary["events"], 0)
        self.assertGreater(summary["duration_ns"], 0)


class Text(NodeTest):
    def test_tells_the_story(self):
        """One block a packet: flow in words, devices in order with their netns, the verdict."""
        nodes = topology()
        with tempfile.TemporaryDirectory() as folder:
            recording = os.path.join(folder, "recording")
            with Trace("--pod-ip", nodes.pod1.ip, "-w", recording) as trace:
                with sysctl(nodes.n1, "net/ipv4/conf/cni0/forwarding", 0):
                    icmp_id = ping(nodes.pod3, nodes.pod1.ip, expect_reply=False)
                    trace.packet(icmp=0, id=icmp_id)
                trace.stop()
            text = dptrace("show", recording, check=True).stdout
        self.assertNotIn("\x1b", text, "no colour where there is no terminal")
        self.assertLessEqual(max(map(len, text.splitlines())), 120)
        request, reply = (text.find(f"echo {kind}") for kind in ("request", "reply"))
        self.assertTrue(0 <= request < reply, text)
        after = text[reply:]
        places = [after.find(word) for word in (nodes.pod1.veth, "cni0", "DROPPED", "ip_error")]
        self.assertEqual(places, sorted(places), text)
        self.assertNotIn(-1, places, text)
        if support.HAS_REASONS:
            self.assertIn("IP_INADDRERRORS", after)


class Recording(NodeTest):
    def record(self, path):
        nodes = topology()
        with Trace("--pod-ip", nodes.pod1.ip, "-w", path) as trace:
            support.tcp_transfer(nodes.pod1, nodes.pod3, 50000)
            for _ in range(5):
                ping(nodes.pod1, nodes.pod3.ip)
            with sysctl(nodes.n1, "net/ipv4/conf/cni0/forwarding", 0):
                ping(nodes.pod1, nodes.pod3.ip, expect_reply=False)
            trace.wait_for(11, protocol="icmp")
            trace.stop()
        return trace

    def test_shows_the_same_again(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "recording")
            trace = self.record(path)
            lines = [json.loads(line) for line in dptrace("show", path, "-o", "json", check=True).stdout.splitlines()]
            drops = dptrace("show", path, "-o", "json", "--drops-only", check=True).stdout.splitlines()
        shown = [record for record in lines if record["type"] == "packet"]
        key = lambda packet: packet["packet_id"]  # noqa: E731
        self.assertEqual(sorted(shown, key=key), sorted(trace.packets, key=key))
        self.assertEqual([record for record in lines if record["type"] == "summary"], [trace.summary])
        self.assertEqual([json.loads(line)["type"] for line in drops], ["packet", "summary"])

    def test_damaged(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "recording")
            trace = self.record(str(path))
            data = path.read_bytes()
            path.write_bytes(data[:-1000])  # within events, however many names there were before
            cut = dptrace("show", str(path), "-o", "json")
            path.write_bytes(b"something else entirely" + data[23:])
            other = dptrace("show", str(path))
            path.write_bytes(b"")
            empty = dptrace("show", str(path))
        self.assertEqual(cut.returncode, 1)
        self.assertRegex(cut.stderr, r"(?i)truncated|cut off|incomplete")
        read = [json.loads(line) for line in cut.stdout.splitlines()]
        read = [record for record in read if record["type"] == "packet"]
        self.assertTrue(0 < len(read) <= len(trace.packets), "what could be read is shown")
        for done in (other, empty):
            self.assertEqual(done.returncode, 1)
            self.assertIn(str(path), done.stderr)
            self.assertEqual(done.stdout, "")


class Errors(NodeTest):
    def assert_refused(self, *arguments, says, status=2):
        done = dptrace(*arguments, netns=topology().n1)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        for word in says:
            self.assertIn(word, done.stderr)

    def test_bad_address(self):
        self.assert_refused("--pod-ip", "10.244.1.300", says=["--pod-ip", "10.244.1.300"])
        self.assert_refused("--pod-ip", "10.244.1.3", "--peer-ip", "fd00::zz", says=["--peer-ip", "fd00::zz"])

    def test_no_address(self):
        self.assert_refused("-o", "json", says=["--pod-ip"])

    def test_unknown_option(self):
        self.assert_refused("--pod-ip", "10.244.1.3", "--no-such-option", says=["--no-such-option"])

    def test_ring_size(self):
        self.assert_refused("--pod-ip", "10.244.1.3", "--ring-size", "5000", says=["--ring-size", "power of two"])
        self.assert_refused("--pod-ip", "10.244.1.3", "--ring-size", "much", says=["--ring-size", "much"])

    def test_accepted_values_are_named(self):
        self.assert_refused("--pod-ip", "10.244.1.3", "-o", "xml", says=["--output", "xml", "text", "json"])
        self.assert_refused("--pod-ip", "10.244.1.3", "--protocol", "tpc", says=["--protocol", "tpc", "tcp", "icmpv6"])
        self.assert_refused("--pod-ip", "10.244.1.3", "--port", "70000", says=["--port", "70000"])
        self.assert_refused("--pod-ip", "10.244.1.3", "--duration", "soon", says=["--duration", "soon"])
        self.assert_refused("--pod-ip", "10.244.1.3", "--count", "few", says=["--count", "few"])

    def test_options_that_contradict(self):
        self.assert_refused(
            "--pod-ip", "10.244.1.3", "--protocol", "icmp", "--port", "80", says=["--protocol", "--port"]
        )

    def test_unknown_interface(self):
        self.assert_refused("--pod-ip", "10.244.1.3", "--interface", "nosuch0", says=["nosuch0"], status=1)

    def test_no_such_file(self):
        self.assert_refused("show", "/no/such/file", says=["/no/such/file", "No such file"], status=1)
        path = "/no/such/folder/file"
        self.assert_refused("--pod-ip", "10.244.1.3", "-w", path, says=[path, "No such file"], status=1)

    def test_not_root(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            binary = shutil.copy(support.DPTRACE, folder)
            nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]
            done = support.in_netns(topology().n1, *nobody, binary, "--pod-ip", "10.244.1.3", check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"CAP_BPF|CAP_SYS_ADMIN")
        self.assertEqual(done.stdout, "")


class Explain(NodeTest):
    """No packet is needed, and no right."""

    def test_every_cause_that_is_listed_has_its_page(self):
        lines = dptrace("explain", "--list", check=True).stdout.splitlines()
        causes = dict(line.split(maxsplit=1) for line in lines)
        self.assertGreater(len(causes), 15)
        self.assertIn("forwarding-disabled", causes)
        for cause, sentence in causes.items():
            text = dptrace("explain", cause, check=True).stdout
            self.assertEqual(text.splitlines()[0], f"{cause}: {sentence}")
            self.assertNotRegex(text, r"(?m)\x1b|`|^#", "plain text where there is no terminal")
            for heading in ("What happened", "How it shows", "What proves it", "What mends it"):
                self.assertIn(f"\n\n{heading}\n\n", text)

    def test_on_a_terminal_headings_are_bold_where_colour_is_allowed(self):
        for environment, heading in (({}, b"\x1b[1mWhat happened\x1b[0m"), ({"NO_COLOR": "1"}, b"\nWhat happened\r")):
            with PseudoTerminal(support.DPTRACE, "explain", "no-route", **environment) as terminal:
                def has_ended():
                    terminal.read()
                    return terminal.process.poll() is not None

                support.wait_until(has_ended, "its end")
                terminal.read()
                self.assertIn(heading, terminal.bytes)

    def test_unknown_cause(self):
        for word, near in (("no-rout", "no-route"), ("frobnicate", None)):
            done = dptrace("explain", word)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(f"'{word}'", done.stderr)
            self.assertIn("dptrace explain --list", done.stderr)
            self.assertEqual(f"did you mean {near}?" in done.stderr, near is not None, done.stderr)

    def test_without_a_cause(self):
        done = dptrace("explain")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("dptrace explain CAUSE, or dptrace explain --list", done.stderr)

    def test_needs_no_right(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            binary = shutil.copy(support.DPTRACE, folder)
            nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]
            done = support.run(*nobody, binary, "explain", "unknown")
        self.assertEqual(done.stderr, "")
        self.assertIn("unknown:", done.stdout)


class Help(NodeTest):
    def test_help_names_every_option(self):
        text = dptrace("--help", check=True).stdout + dptrace("trace", "--help", check=True).stdout
        options = (
            "--pod-ip --peer-ip --port --protocol --interface --drops-only --output --write --count --duration "
            "--fail-on-drop --ready-file --ring-size --verbose --armed --busy-rate"
        )
        self.assertEqual([option for option in options.split() if option not in text], [])

    def test_version(self):
        self.assertRegex(dptrace("--version", check=True).stdout, r"\d+\.\d+")

    def test_check_passes_here(self):
        done = dptrace("check")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertTrue(re.search(r"\bok\b", done.stdout), done.stdout)


if __name__ == "__main__":
    unittest.main()
