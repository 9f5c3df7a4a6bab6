"""Pods and devices that come and go while dptrace runs, two of it at once, and what it leaves behind: nothing."""

import calendar
import itertools
import signal
import time
import unittest

import support
from support import NodeTest, Trace, in_netns, ping, topology


def sending(client, server):
    """Datagrams of different content, one after the other has arrived, for as long as it lasts."""
    numbers = itertools.count()

    def send():
        client.send(b"number %d" % next(numbers))
        server.recv(100)

    return support.repeating(send, 0.005)  # else an emulated processor has no time for dptrace


class Pods(NodeTest):
    def test_pod_created_while_tracing(self):
        nodes = topology()
        with Trace("--pod-ip", nodes.pod3.ip) as trace, nodes.pod(1, "late") as late:
            icmp_id = ping(late, nodes.pod3.ip)
            self.assert_delivered(trace.packet(icmp=8, id=icmp_id), nodes.request(late, nodes.pod3))
            self.assert_delivered(trace.packet(icmp=0, id=icmp_id), nodes.reply(late, nodes.pod3))
            self.assert_nothing_lost(trace.stop())

    def test_pod_deleted_while_tracing(self):
        """What is sent to it afterwards dies for want of a neighbour; the trace goes on."""
        nodes = topology()
        with nodes.pod(1, "gone") as gone, Trace("--pod-ip", gone.ip, "--pod-ip", nodes.pod1.ip) as trace:
            icmp_id = ping(gone, nodes.pod3.ip)
            self.assert_delivered(trace.packet(icmp=8, id=icmp_id), nodes.request(gone, nodes.pod3))
            self.assert_delivered(trace.packet(icmp=0, id=icmp_id), nodes.reply(gone, nodes.pod3))
            nodes.end_pod(gone)
            in_netns(nodes.n1, "ip", "neigh", "flush", "to", gone.ip)
            lost = ping(nodes.pod3, gone.ip, expect_reply=False)
            icmp_id = ping(nodes.pod1, nodes.pod3.ip)
            self.assert_delivered(trace.packet(icmp=8, id=icmp_id), nodes.request(nodes.pod1, nodes.pod3))
            packet = trace.packet(icmp=8, id=lost)  # the kernel gives the neighbour up after 3 s
            way = nodes.far_out(nodes.pod3) + ["device-receive eth0@n1", "device-receive flannel.1@n1"]
            self.assert_dropped(packet, way, "cni0@n1", "NEIGH_FAILED", "neigh_invalidate")
            self.assert_nothing_lost(trace.stop())
        self.assertEqual(support.traces_left(nodes.n1), [])

    def test_ready_means_ready(self):
        """Packets come all the time while it starts; the first that are told are whole, as all later ones are: pods,
        devices and both ends. But for the one that was on its way."""
        nodes = topology()
        way = nodes.across_bridge(nodes.pod1, nodes.pod2)
        port = support.new_port()
        with support.udp_socket(nodes.pod1) as client, support.udp_socket(nodes.pod2, port=port) as server:
            client.connect(server.getsockname())
            with sending(client, server), Trace("--pod-ip", nodes.pod1.ip, "--port", str(port), "-c", "20") as trace:
                self.assertEqual(trace.wait_end(), 0)
        self.assertEqual(len(trace.packets), 20)
        for packet in sorted(trace.packets, key=lambda packet: packet["time"])[1:]:
            self.assert_delivered(packet, way)
            self.assertEqual(packet["flow"]["source"].get("pod"), "default/pod1")
            self.assertEqual(packet["flow"]["destination"].get("pod"), "default/pod2")
            self.assertEqual([hop for hop in packet["hops"] if "name" not in hop["interface"]], [])

    def test_many_devices_attach_quickly(self):
        nodes = topology()

        def seconds_until_ready():
            start = time.monotonic()
            with Trace("--pod-ip", nodes.pod1.ip) as trace:
                taken = time.monotonic() - start
                covered = [name for name in (*names, "cni0", "eth0") if any(support.attached(nodes.n1, name))]
                trace.stop()
            self.assertEqual(covered, ["eth0"] if support.HAS_TCX else [])
            return taken

        names = []
        alone = seconds_until_ready()
        names = [f"many{number}" for number in range(100)]
        pair = "link add {0} group 77 type veth peer name {0}p\nlink set {0} master cni0 up\n"
        in_netns(nodes.n1, "ip", "-batch", "-", input="".join(map(pair.format, names)))
        self.addCleanup(in_netns, nodes.n1, "ip", "link", "del", "group", "77")
        crowded = seconds_until_ready()
        self.assertEqual(support.traces_left(nodes.n1), [])
        if not support.IN_VM:  # 500 of them in 2 s, and a margin for a busy machine
            self.assertLess(crowded - alone, 1)


class Clock(NodeTest):
    @unittest.skipUnless(support.IN_VM, "sets the clock of the machine")
    def test_is_followed_when_it_is_set(self):
        nodes = topology()
        self.addCleanup(lambda before: time.clock_settime(time.CLOCK_REALTIME, time.monotonic() + before),
                        time.time() - time.monotonic())
        with Trace("--pod-ip", nodes.pod1.ip) as trace:
            for hours in (0, 30, -20):
                time.clock_settime(time.CLOCK_REALTIME, time.time() + hours * 3600)
                packet = trace.packet(icmp=8, id=ping(nodes.pod1, nodes.pod2.ip))
                told = calendar.timegm(time.strptime(packet["time"][:19], "%Y-%m-%dT%H:%M:%S"))
                self.assertLess(abs(time.time() - told), 1800)
            trace.stop()


class Vanishing(NodeTest):
    """What dptrace watches goes away under it. A topology of their own: they destroy it."""

    def test_overlay_device_vanishes(self):
        with support.own_topology() as nodes:
            with Trace("--pod-ip", nodes.pod1.ip, netns=nodes.n1) as trace:
                icmp_id = ping(nodes.pod1, nodes.pod3.ip)
                self.assert_delivered(trace.packet(icmp=8, id=icmp_id), nodes.request(nodes.pod1, nodes.pod3))
                in_netns(nodes.n1, "ip", "link", "del", "flannel.1")
                icmp_id = ping(nodes.pod1, nodes.pod2.ip)
                way = nodes.across_bridge(nodes.pod1, nodes.pod2)
                self.assert_delivered(trace.packet(icmp=8, id=icmp_id), way)
                self.assert_nothing_lost(trace.stop())
            self.assertEqual(support.traces_left(nodes.n1), [])

    def test_all_of_the_node_vanishes(self):
        with support.own_topology() as nodes:
            with Trace("--pod-ip", nodes.pod1.ip, netns=nodes.n1) as trace:
                programs = trace.programs()
                nodes.down()
                trace.stop()
            wait_for_no_programs(programs)


def traced(pod):
    """With tc programs on every kernel: before 6.6, only where asked for."""
    return Trace("--pod-ip", pod.ip, "--interface", "cni0")


class LeavesNoTrace(NodeTest):
    def check_clean_after(self, end):
        nodes = topology()
        with traced(nodes.pod1) as trace:
            programs = trace.programs()
            self.assertGreater(len(programs), 2)
            self.assertNotEqual(support.traces_left(nodes.n1), [], "it was attached")
            ping(nodes.pod1, nodes.pod3.ip)
            end(trace)
        soon = 20 if support.IN_VM else 2
        support.wait_until(lambda: not support.traces_left(nodes.n1), "a clean node", soon)
        wait_for_no_programs(programs)
        ping(nodes.pod1, nodes.pod3.ip)

    def test_interrupted(self):
        self.check_clean_after(lambda trace: trace.stop(signal.SIGINT))

    def test_terminated(self):
        self.check_clean_after(lambda trace: trace.stop(signal.SIGTERM))

    def test_killed(self):
        self.check_clean_after(Trace.kill)

    def test_crashed(self):
        def crash(trace):
            trace.process.send_signal(signal.SIGSEGV)
            self.assertNotEqual(trace.process.wait(support.TIMEOUT), 0)

        self.check_clean_after(crash)

    def test_killed_then_started_again(self):
        nodes = topology()
        for _ in range(2):
            with traced(nodes.pod1) as trace:
                icmp_id = ping(nodes.pod1, nodes.pod3.ip)
                self.assert_delivered(trace.packet(icmp=8, id=icmp_id), nodes.request(nodes.pod1, nodes.pod3))
                trace.kill()
        support.wait_until(lambda: not support.traces_left(nodes.n1), "a clean node")

    def test_two_at_once(self):
        """Neither misses anything, nor does the end of one disturb the other."""
        nodes = topology()
        request = nodes.request(nodes.pod1, nodes.pod3)
        with traced(nodes.pod1) as first:
            with traced(nodes.pod3) as second:
                self.assertEqual(support.attached(nodes.n1, "cni0"), (2, 2))
                icmp_id = ping(nodes.pod1, nodes.pod3.ip)
                for trace in (first, second):
                    self.assert_delivered(trace.packet(icmp=8, id=icmp_id), request)
                self.assert_nothing_lost(second.stop())
            self.assertEqual(support.attached(nodes.n1, "cni0"), (1, 1))
            icmp_id = ping(nodes.pod1, nodes.pod3.ip)
            self.assert_delivered(first.packet(icmp=8, id=icmp_id), request)
            self.assert_nothing_lost(first.stop())
        self.assertEqual(support.traces_left(nodes.n1), [])

    def test_one_of_two_is_killed(self):
        nodes = topology()
        with traced(nodes.pod1) as survivor:
            with traced(nodes.pod3) as victim:
                victim.kill()
            support.wait_until(lambda: support.attached(nodes.n1, "cni0") == (1, 1), "the victim's programs gone")
            icmp_id = ping(nodes.pod1, nodes.pod3.ip)
            way = nodes.request(nodes.pod1, nodes.pod3)
            self.assert_delivered(survivor.packet(icmp=8, id=icmp_id), way)
            survivor.stop()
        self.assertEqual(support.traces_left(nodes.n1), [])


def wait_for_no_programs(programs):
    support.wait_until(
        lambda: not any(map(support.Bpf.has_program, programs)),
        f"programs {sorted(programs)} unloaded",
    )


if __name__ == "__main__":
    unittest.main()
