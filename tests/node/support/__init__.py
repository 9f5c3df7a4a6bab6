"""What the node cases share, a concept a module; cases take all of it from here.

Run as root, natively or in a guest of tests/vm:  tests/node/run

Variables: DPTRACE, the binary (default build/dptrace); DPTRACE_VM, set in the guests, where a feature that the
kernel must have may not be missing.
"""

from .attachments import attached, attached_programs, devices, traces_left
from .bpf import Bpf
from .case import NodeTest
from .cause import CauseTest
from .certificates import PASSWORD, Certificates
from .commands import DPTRACE, IN_VM, TIMEOUT, resident_kib, run, wait_until
from .features import has, require
from .http import HttpServer, probe
from .kernel import CLSACT, HAS_REASONS, HAS_TCX, KERNEL, TCX, first_symbol, reason_codes
from .netns import changed, in_netns, link_down, network_namespace, sysctl
from .nodes import CROSSING_HOOKS, ROOT, Pod, own_topology, topology
from .outside import ADDRESS as OUTSIDE_ADDRESS
from .outside import MAC as OUTSIDE_MAC
from .outside import NODE_ADDRESS as OUTSIDE_NODE_ADDRESS
from .outside import outside_host
from .overlays import Geneve, Gre, Ipip, Vxlan
from .packets import crossings, describe, flows, function_of, place, points
from .path import PathTest, flags
from .prometheus import Prometheus
from .rules import assert_exact_while_replaced, drop_of_datagram, drop_with_text, has_text, node_on_its_bridge, send_datagram
from .trace import Trace, dptrace
from .traffic import (
    FLOOD, closed_first, flood, listener, new_port, overflow_udp, ping, repeating, send_tcp_segment, tcp_client, tcp_transfer,
    udp_socket,
)
from .watch import Watch
