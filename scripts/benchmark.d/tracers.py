"""Every tracer that is known, and those chosen of them."""

import fnmatch
import shutil
import sys

from ours import dptraces
from rivals import Bpftrace, BpftraceDrops, Dropwatch, Perf, Pwru, Tcpdump
from system import Failed
from tracer import Untraced
from workloads import NOBODY_IP, SENDER_IP


def known_tracers(options, workload):
    yield Untraced("no tracer")
    yield from dptraces(options.dptrace)
    if options.compare:
        yield from dptraces(options.compare, "'")
    yield Tcpdump("tcpdump nothing", f"host {NOBODY_IP}")
    yield Tcpdump("tcpdump all", workload.expression)
    yield Bpftrace("bpftrace nothing", NOBODY_IP)
    yield Bpftrace("bpftrace all", SENDER_IP)
    yield BpftraceDrops("bpftrace drops")
    yield Perf("perf trace")
    yield Dropwatch("dropwatch")
    yield Pwru("pwru nothing", NOBODY_IP)
    yield Pwru("pwru all", SENDER_IP)


def chosen_tracers(options, workload):
    chosen = [tracer for tracer in known_tracers(options, workload)
              if any(fnmatch.fnmatch(tracer.name, pattern.strip()) for pattern in options.tracers.split(";"))]
    missing = sorted({tracer.program() for tracer in chosen if not shutil.which(tracer.program())})
    for program in missing:
        print(f"benchmark: {program} is not installed: left out", file=sys.stderr)
    chosen = [tracer for tracer in chosen if tracer.program() not in missing]
    if not chosen:
        raise Failed(f"no tracer is called {options.tracers}, or none of them is installed")
    return chosen
