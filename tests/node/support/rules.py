"""Datagrams that rules drop: of pod 1 to pod 3, which node 1 forwards, or of others."""

import contextlib
import threading

from .commands import wait_until
from .features import has
from .nodes import Pod, topology
from .traffic import udp_socket


def send_datagram(port, family=4, sender=None, receiver=None):
    """Returns its ports, which no other has."""
    with contextlib.closing(udp_socket(sender or topology().pod1, family)) as endpoint:
        with contextlib.suppress(OSError):  # the node may refuse it
            endpoint.sendto(b"x", ((receiver or topology().pod3).address(family), port))
        return endpoint.getsockname()[1], port


def drop_of_datagram(trace, port, family=4, sender=None, receiver=None):
    """What is told of its drop; empty: it is not dropped."""
    ports = send_datagram(port, family, sender, receiver)
    return trace.packet(source=(sender or topology().pod1).address(family), ports=ports).get("drop", {})


def has_text(drop):
    return "rule" not in drop or "rule" in drop["rule"]


def drop_with_text(trace, port, family=4, sender=None, receiver=None):
    """The drop of a datagram, and how many like it were sent. A guest may read the text of a rule longer than the packet
    waits for it: the next one finds it."""
    drops = []

    def told():
        drops.append(drop_of_datagram(trace, port, family, sender, receiver))
        return has_text(drops[-1])

    wait_until(told, "the text of the rule")
    return drops[-1], len(drops)


def node_on_its_bridge():
    """Node 1 as the sender or receiver of datagrams that its own pods get or send."""
    nodes = topology()
    address = nodes.pod1.ip.rsplit(".", 1)[0] + ".1"
    return Pod(nodes.n1, "n1", nodes.n1, address, None, "cni0")


def assert_exact_while_replaced(case, trace, versions, load):
    """In all versions datagrams to port 7150 are dropped by a rule that has the comment "p7150", and likewise 7151. The
    text that is told is that of the rule that dropped, or there is none."""
    ends = threading.Event()

    def replace():
        while not ends.is_set():
            for version in versions:
                load(version)

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        drops = [(port, drop_of_datagram(trace, port)) for port in (7150, 7151) * 10]
    finally:
        ends.set()
        thread.join()
    for port, drop in drops:
        case.assertIn(f"p{port}", drop.get("rule", {}).get("rule", f"p{port}"), drop)
        case.assertEqual("rule" in drop, has("netfilter hops"), drop)
