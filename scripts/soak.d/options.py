"""The command line."""

import argparse
import re

MIB = 1 << 20

DESCRIPTION = ("Runs `dptrace drops` and a trace on a node whose pods come and go, and asserts that both stay "
               "as they are.")
EPILOG = """\
Two nodes of tests/topology/flannel. On the first, pods are made and ended with their veth, network namespace and
CNI cache entry; each sends packets of 110 IP protocols that die in five ways (a rule of forwarding, a rule of the
bridge, TTL, no route, no such protocol), some before dptrace can know the pod and some after. That is more kinds
than `drops` keeps rows (4096) and series (2000), so both bounds are met after some seconds. Beside it a trace
follows one pod, to which every other sends datagrams.

Asserted: every drop is counted once, by each protocol and beside netfilter's own counters; none is told of a pod
that did not send it or was long gone; rows and series stay within their bounds; memory, descriptors and threads
do not rise, and descriptors and threads are what they were once the pods are gone; /healthz says ok throughout;
both end in order, with nothing lost and nothing left on the devices.

Memory is the process's own (RssAnon): pages of the ring and of the binary count once they were met. Its growth is
the median slope of all pairs of readings after the warm-up, which ends with the rows full.

Examples:
  sudo scripts/soak                                 ten minutes
  sudo scripts/soak --duration 1h --sample 30s
  sudo scripts/soak --duration 45s                  what tests/node runs
  sudo DPTRACE=build-release/dptrace scripts/soak   another binary than build/dptrace

Exit status: 0 all held, 1 something did not (each is named, with its figures), 2 wrong command line.
"""


def duration(text):
    match = re.fullmatch(r"(\d+)(s|m|h)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a time such as 45s, 10m, 1h")
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def size(text):
    match = re.fullmatch(r"(\d+)([KM]?)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a size such as 256K or 2M")
    return int(match[1]) * {"": 1, "K": 1 << 10, "M": MIB}[match[2]]


def options():
    parser = argparse.ArgumentParser(
        prog="soak", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=duration, default="10m", metavar="TIME", help="of the churn (default 10m)")
    parser.add_argument("--pods", type=int, default=200, metavar="N", help="made and ended a minute (default 200)")
    parser.add_argument("--sample", type=duration, default="10s", metavar="TIME",
                        help="between two readings (default 10s, or a thirtieth of the duration if that is less)")
    parser.add_argument("--max-growth", type=size, default="256K", metavar="SIZE",
                        help="memory that a process may grow by after the warm-up (default 256K)")
    chosen = parser.parse_args()
    if chosen.pods < 1 or chosen.duration < 30:
        parser.error("--pods takes 1 or more, --duration 30s or more: the warm-up needs its time")
    return chosen
