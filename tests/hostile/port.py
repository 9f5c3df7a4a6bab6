"""A metrics port under attack: clients that hold connections, and what may be held."""

import contextlib
import pathlib
import re
import select
import socket

import support
from support import NodeTest, network_namespace, wait_until
from support.metrics import DROPS, refused_datagrams, refused_labels

HALF = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 4000
TOTAL, PER_ADDRESS = 64, 16
SPARE = 16  # descriptors that the watch itself opens for a moment


def connect(watch, source="127.0.0.1"):
    with network_namespace(watch.netns):
        client = socket.socket()
    client.settimeout(support.TIMEOUT)
    client.bind((source, 0))
    client.connect(("127.0.0.1", watch.port))
    return client


def is_open(client):
    """Nothing came from the server, neither an answer nor an end."""
    waiting = select.poll()
    waiting.register(client, select.POLLIN)
    return not waiting.poll(0)


def said_to(client):
    """All that the server sends, until it closes."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while more := client.recv(4096):
            said += more
    return said


def status(watch, what):
    text = pathlib.Path(f"/proc/{watch.process.pid}/status").read_text()
    return int(re.search(rf"^{what}:\s*(\d+)", text, re.M).group(1))


def descriptors(watch):
    return len(list(pathlib.Path(f"/proc/{watch.process.pid}/fd").iterdir()))


def confined_threads(watch):
    """Of those with a filter of system calls, what /proc says."""
    confined = []
    for task in pathlib.Path(f"/proc/{watch.process.pid}/task").iterdir():
        words = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines())
        if words["Seccomp"] == "2":
            confined.append(words)
    return confined


class PortTest(NodeTest):
    """What good clients do: their connection, and how they ask."""

    connect = staticmethod(connect)
    REQUEST = b"GET /metrics HTTP/1.0\r\n\r\n"

    def hold(self, watch, count, data=HALF, sources=("127.0.0.1",)):
        """Half a request each."""
        clients = []
        for index in range(count):
            client = self.enterContext(connect(watch, sources[index % len(sources)]))
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                client.sendall(data)
            clients.append(client)
        return clients

    @staticmethod
    def leave(clients):
        """Else those who come next wait until the time of these is over."""
        for client in clients:
            client.close()

    def assert_open(self, watch, clients, most, before):
        """Never more than so many are held."""
        held = []

        def are_open():
            held.append(descriptors(watch) - before)
            return sum(map(is_open, clients)) <= most

        wait_until(are_open, "the end of what is over")
        self.assertLessEqual(max(held), most + SPARE)

    def assert_counts(self, watch):
        """Drops of good pods are counted and told."""
        nodes = support.topology()
        labels = refused_labels(nodes.pod1)
        refused_datagrams(nodes.pod1, nodes.pod2, 5)

        def counted():
            with contextlib.suppress(OSError), self.connect(watch, "127.0.0.250") as client:
                client.sendall(self.REQUEST)
                text = said_to(client).partition(b"\r\n\r\n")[2].decode()
                return any(line.startswith(DROPS) and all(f'{k}="{v}"' in line for k, v in labels.items())
                           for line in text.splitlines())

        wait_until(counted, watch.stderr, timeout=2 * support.TIMEOUT)
        self.assertEqual(watch.stop(), 0, watch.stderr())
        self.assertEqual(watch.stderr(), "")
