"""The limits that dptrace is held to, and the verdict on a report."""

import dataclasses

# Ratio of CPU time per packet, native, by what a tracer is asked for and whether all packets are dropped.
RATIOS = {
    ("nothing", False): 1.05,
    ("nothing", True): 1.05,
    ("quiet", False): 1.05,
    ("quiet", True): 1.05,
    ("armed", False): 1.08,
    ("all", False): 1.35,
    ("all", True): 1.50,
    ("drops", False): 1.00,
    ("drops", True): 1.10,
}


@dataclasses.dataclass(frozen=True)
class Limit:
    key: str
    what: str
    most: float
    words: str  # how a value is printed
    native_only: bool = True


# {veths} is how many idle veth pairs the node had: the limits of times are meant for 100.
LIMITS = (
    Limit("lost", "events lost", 0, "{:.0f}", native_only=False),
    Limit("uncounted", "drops not counted", 0, "{:.0f}", native_only=False),
    Limit("ready_s", "ready, {veths} idle veth pairs", 0.3, "{:.2f} s"),
    Limit("stopped_s", "stopped, {veths} idle veth pairs", 0.1, "{:.2f} s"),
    Limit("rss_mib", "resident", 25, "{:.0f} MiB"),
    Limit("idle_percent", "CPU when idle", 0, "{:.1f} %"),
)


def ratio_met(ratio, most, chance):
    """A limit of 1.00 is for what cannot be told from no tracer: by its own spread, or by that of `chance`."""
    if most == 1.00:
        return ratio["min"] <= most or ratio["median"] <= chance
    return ratio["median"] <= most


def highest_by_chance(results):
    """The highest ratio of the runs that had no tracer; 1.00 if there were none."""
    return max((result["ratio"]["max"] for result in results if result["untraced"]), default=1.00)


def judge(report):
    """[{what, limit, measured, met}]: a row for each ratio, and for the other limits the worst of dptrace's figures."""
    rows, ours = [], []
    for measured in report["workloads"]:
        chance = highest_by_chance(measured["results"])
        for result in measured["results"]:
            if result["kind"] is None or result["failed"]:
                continue
            ours.append((f"{result['tracer']}; {measured['workload']}", result))
            most = RATIOS.get((result["kind"], measured["flood"]))
            if most is not None:
                rows.append({"what": f"CPU, {measured['workload']}: {result['tracer']}", "limit": f"{most:.2f}",
                             "measured": f"{result['ratio']['median']:.2f}", "met": ratio_met(result["ratio"], most, chance)})
    for limit in LIMITS:
        told = [(result[limit.key], where) for where, result in ours if result[limit.key] is not None]
        if not told or (limit.native_only and report["icount"]):
            continue
        worst, where = max(told)
        printed = limit.words.format(worst)
        rows.append({"what": limit.what.format(veths=report["veths"]), "limit": limit.words.format(limit.most),
                     "measured": f"{printed} ({where})" if worst else printed,
                     # As printed: a limit of 0.0 % is one of that precision.
                     "met": worst <= limit.most or printed == limit.words.format(limit.most)})
    return rows
