"""Being in a network namespace, and changing it for a while."""

import contextlib
import ctypes
import pathlib

from .commands import run

libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def network_namespace(name):
    """Sockets made and processes started inside belong to `name`. For the calling thread only."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{name}") as there:
        if libc.setns(there.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"entering network namespace {name}")
        try:
            yield
        finally:
            if libc.setns(home.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "leaving a network namespace")


def in_netns(netns, *command, **options):
    with network_namespace(netns):
        return run(*command, **options)


@contextlib.contextmanager
def sysctl(netns, key, value):
    """A setting of `netns`, for a while. '/' separates the parts of the key."""
    with network_namespace(netns):
        path = pathlib.Path("/proc/sys") / key
        before = path.read_text()
        path.write_text(str(value))
    try:
        yield
    finally:
        with network_namespace(netns):
            path.write_text(before)


@contextlib.contextmanager
def changed(netns, do, undo):
    """A command in `netns` and what takes it back."""
    in_netns(netns, *do.split())
    try:
        yield
    finally:
        in_netns(netns, *undo.split())


@contextlib.contextmanager
def link_down(netns, device):
    """A device of `netns` is down for a while; then it has its routes and permanent neighbours again."""
    kept = []
    for family in ("-4", "-6"):
        routes = in_netns(netns, "ip", family, "route", "show", "dev", device).stdout.splitlines()
        neighbours = in_netns(netns, "ip", family, "neigh", "show", "nud", "permanent", "dev", device).stdout.splitlines()
        kept += [(family, "route", line.replace("linkdown", "")) for line in routes if " proto kernel " not in line]
        kept += [(family, "neigh", line.replace("PERMANENT", "nud permanent")) for line in neighbours]
    in_netns(netns, "ip", "link", "set", device, "down")
    try:
        yield
    finally:
        in_netns(netns, "ip", "link", "set", device, "up")
        for family, what, line in sorted(kept):  # neighbours before the routes that need them
            in_netns(netns, "ip", family, what, "replace", *line.split(), "dev", device)
