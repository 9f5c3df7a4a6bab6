"""Two nodes wired as Calico does it, with each of the tunnels between them."""

from .commands import run
from .nodes import TOPOLOGIES, Topology

UNDERLAY = {4: ("192.168.56.11", "192.168.56.12"), 6: ("fd00:56::11", "fd00:56::12")}


class Calico(Topology):
    SCRIPT = "calico"
    KIND = None  # of the tunnel, as the kernel and dptrace call it
    TUNNEL = {}  # what dptrace tells of it beside its ends
    UNDERLAY_FAMILY = {4: 4, 6: 4}  # what carries a family

    @classmethod
    def script(cls, *arguments):
        return run("env", f"OVERLAY={cls.KIND}", str(TOPOLOGIES / cls.SCRIPT), *arguments).stdout

    def tunnel(self, family, reverse=False):
        """As a hop from node 1 to node 2 tells it, or back."""
        source, destination = UNDERLAY[self.UNDERLAY_FAMILY[family]][:: -1 if reverse else 1]
        return {"kind": self.KIND, **self.TUNNEL, "source": source, "destination": destination}


class Ipip(Calico):
    """IPv6 goes without a tunnel."""

    KIND = "ipip"
    OVERLAY = {4: "tunl0", 6: None}


class Vxlan(Calico):
    KIND = "vxlan"
    OVERLAY = {4: "vxlan.calico", 6: "vxlan-v6.calico"}
    TUNNEL = {"id": 4096}
    UNDERLAY_FAMILY = {4: 4, 6: 6}


class Geneve(Calico):
    KIND = "geneve"
    OVERLAY = {4: "genev1", 6: "genev1"}
    TUNNEL = {"id": 7}


class Gre(Calico):
    KIND = "gre"
    OVERLAY = {4: "gre1", 6: "gre1"}
    TUNNEL = {"id": 7}
