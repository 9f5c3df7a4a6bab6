"""`drops --metrics` for tests: run, asked, and what it answers as values."""

import contextlib
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request

import support
from support import HAS_REASONS, network_namespace, topology, wait_until

PACKAGING = support.ROOT / "packaging"
DROPS, BYTES = "dptrace_drop_packets_total", "dptrace_drop_bytes_total"
KERNEL = "dptrace_kernel_losses_total"
LABELS = {
    DROPS: ["reason", "cause", "interface", "protocol", "namespace", "pod"],
    BYTES: ["reason", "cause", "interface", "protocol", "namespace", "pod"],
    KERNEL: ["group", "name", "interface", "namespace", "pod"],
    "dptrace_events_lost_total": ["stage"],
    "dptrace_series_collapsed_total": [],
    "dptrace_probe_attached": ["probe"],
    "dptrace_build_info": ["version"],
}
FROM_PROMETHEUS = {"instance", "job"}  # labels that every scrape adds


def free_port(netns, family=socket.AF_INET):
    with network_namespace(netns), socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return probe.getsockname()[1]


def get(netns, url):
    """Status and body. `netns`: none is our own."""
    with network_namespace(netns) if netns else contextlib.nullcontext():
        try:
            with urllib.request.urlopen(url, timeout=support.TIMEOUT) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


def samples(text):
    """{(name, ((label, value), ...)): value} of an exposition; a series that is there twice is an error."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
        key = name, tuple(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""))
        assert key not in found, line
        found[key] = float(value)
    return found


class Watch:
    """A running `dptrace drops --metrics` on node 1."""

    def __init__(self, *arguments, host="127.0.0.1", prefix=(), stdin=subprocess.DEVNULL):
        self.netns = topology().n1
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.port = free_port(self.netns, family)
        self.host = f"[{host}]" if ":" in host else host
        self._folder = tempfile.TemporaryDirectory(prefix="dptrace-")
        folder = pathlib.Path(self._folder.name)
        folder.chmod(0o777)  # also for a user who is not root
        self._stderr = open(folder / "stderr", "w+")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.netns, *prefix, support.DPTRACE, "drops", "--interval", "200ms",
             "--metrics", f"{self.host}:{self.port}", "--ready-file", folder / "ready", *arguments],
            stdin=stdin, stdout=subprocess.DEVNULL, stderr=self._stderr,
        )
        try:
            wait_until(lambda: (folder / "ready").exists() or self.process.poll() is not None, self.stderr)
            assert self.process.poll() is None, self.stderr()
        except AssertionError:
            self.__exit__()
            raise

    def stderr(self):
        return pathlib.Path(self._stderr.name).read_text()

    def get(self, path="/metrics"):
        return get(self.netns, f"http://{self.host}:{self.port}{path}")

    def samples(self):
        return samples(self.get()[1])

    def value(self, metric, **labels):
        """The sum of the series with these labels."""
        return sum(value for (name, have), value in self.samples().items()
                   if name == metric and labels.items() <= dict(have).items())

    def wait_for(self, count, metric, **labels):
        wait_until(lambda: self.value(metric, **labels) >= count, lambda: f"{count} of {labels} in {self.get()[1]}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(support.TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._stderr.close()
        self._folder.cleanup()


def refused_datagrams(source, destination, count, size=100):
    """Datagrams for a port that nobody listens on: a drop in the destination's pod each. Of the pod that sent them."""
    with support.udp_socket(source) as client:
        for _ in range(count):
            with contextlib.suppress(ConnectionRefusedError):
                client.sendto(bytes(size), (destination.ip, 9))


def refused_labels(pod):
    return {"reason": "NO_SOCKET" if HAS_REASONS else "", "cause": "no-listener", "interface": "eth0",
            "protocol": "udp", "namespace": "default", "pod": pod.name}
