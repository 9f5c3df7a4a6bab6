"""The figures for people."""


def print_report(report):
    for measured in report["workloads"]:
        print_workload(report, measured)
    print("\nratio: CPU time per packet of the sender, 1.00 is untraced; burst: the same of the median burst of 32, which"
          "\nleaves out what interrupts and neighbours take, and also the tracer's rare costs.")
    print_targets(report["targets"])


def print_workload(report, measured):
    print(f"\n{measured['workload']}: {report['kernel']}, {report['rounds']} rounds of {report['packets']} packets, "
          f"{report['flows']} flow(s), {report['veths']} idle veth pairs; untraced {measured['untraced_ns']:.0f} ns per "
          f"packet{', by count of instructions' if report['icount'] else ''}")
    print(f"\n{'tracer':19}{'ratio':>7}{'min - max':>16}{'burst':>8}{'lost':>10}{'ready':>9}{'stopped':>9}{'RSS':>9}"
          f"{'idle CPU':>10}")
    for result in measured["results"]:
        if result["failed"]:
            print(f"{result['tracer']:19}{'failed':>7}")
            continue
        ratio = result["ratio"]
        print(f"{result['tracer']:19}{ratio['median']:7.2f}{ratio['min']:9.2f} -{ratio['max']:5.2f}"
              f"{result['burst_ratio']['median']:8.2f}{lost_words(result):>10}{result['ready_s']:7.2f} s"
              f"{result['stopped_s']:7.2f} s{result['rss_mib']:5.0f} MiB{result['idle_percent']:8.1f} %")


def lost_words(result):
    if result["lost"] is None:
        return "not told"
    if result["lost"] == 0:
        return "none"
    if not result["events"]:
        return str(result["lost"])
    return f"{100 * result['lost'] / (result['events'] + result['lost']):.1f} %"


def print_targets(rows):
    if not rows:
        return
    print(f"\n{'target':42}{'at most':>10}  {'':8}measured")
    for row in rows:
        print(f"{row['what']:42}{row['limit']:>10}  {'met' if row['met'] else 'missed':8}{row['measured']}")


def print_programs(measured):
    for tracer, programs in measured["programs"].items():
        print(f"\n{measured['workload'] + ': ' + tracer:32}{'ns/hit':>8}{'min - max':>14}{'hits/packet':>13}{'ns/packet':>11}")
        for name, values in sorted(programs.items()):
            cost = values["ns_per_hit"]
            print(f"  {name:30}{cost['median']:8.0f}{cost['min']:8.0f} -{cost['max']:4.0f}"
                  f"{values['hits_per_packet']:13.2f}{cost['median'] * values['hits_per_packet']:11.0f}")
        total = sum(values["ns_per_hit"]["median"] * values["hits_per_packet"] for values in programs.values())
        print(f"  {'all':30}{'':8}{'':14}{'':13}{total:11.0f}")
