"""What dptrace printed, in the short words that cases compare."""

import os
import re

from .nodes import prefix


def matches(packet, **wanted):
    """`source`, `destination`: IP; `ports`: (source, destination); `icmp`: its type; or a key of flow or icmp."""
    flow = packet["flow"]
    source, destination = flow["source"], flow["destination"]
    for key, value in wanted.items():
        if key == "source":
            seen = source["ip"]
        elif key == "destination":
            seen = destination["ip"]
        elif key == "ports":
            seen = (source.get("port"), destination.get("port"))
        elif key == "icmp":
            seen = flow.get("icmp", {}).get("type")
        else:
            seen = flow.get(key, flow.get("icmp", {}).get(key))
        if seen != value:
            return False
    return True


def describe(packet):
    flow = packet["flow"]
    source, destination = (f"{end['ip']} {end.get('port', '')}" for end in (flow["source"], flow["destination"]))
    what = f"{flow['protocol']} {flow.get('icmp', '')} {source} > {destination}"
    drop = {key: value for key, value in packet.get("drop", {}).items() if key in ("reason", "location", "stack")}
    return f"{what} {flow.get('tcp', '')} {packet['verdict']} {drop or ''}: {crossings(packet)}"


def netns_names():
    """`n1`, `pod1`, ... by inode number, which is how dptrace tells a network namespace."""
    with os.scandir("/run/netns") as entries:
        ours = (entry for entry in entries if entry.name.startswith(prefix()))
        return {str(entry.stat().st_ino): entry.name.split("-", 1)[1] for entry in ours}


def place(interface, names=None):
    """`eth0@n1` of a hop's interface."""
    if not interface:
        return "nowhere"
    inode = interface["netns"]
    return f"{interface['name']}@{(names or netns_names()).get(inode, inode)}"


def points(packet):
    """The hops, netfilter's left out, as `point device@netns`."""
    names = netns_names()
    hops = (hop for hop in packet["hops"] if hop["point"] != "netfilter")
    return [f"{hop['point']} {place(hop.get('interface'), names)}" for hop in hops]


def crossings(packet):
    """Likewise, a device's whether a tc program tells it or a tracepoint."""
    same = {"tc-ingress": "device-receive", "tc-egress": "device-transmit"}
    split = (point.split(" ", 1) for point in points(packet))
    return [f"{same.get(point, point)} {device}" for point, device in split]


def hooks(packet, family):
    """The netfilter hops of an IP family, as `HOOK@netns`; `HOOK@netns drop` where it was not accepted.

    "stolen" is left out: it is how br_netfilter keeps a bridged packet from running the IP hooks twice. The pods' own
    hooks are left out: security modules register some in every netns (Debian's AppArmor at POSTROUTING).
    """
    names, found = netns_names(), []
    for hop in packet["hops"]:
        if hop["point"] != "netfilter" or hop["netfilter"]["family"] != family:
            continue
        verdict, netns = hop["netfilter"]["verdict"], names.get(hop["interface"]["netns"], "?")
        if verdict != "stolen" and not netns.startswith("pod"):
            text = f"{hop['netfilter']['hook']}@{netns}"
            found.append(text if verdict == "accept" else f"{text} {verdict}")
    return found


def flows(packet):
    """The tuple at each crossing, as (source, destination) with ports where there are any."""
    ends = packet["flow"]
    found = []
    for hop in packet["hops"]:
        ends = hop.get("flow", ends)
        if hop["point"] != "netfilter":
            found.append(tuple((end["ip"], end.get("port")) for end in (ends["source"], ends["destination"])))
    return found


def function_of(location):
    """`ip_rcv_finish_core` of `ip_rcv_finish_core.constprop.0+0x1f2`."""
    suffix = r"(?:\.(?:constprop|isra|part|cold)(?:\.\d+)?)*"
    match = re.fullmatch(rf"(\w+?){suffix}\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?(?: \[\w+\])?", location)
    return match.group(1) if match else location
