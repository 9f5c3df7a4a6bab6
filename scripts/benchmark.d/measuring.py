"""Runs of each tracer between untraced ones, and what they come to."""

import random
import statistics
import sys

from running import Running
from system import Failed
from tracer import Untraced


def warm_up(options):
    return max(64, options.packets // 50)


def measure(options, load, tracers):
    """{tracer: [run]}"""
    runs = {tracer.name: [] for tracer in tracers}
    failed = set()
    load.send()  # caches, neighbours, conntrack
    for number in range(options.rounds):
        order = [tracer for tracer in tracers if tracer.name not in failed]
        random.shuffle(order)
        for tracer in order:
            before = load.send()
            try:
                taken = traced_run(options, load, tracer, idle=number == 0)
            except Failed as failure:
                failed.add(tracer.name)
                print(f"benchmark: {failure}", file=sys.stderr)
                continue
            after = load.send()
            for kind in ("mean", "median"):
                taken[f"{kind}_ratio"] = taken[kind] / ((before[kind] + after[kind]) / 2)
            taken["untraced"] = [before["mean"], after["mean"]]
            runs[tracer.name].append(taken)
            if options.verbose:
                print(f"{load.workload.name}, round {number + 1}  {tracer.name:18} {taken['mean_ratio']:6.3f} "
                      f"{taken['median_ratio']:6.3f}  {before['mean']:.0f} {taken['mean']:.0f} {after['mean']:.0f} ns",
                      file=sys.stderr)
    return {name: [] if name in failed else taken for name, taken in runs.items()}


def traced_run(options, load, tracer, idle):
    running = Running(tracer, f"{load.prefix}-n1", options.scratch, options.timeout)
    try:
        idle_percent = running.idle_percent(options.idle_seconds) if idle else None
        first = load.send(warm_up(options))  # its maps and caches
        taken = load.send()
        taken.update(ready_s=running.ready_s, idle_percent=idle_percent, rss_mib=running.resident_mib())
        taken.update(running.stop(), sent_traced=first["sent"] + taken["sent"])
        return taken
    finally:
        running.kill()


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def total(runs, key):
    """None where the tracer does not tell it."""
    values = [run[key] for run in runs]
    return None if None in values else sum(values)


def summarize(workload, tracers, runs):
    results = []
    for tracer in tracers:
        taken = runs[tracer.name]
        if not taken:
            results.append({"tracer": tracer.name, "kind": tracer.kind, "untraced": False, "failed": True})
            continue
        events, lost = total(taken, "events"), total(taken, "lost")
        # Of a flood, as many drops as packets: other drops of this machine are counted too, so it may be more.
        counts = workload.flood and tracer.kind == "drops"
        results.append({
            "tracer": tracer.name,
            "kind": tracer.kind,
            "untraced": isinstance(tracer, Untraced),
            "failed": False,
            "ratio": spread([run["mean_ratio"] for run in taken]),
            "burst_ratio": spread([run["median_ratio"] for run in taken]),
            "events": events,
            "lost": lost,
            "uncounted": sum(max(0, run["sent_traced"] - run["events"]) for run in taken) if counts else None,
            "events_per_packet": (events + (lost or 0)) / total(taken, "sent_traced") if events is not None else None,
            "ready_s": statistics.median(run["ready_s"] for run in taken),
            "stopped_s": statistics.median(run["stopped_s"] for run in taken),
            "rss_mib": max(run["rss_mib"] or 0 for run in taken),
            "idle_percent": taken[0]["idle_percent"],
            "runs": taken,
        })
    return results
