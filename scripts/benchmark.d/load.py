"""The sender of packets, and what a run of it costs per packet."""

import json
import os
import shutil

from system import ROOT, SENDER_CPU, Failed, cpu_ns, kernel_thread, run
from workloads import SENDER_IP

SOURCES = ROOT / "tests" / "support" / "sender"


def build_sender(options):
    """Compiled where the guest of a VM sees it too."""
    if options.sender:
        return
    compiler = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    if not compiler:
        raise Failed("no C compiler: run scripts/install-dependencies")
    options.sender = os.path.join(options.scratch, "sender")
    run(compiler, "-O2", "-Wall", "-Wextra", "-o", options.sender, *sorted(SOURCES.glob("*.c")))


class Load:
    def __init__(self, options, prefix, workload):
        self.options, self.prefix, self.workload = options, prefix, workload
        self.softirq_thread = kernel_thread(f"ksoftirqd/{SENDER_CPU}")

    def send(self, packets=None):
        """Nanoseconds of CPU time per packet: {"mean", "median"} and what the sender tells."""
        workload, options = self.workload, self.options
        before = cpu_ns(self.softirq_thread) if self.softirq_thread else 0
        told = json.loads(run(options.sender, workload.load, f"{self.prefix}-pod1", SENDER_IP,
                              f"{self.prefix}-{workload.peer}", workload.peer_ip, SENDER_CPU,
                              packets or options.packets, options.flows, options.rate))
        softirq = cpu_ns(self.softirq_thread) - before if self.softirq_thread else 0
        self.check(told)
        told["softirq_ns"] = softirq
        told["mean"] = (told["cpu_ns"] + softirq) / told["sent"]
        told["median"] = told["median_ns"]
        return told

    def check(self, told):
        """Packets that took another way than the workload's would be measured as something that they are not."""
        sent, received = told["sent"], told["received"]
        if not sent:
            raise Failed(f"{self.workload.name}: no packet was sent")
        if self.workload.flood and received:
            raise Failed(f"{self.workload.name}: {received} of {sent} packets arrived, all should have been dropped")
        if not self.workload.flood and received < 0.99 * sent:
            raise Failed(f"{self.workload.name}: {received} of {sent} packets arrived")
