"""The run, and what is asserted of it."""

import collections
import contextlib
import math
import os
import re
import signal
import socket
import time
import urllib.request

import support
from options import MIB
from pods import PROTOCOLS, REASONS, Judge, Pod
from watched import LATE, Drops, Follow, growth, reading

ROWS, SERIES = 4096, 2000  # what `drops` keeps at most
COLLAPSED = 500  # series whose pod and interface are "other": by reason and protocol, which do not churn
# So long dptrace keeps the names of what has gone, and no longer: its devices, addresses, rows and answers.
KEPT_SECONDS = 300
POD_BYTES = 8 << 10
MAX_THREADS, MAX_DESCRIPTORS = 1, 8  # that a level may drift by: pods are not always as many
SETTLED = 2.0  # seconds after which a pod is known to a dptrace that looks every second
# What each may say, once: a bound is met on purpose, and some kernels refuse probes.
EXPECTED = {"drops": "dptrace: metrics: more than 2000 kinds ", "trace": "dptrace: not seen here: "}
TRACED = 220  # the last part of its address


class Soak:
    def __init__(self, chosen):
        self.chosen = chosen
        self.nodes = support.topology()
        self.failures, self.samples, self.pods = [], {"drops": [], "trace": []}, []
        self.injected = {protocol: 0 for protocols in PROTOCOLS.values() for protocol in protocols}
        self.datagrams = self.made = self.series = 0
        self.sent_by_pod, self.wrong_series, self.warm = {}, {}, None
        self.sample_every = min(chosen.sample, chosen.duration / 30)

    def fail(self, what):
        print(f"soak: FAILED: {what}", flush=True)
        self.failures.append(what)

    def expect(self, what, found, expected):
        if found != expected:
            self.fail(f"{what}: {found}, expected {expected}")

    def get(self, path):
        with support.network_namespace(self.nodes.n1):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=support.TIMEOUT) as answer:
                return answer.read().decode()

    def run(self):
        nodes = self.nodes
        judge = Judge(nodes.n1)
        with support.network_namespace(nodes.n1), socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        # Not one of the topology's pods: other tests on this machine may have those addresses, and floods.
        target = Pod(0, TRACED)
        with contextlib.closing(target), support.udp_socket(target) as sink:
            sink.setblocking(False)
            with Drops(self.port) as self.drops, Follow(target.ip, sink.getsockname()[1]) as self.trace:
                self.running = {"drops": self.drops, "trace": self.trace}
                self.drops.netns[str(os.stat(f"/run/netns/{nodes.n1}").st_ino)] = math.inf
                programs = self.drops.programs() | self.trace.programs()
                self.settle()
                before = {name: reading(one.process.pid) for name, one in self.running.items()}
                try:
                    self.churn(sink)
                finally:
                    for pod in self.pods:
                        pod.close()
                self.expect_levels(before)
                self.end(programs)
        self.judge_counts(judge)
        self.judge_growth()
        return not self.failures

    def settle(self):
        """Until each has looked at the node: descriptors and threads that come with that are there."""
        deadline = time.monotonic() + SETTLED
        while time.monotonic() < deadline:
            time.sleep(0.1)

    def churn(self, sink):
        start = time.monotonic()
        step = 60 / self.chosen.pods
        due = sample_at = start
        minute = 1
        while (now := time.monotonic()) < start + self.chosen.duration:
            if now >= due:
                self.make(sink)
                due = max(due + step, now)
            for pod in [pod for pod in self.pods if pod.age() > SETTLED]:
                self.inject(pod, sink)
                self.pods.remove(pod)
                self.drops.ended[pod.name] = time.monotonic()
                self.drops.netns[pod.inode] = time.monotonic() + LATE
                self.sent_by_pod[pod.name] = pod.sent
                pod.close()
            if now >= sample_at:
                sample_at = now + self.sample_every
                self.sample(now - start)
            if now >= start + 60 * minute:
                self.tell(minute)
                minute += 1
            for name, one in self.running.items():
                if one.process.poll() is not None:
                    raise SystemExit(f"soak: {name} ended with {one.process.returncode}:\n{one.stderr()}")
            time.sleep(max(0, min(due - time.monotonic(), 0.05)))
        self.elapsed = time.monotonic() - start

    def make(self, sink):
        self.made += 1
        pod = Pod(self.made)
        self.pods.append(pod)
        self.drops.netns[pod.inode] = math.inf
        self.inject(pod, sink)

    def inject(self, pod, sink):
        pod.inject(self.injected, sink.getsockname())
        self.datagrams += 1
        for _ in range(2):  # what the one before sent may come late
            try:
                sink.recv(64)
            except BlockingIOError:
                break

    def sample(self, now):
        for name, one in self.running.items():
            self.samples[name].append({"time": now, **reading(one.process.pid)})
        if self.warm is None and len(self.drops.kinds) > ROWS * 2 and now > self.chosen.duration / 5:
            self.warm = now
        health = self.get("/healthz")
        if health != "ok\n":
            self.fail(f"health after {now:.0f} s: {health!r}")
        series = re.findall(r"^dptrace_drop_packets_total\{(.*)\} (\S+)$", self.get("/metrics"), re.M)
        self.series = len(series)
        self.expect_own_drops(now, series)
        if self.series > SERIES + COLLAPSED:
            self.fail(f"series after {now:.0f} s: {self.series}, bound {SERIES} and {COLLAPSED} collapsed")

    def expect_own_drops(self, now, series):
        """A pod sends two of each protocol at most: a series with more has those of another pod."""
        for labels, value in series:
            label = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            if label["protocol"].isdigit() and label["pod"].startswith("soak-") and float(value) > 2:
                self.wrong_series.setdefault(labels, f"{value} after {now:.0f} s")

    def tell(self, minute):
        parts = []
        for name, samples in self.samples.items():
            last = samples[-1]
            parts.append(f"{name} {last['memory'] / MIB:.2f} MiB (RSS {last['RSS'] / MIB:.1f}), "
                         f"{last['descriptors']} fds, {last['threads']} threads, maps {last['BPF maps'] / MIB:.1f} MiB")
        print(f"{minute:3} min: {self.made} pods, {sum(self.injected.values())} drops, {len(self.drops.kinds)} kinds, "
              f"{self.series} series; " + "; ".join(parts), flush=True)

    def expect_levels(self, before):
        """The pods are gone, and what was held for them."""
        for name, one in self.running.items():
            for key in ("descriptors", "threads"):
                try:
                    support.wait_until(lambda: reading(one.process.pid)[key] <= before[name][key], "")
                except AssertionError:
                    self.fail(f"{name}: {reading(one.process.pid)[key]} {key} once the pods were gone, "
                              f"{before[name][key]} before they came")

    def end(self, programs):
        support.wait_until(
            lambda: sum(self.drops.told.values()) + self.drops.other >= sum(self.injected.values()) or
            self.drops.process.poll() is not None,
            lambda: f"every drop told: {sum(self.drops.told.values())} by protocol and {self.drops.other} others of "
                    f"{sum(self.injected.values())}")
        for name, one in self.running.items():
            summary = one.stop(signal.SIGTERM)
            self.expect(f"{name}: events lost", summary["events_lost"], 0)
            said = collections.Counter(one.stderr().splitlines())
            self.expect(f"{name}: said again and again", {line: count for line, count in said.items() if count > 1}, {})
            for line in said:
                if not re.match(EXPECTED[name], line):
                    self.fail(f"{name} said: {line}")
        left = lambda: [program for program in programs if support.Bpf.has_program(program)]
        try:  # the kernel unloads them a little later
            support.wait_until(lambda: not left(), "")
        except AssertionError:
            self.fail(f"programs left: {left()}")
        self.expect("left on the devices", support.traces_left(self.nodes.n1), [])

    def judge_counts(self, judge):
        drops = self.drops
        wrong = {number: (drops.told.get(number, 0), count) for number, count in self.injected.items()
                 if drops.told.get(number, 0) != count}
        # What had no room is counted without its protocol.
        too_many = any(told > injected for told, injected in wrong.values())
        if too_many or sum(injected - told for told, injected in wrong.values()) > drops.other:
            self.fail(f"counted, injected by protocol: {wrong}, and {drops.other} others")
        for cause in ("forward", "bridge"):
            told = sum(drops.told.get(number, 0) for number in PROTOCOLS[cause])
            if not told <= judge.count(cause) <= told + drops.other:
                self.fail(f"{cause}: {told} counted, {drops.other} others, {judge.count(cause)} by netfilter's counter")
        for cause, protocols in PROTOCOLS.items() if support.HAS_REASONS else ():
            found = set().union(*(drops.reasons.get(number, set()) for number in protocols))
            self.expect(f"{cause}: reasons", found, {REASONS[cause]})
        strangers = {name: (count, self.sent_by_pod.get(name, 0)) for name, count in drops.by_pod.items()
                     if name.startswith("default/soak-") and name in self.sent_by_pod
                     and count > self.sent_by_pod[name]}
        if strangers:
            self.fail(f"{len(strangers)} pods are told with drops of others (told, sent): {dict(list(strangers.items())[:5])}")
        if self.wrong_series:
            self.fail(f"{len(self.wrong_series)} series have drops of other pods: {list(self.wrong_series.items())[:5]}")
        if drops.late:
            self.fail(f"{len(drops.late)} pods are told with drops long after their end: {list(drops.late.items())[:5]}")
        self.expect("drops: lines that are no kind of drop", drops.stray_lines[:3], [])
        self.expect("trace: datagrams to the pod", self.trace.verdicts, {"delivered": self.datagrams})

    def judge_growth(self):
        if self.warm is None:
            self.fail(f"no steady state: {len(self.drops.kinds)} kinds of drops, more than {ROWS} rows were to be filled")
            return
        # A run that is too short to get beyond that may grow by what is kept of the pods that came meanwhile.
        is_long = self.elapsed >= 2 * KEPT_SECONDS
        begin = max(self.warm, KEPT_SECONDS) if is_long else self.warm
        for name, samples in self.samples.items():
            steady = [sample for sample in samples if sample["time"] >= begin]
            if len(steady) < 5:
                self.fail(f"{name}: {len(steady)} readings after the warm-up of {begin:.0f} s, at least 5 are needed")
                continue
            grown = {key: growth(steady, key) for key in ("memory", "RSS", "descriptors", "threads", "BPF maps")}
            span = steady[-1]["time"] - steady[0]["time"]
            print(f"{name}: in {span:.0f} s memory {grown['memory'] / 1024:+.0f} KiB to {steady[-1]['memory'] / MIB:.2f} MiB, "
                  f"RSS {grown['RSS'] / 1024:+.0f} KiB to {steady[-1]['RSS'] / MIB:.1f} MiB, "
                  f"descriptors {grown['descriptors']:+.1f}, threads {grown['threads']:+.1f}, "
                  f"BPF maps {grown['BPF maps'] / 1024:+.0f} KiB")
            kept = 0 if is_long else POD_BYTES * self.made * span / self.elapsed
            limits = {"memory": int(self.chosen.max_growth + kept), "descriptors": MAX_DESCRIPTORS, "threads": MAX_THREADS,
                      "BPF maps": MIB}
            for key, limit in limits.items():
                if grown[key] > limit:
                    self.fail(f"{name}: {key} grew by {grown[key]:.0f} in {span:.0f} s, from {steady[0][key]} to "
                              f"{steady[-1][key]}; {limit} may be")
