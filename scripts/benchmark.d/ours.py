"""dptrace's commands, as tracers."""

import json
import re
import time

from system import Failed
from tracer import Tracer
from workloads import NOBODY_IP, PINGING_IP, QUIET_IP, SENDER_IP, WORKLOADS


class Dptrace(Tracer):
    def __init__(self, name, kind, binary, *arguments):
        super().__init__(name)
        self.kind, self.binary, self.arguments = kind, binary, arguments

    def program(self):
        return self.binary

    def command(self, scratch):
        arguments = [argument.format(scratch=scratch) for argument in self.arguments]
        return [self.binary, *arguments, "--ready-file", scratch / "ready"]

    def is_ready(self, running):
        return (running.scratch / "ready").exists()

    def events(self, errors, output):
        lines = output.strip().splitlines()
        if lines and lines[-1].startswith('{"type":"summary"'):
            summary = json.loads(lines[-1])
            # The watch of drops counts in the kernel: its events are what it counted.
            return summary.get("events", summary["dropped"]), summary["events_lost"]
        found = re.search(r"(\d+) events?, (none|\d+) lost", output)
        if not found:
            return None, None
        return int(found[1]), 0 if found[2] == "none" else int(found[2])


class Quiet(Dptrace):
    """A busy node on which nothing has been followed for half a minute. Somebody pings, so that it counts as busy."""

    LEFT = {"dptrace_free", "dptrace_receive", "dptrace_xmit"}
    # It sees rules of iptables-legacy replaced, and no packets.
    STAYS = {"dptrace_xt_repl"}

    def beside(self, prefix):
        return ["nsenter", f"--net=/run/netns/{prefix}-pod2", "ping", "-q", "-i", "0.2", "-I", PINGING_IP, WORKLOADS["vxlan"].peer_ip]

    def has_settled(self, attached):
        return attached - self.STAYS == self.LEFT

    def settle(self, running):
        deadline = time.monotonic() + 120
        while not self.has_settled({name.removesuffix("_w") for name in running.attached()}):
            if time.monotonic() > deadline:
                raise Failed(f"{self.name}: its costly probes did not go")
            time.sleep(1)


class QuietPod(Quiet):
    """Likewise where the asked-for address is a pod's of the node, so that it is known which device its packets pass."""

    LEFT = {"dptrace_free", "dptrace_l2_in", "dptrace_l2_out"}


class Pinged(Quiet):
    """It follows a pod that pings once a second, while another sends what does not match. The node counts as busy, and
    for half a minute netfilter has not dropped what is followed."""

    GONE = ("dptrace_hook", "dptrace_nft", "dptrace_ipt", "dptrace_ip6t")

    def beside(self, prefix):
        return ["nsenter", f"--net=/run/netns/{prefix}-pod2", "ping", "-q", "-I", PINGING_IP, WORKLOADS["vxlan"].peer_ip]

    def has_settled(self, attached):
        return not any(name.startswith(self.GONE) for name in attached)


def dptraces(binary, label=""):
    yield Dptrace(f"dptrace{label} nothing", "nothing", binary, "--pod-ip", NOBODY_IP)
    yield QuietPod(f"dptrace{label} quiet", "quiet", binary, "--pod-ip", QUIET_IP, "--busy-rate", "1")
    yield Quiet(f"dptrace{label} quiet, no pod", "nothing", binary, "--pod-ip", NOBODY_IP, "--busy-rate", "1")
    yield Pinged(f"dptrace{label} armed", "armed", binary, "--pod-ip", PINGING_IP, "--busy-rate", "1")
    yield Dptrace(f"dptrace{label} all, text", "all", binary, "--pod-ip", SENDER_IP)
    yield Dptrace(f"dptrace{label} all, json", "all", binary, "--pod-ip", SENDER_IP, "-o", "json")
    yield Dptrace(f"dptrace{label} all, -w", "all", binary, "--pod-ip", SENDER_IP, "--drops-only", "-w", "{scratch}/trace.dpt")
    yield Dptrace(f"dptrace{label} drops", "drops", binary, "drops", "-o", "json")
