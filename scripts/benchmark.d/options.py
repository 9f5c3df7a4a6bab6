"""The command line."""

import argparse

from system import IN_GUEST, ROOT
from workloads import WORKLOADS

DESCRIPTION = "What tracing costs the traced: CPU time of a sender of small packets, with and without tracers."

EPILOG = """\
Workloads:
  vxlan   UDP over two nodes made of network namespaces (tests/topology/flannel): pod, veth, cni0, forwarding with
          conntrack and iptables, VXLAN, and all of it back up to the socket of a pod on the other node
  bridge  UDP between two pods of one node, over its bridge
  tcp     small TCP segments and their acknowledgements, over the way of vxlan
  ping    ICMP echo requests and replies, over the way of vxlan
  drops   UDP that dies at a rule of the first node when it is forwarded

All of that runs in the sending thread, which is pinned to one CPU while the tracer has the other; what ksoftirqd takes
over is added. Each traced run stands between two untraced ones, in shuffled order; the ratio is that of its CPU time
per packet to their mean. 1.00 costs nothing; "no tracer" shows what is chance.

Examples:
  sudo scripts/benchmark                                 this kernel, every tracer that is installed
  sudo scripts/benchmark --quick --check                 short, dptrace alone; status 3 if a target is missed
  sudo scripts/benchmark --workload all --veths 100 --json cost.json
  sudo scripts/benchmark --workload drops --tracers '*drops;dropwatch'
  sudo scripts/benchmark --tracers 'dptrace all*' --rate 20000 --flows 100
  sudo scripts/benchmark --programs                      nanoseconds per hit of each BPF program of dptrace
  sudo scripts/benchmark --growth --tracers 'dptrace armed;dptrace all, -w'     does the price grow with the node?
  sudo scripts/benchmark --compare build-new/dptrace --tracers 'dptrace*'       two builds side by side
  scripts/benchmark --vm 6.12                            instructions instead of time: slow, but repeats

Exit status: 0 done, 1 failed, 2 wrong command line, 3 a target was missed (--check).
"""

QUICK_TRACERS = "no tracer;dptrace nothing;dptrace all, text;dptrace drops"


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/benchmark", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", metavar="NAMES", dest="workloads",
                        help=f"{', '.join(WORKLOADS)}, several with commas, or all (vxlan; quick: vxlan,drops)")
    parser.add_argument("--vm", metavar="SERIES", help="measure in a guest of scripts/vm, under --icount")
    parser.add_argument("--rounds", type=int, metavar="N", help="traced runs of each tracer (7; 3 quick or in a VM)")
    parser.add_argument("--packets", type=int, metavar="N", help="packets per run (30000; 6000 quick; 2000 in a VM)")
    parser.add_argument("--flows", type=int, default=1, metavar="N", help="sockets that send in turn (1)")
    parser.add_argument("--rate", type=int, default=0, metavar="N", help="packets per second, 0: as many as go (0)")
    parser.add_argument("--pods", type=int, default=0, metavar="N", help="pods on node 1 that do nothing (0)")
    parser.add_argument("--veths", type=int, default=0, metavar="N", help="veth pairs on node 1 that carry nothing (0)")
    parser.add_argument("--tracers", metavar="NAMES",
                        help=f"names or patterns, separated by ';' (*; quick: {QUICK_TRACERS})")
    parser.add_argument("--programs", action="store_true", help="time dptrace's BPF programs, not the sender")
    parser.add_argument("--growth", action="store_true", help="the same as flows, rules, pods, namespaces and devices grow")
    parser.add_argument("--dptrace", default=str(ROOT / "build" / "dptrace"), metavar="FILE", help="(build/dptrace)")
    parser.add_argument("--compare", metavar="FILE", help="another dptrace, measured beside it as dptrace'")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--quick", action="store_true", help="two workloads, fewer rounds, packets and tracers, for CI")
    parser.add_argument("--check", action="store_true", help="exit with status 3 when a target is missed")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line per run")
    parser.add_argument("--sender", help=argparse.SUPPRESS)  # in the guest
    options = parser.parse_args()
    in_vm = options.vm or IN_GUEST
    options.rounds = options.rounds or (3 if options.quick or in_vm else 7)
    options.packets = options.packets or (2000 if in_vm else 6000 if options.quick else 30000)
    options.tracers = options.tracers or (QUICK_TRACERS if options.quick else "*")
    options.workloads = options.workloads or ("vxlan,drops" if options.quick else "vxlan")
    options.workloads = list(WORKLOADS) if options.workloads == "all" else options.workloads.split(",")
    options.timeout = 600 if in_vm else 30
    options.idle_seconds = 1.1 if options.quick or in_vm else 3  # `dptrace drops` wakes up once a second
    for name in options.workloads:
        if name not in WORKLOADS:
            parser.error(f"no workload '{name}': choose from {', '.join(WORKLOADS)} and all")
    if options.rounds < 1 or options.packets < 64 or not 1 <= options.flows <= 10_000 or options.rate < 0:
        parser.error("at least 1 round, 64 packets, 1 to 10000 flows, a rate of 0 or more")
    if options.growth and options.veths:
        parser.error("--growth makes its devices itself: leave out --veths")
    if options.pods < 0 or not 0 <= options.veths <= 1000:
        parser.error("no fewer than 0 pods, and 0 to 1000 veth pairs")
    return options
