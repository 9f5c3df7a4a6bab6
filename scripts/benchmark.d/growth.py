"""Does the price grow with what is not asked for? One thing of the node after the other grows; the rest stays as it was."""

from programs import measure_programs
from system import run
from topology import FLANNEL, add_veths

SIZES = (1, 100, 10_000)
# What takes the test, not dptrace, too long or too much memory to make in full; a bridge has no more than 1,023 ports.
MOST = {"flows": 10_000, "rules": 10_000, "devices": 900, "namespaces": 1_000, "pods": 100}


def add_flows(options, prefix, old, new):
    options.flows = new
    options.packets = max(options.packets, 32 * new)  # a burst is of one flow


def add_rules(options, prefix, old, new):
    """Of which no packet matches one: all are tried."""
    lines = [] if old else ["add table ip growth", "add chain ip growth forward { type filter hook forward priority 1; }"]
    lines += [f"add rule ip growth forward ip saddr 192.0.2.1 udp sport {number} drop" for number in range(old + 1, new + 1)]
    run("ip", "netns", "exec", f"{prefix}-n1", "nft", "-f", "-", input="\n".join(lines) + "\n")


def add_devices(options, prefix, old, new):
    add_veths(prefix, new - old, old)


def add_namespaces(options, prefix, old, new):
    names = [f"{prefix}-ns{number}" for number in range(old, new)]  # go with the topology
    run("ip", "-batch", "-", input="".join(f"netns add {name}\n" for name in names))


def add_pods(options, prefix, old, new):
    for number in range(old, new):
        run(FLANNEL, "pod", prefix, "1", f"grown{number}")


GROWING = {"flows": add_flows, "rules": add_rules, "pods": add_pods, "namespaces": add_namespaces, "devices": add_devices}


def measure_growth(options, load, tracers):
    """[{"what", "size", "ns_per_packet": {tracer: nanoseconds in dptrace's programs}}]"""
    rows, packets = [], options.packets
    for what, add in GROWING.items():
        size = 0
        for wanted in SIZES:
            wanted = min(wanted, MOST[what])
            if wanted == size:
                continue
            add(options, load.prefix, size, wanted)
            size = wanted
            tables = measure_programs(options, load, tracers)
            rows.append({"what": what, "size": size, "ns_per_packet": {name: total(table) for name, table in tables.items()}})
        options.flows, options.packets = 1, packets
    return rows


def total(table):
    return sum(program["ns_per_hit"]["median"] * program["hits_per_packet"] for program in table.values())


def print_growth(measured):
    names = list(measured["growth"][0]["ns_per_packet"])
    print(f"\n{measured['workload'] + ', ns per packet in programs':36}" + "".join(f"{name:>20}" for name in names))
    for row in measured["growth"]:
        print(f"  {row['what'] + ': ' + str(row['size']):34}" + "".join(f"{row['ns_per_packet'][name]:20.0f}" for name in names))
