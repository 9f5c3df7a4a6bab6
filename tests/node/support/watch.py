"""A running `dptrace drops`."""

import json

from .commands import wait_until
from .packets import netns_names
from .trace import Trace


class Watch(Trace):
    """A running `dptrace drops -o json`: a record per kind of drop and interval."""

    RECORDS = "drop_kind"

    def __init__(self, *arguments, netns=None, prefix=()):
        super().__init__("drops", *arguments, netns=netns, prefix=prefix)
        self._netns = netns_names()  # others use this machine too

    def rows(self, **wanted):
        """The last record of each kind in our network namespaces; each is a running total."""
        with self._changed:
            records = list(self.packets)
        rows = {}
        for record in records:
            if record.get("interface", {}).get("netns") not in self._netns:
                continue
            if all(record.get(key) == value for key, value in wanted.items()):
                rows[row_kind(record)] = record
        return list(rows.values())

    def count(self, **wanted):
        return sum(row["packets"] for row in self.rows(**wanted))

    def wait_for_count(self, count, **wanted):
        """Until at least so many are told."""
        wait_until(lambda: self.count(**wanted) >= count, lambda: f"{count} drops {wanted} ({self.state()})")

    def state(self):
        with self._changed:
            records = "\n".join(map(json.dumps, self.packets[-20:]))
        return f"dptrace printed:\n{records}\nand said:\n{self.stderr()}"


def row_kind(row):
    """What makes a row of its own."""
    keys = ("reason", "location", "family", "protocol", "icmp_type", "multicast", "loss")
    interface, pod = row.get("interface", {}), row.get("pod", {})
    return (*(row.get(key) for key in keys), interface.get("netns"), interface.get("index"), pod.get("ip"))
