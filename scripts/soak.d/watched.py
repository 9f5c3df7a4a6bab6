"""The two that run: what they tell, added up, and what they take of the machine."""

import json
import pathlib
import re
import statistics
import time

import support

LATE = 10  # seconds after its end in which the last drops of a pod are told


class Drops(support.Trace):
    def __init__(self, port):
        self.told, self.by_pod, self.reasons = {}, {}, {}
        self.kinds, self.late, self.ended = set(), {}, {}
        self.other = 0  # an interval that the machine stretched may have more kinds than there is room for
        self.netns = {}  # ours, by inode number: until when, as the number is soon another's
        super().__init__("drops", "--metrics", f"127.0.0.1:{port}", "--interval", "1s")

    def _read(self):
        for line in self.process.stdout:
            record = json.loads(line)
            if record["type"] == "drop_kind":
                self.take(record)
            elif record["type"] == "summary":
                self.summary = record
            elif record["type"] == "drop_other":
                self.other += record["interval_packets"]
            elif record["type"] != "drop_counter":
                self.stray_lines.append(line)

    def take(self, record):
        if record.get("folded"):
            self.other += record["interval_packets"]
        protocol = record.get("protocol", "")
        interface, pod = record.get("interface", {}), record.get("pod", {})
        if not protocol.isdigit() or time.monotonic() > self.netns.get(interface.get("netns"), 0):
            return  # of somebody else on this machine
        packets, number = record["interval_packets"], int(protocol)
        self.told[number] = self.told.get(number, 0) + packets
        self.reasons.setdefault(number, set()).add(record.get("reason"))
        self.kinds.add(hash((number, record["location"], interface["netns"], interface["index"], pod.get("ip"))))
        if name := pod.get("pod"):
            self.by_pod[name] = self.by_pod.get(name, 0) + packets
            if time.monotonic() - self.ended.get(name, time.monotonic()) > LATE:
                self.late[name] = self.late.get(name, 0) + packets


class Follow(support.Trace):
    def __init__(self, ip, port):
        self.port, self.verdicts = port, {}
        super().__init__("--pod-ip", ip)

    def _read(self):
        for line in self.process.stdout:
            record = json.loads(line)
            if record["type"] == "summary":
                self.summary = record
            elif record["flow"]["destination"].get("port") == self.port:
                verdict = record["verdict"]
                self.verdicts[verdict] = self.verdicts.get(verdict, 0) + 1


def reading(pid):
    """Of a process: bytes, counts."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    memory = {key: int(kib) << 10 for key, kib in re.findall(r"^(VmRSS|RssAnon):\s+(\d+) kB$", status, re.M)}
    bpf, descriptors = 0, 0
    for entry in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            text = entry.read_text()
        except OSError:
            continue
        descriptors += 1
        if "map_type:" in text:
            bpf += int(re.search(r"^memlock:\s*(\d+)$", text, re.M)[1])
    threads = int(re.search(r"^Threads:\s*(\d+)$", status, re.M)[1])
    return {"memory": memory["RssAnon"], "RSS": memory["VmRSS"], "descriptors": descriptors, "threads": threads,
            "BPF maps": bpf}


def growth(samples, key):
    """By the median slope of all pairs (Theil and Sen): a spike or a step back says nothing."""
    slopes = [(b[key] - a[key]) / (b["time"] - a["time"]) for i, a in enumerate(samples) for b in samples[i + 1:]]
    return statistics.median(slopes) * (samples[-1]["time"] - samples[0]["time"])
