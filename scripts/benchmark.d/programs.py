"""Nanoseconds per hit and hits per packet of dptrace's BPF programs, by the kernel's own statistics."""

import atexit
import pathlib
import statistics

from measuring import spread, warm_up
from running import Running


def measure_programs(options, load, tracers):
    """{tracer: {program: {"ns_per_hit", "hits_per_packet"}}}"""
    setting = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
    old = setting.read_text()
    atexit.register(setting.write_text, old)
    setting.write_text("1")
    load.send()  # caches, neighbours, conntrack
    tables = {}
    for tracer in tracers:
        if tracer.kind is None:
            continue
        samples = {}
        for _ in range(options.rounds):
            for name, sample in sampled(options, load, tracer).items():
                samples.setdefault(name, []).append(sample)
        tables[tracer.name] = {
            name: {"ns_per_hit": spread([value for value, _ in values]),
                   "hits_per_packet": statistics.median(value for _, value in values)}
            for name, values in samples.items()}
    return tables


def sampled(options, load, tracer):
    """{program: (nanoseconds per hit, hits per packet)} of one run."""
    running = Running(tracer, f"{load.prefix}-n1", options.scratch, options.timeout)
    try:
        load.send(warm_up(options))
        before = running.programs()
        sent = load.send()["sent"]
        after = running.programs()
        running.stop()
    finally:
        running.kill()
    sums = {}
    for program, (hits, nanoseconds) in after.items():
        old_hits, old_nanoseconds = before.get(program, (0, 0))
        total = sums.setdefault(program.split("/")[0], [0, 0])
        total[0] += hits - old_hits
        total[1] += nanoseconds - old_nanoseconds
    return {name: (nanoseconds / hits, hits / sent) for name, (hits, nanoseconds) in sums.items() if hits}
