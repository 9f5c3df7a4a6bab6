"""Pings, datagrams and streams from pod to pod."""

import contextlib
import itertools
import socket
import struct
import subprocess
import sys
import threading
import time

from .commands import TIMEOUT
from .netns import in_netns, network_namespace

_icmp_ids = itertools.count(0x4100)
_ports = itertools.count(20000)


def new_port():
    """One that no other case uses, so that its packets can be told from theirs."""
    return next(_ports)


@contextlib.contextmanager
def repeating(action, pause):
    """On a thread, with so many seconds in between, for as long as it lasts."""
    over = threading.Event()

    def repeat():
        while not over.wait(pause):
            action()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def ping(pod, address, *options, family=4, expect_reply=True, icmp_id=None):
    """One echo request; returns its identifier."""
    icmp_id = icmp_id or next(_icmp_ids)
    wait = str(TIMEOUT) if expect_reply else "0.1"
    in_netns(
        pod.netns, "ping", f"-{family}", "-n", "-q", "-c1", "-W", wait, "-e", str(icmp_id), *options, address,
        check=expect_reply,
    )
    return icmp_id


def udp_socket(pod, family=4, port=None):
    """Bound to the pod's address."""
    with network_namespace(pod.netns):
        endpoint = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    endpoint.bind((pod.address(family), port or new_port()))
    endpoint.settimeout(TIMEOUT)
    return endpoint


@contextlib.contextmanager
def closed_first(client_pod, server_pod, family=4):
    """The server's end of a connection whose client has closed, and been told that the server knows. When the server
    closes, its FIN meets TIME_WAIT."""
    with listener(server_pod, family) as server, tcp_client(client_pod, family) as client:
        client.connect((server_pod.address(family), server.getsockname()[1]))
        connection, _ = server.accept()
        with connection:
            client.close()
            connection.settimeout(TIMEOUT)
            assert connection.recv(1) == b""
            time.sleep(0.2)  # longer than an acknowledgment is held back: the FIN goes alone
            yield connection


def overflow_udp(netns, count, address="127.0.0.1"):
    """Sends more to a socket of the netns than it has room for; returns how many were lost."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with network_namespace(netns):
        receiver, sender = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the least that there is
        receiver.bind((address, 0))
        for _ in range(count):
            sender.sendto(bytes(500), receiver.getsockname()[:2])
        receiver.setblocking(False)
        taken = 0
        with contextlib.suppress(BlockingIOError):
            for taken in itertools.count():
                receiver.recv(1000)
    return count - taken


def listener(pod, family=4, port=None, backlog=128):
    with network_namespace(pod.netns):
        endpoint = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    endpoint.bind((pod.address(family), port or new_port()))
    endpoint.listen(backlog)
    endpoint.settimeout(TIMEOUT)
    return endpoint


def tcp_client(pod, family=4, port=None):
    """Not yet connected."""
    with network_namespace(pod.netns):
        endpoint = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    endpoint.bind((pod.address(family), port or new_port()))
    endpoint.settimeout(TIMEOUT)
    return endpoint


def tcp_transfer(source, destination, size, family=4):
    """Sends `size` bytes; returns the two ports. Both ends close in order."""
    with listener(destination, family) as server, tcp_client(source, family) as client:
        ports = client.getsockname()[1], server.getsockname()[1]
        received = 0

        def receive():
            nonlocal received
            connection, _ = server.accept()
            with connection:
                connection.settimeout(TIMEOUT)
                while data := connection.recv(1 << 20):
                    received += len(data)

        thread = threading.Thread(target=receive)
        thread.start()
        client.connect((destination.address(family), ports[1]))
        client.sendall(bytes(size))
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        thread.join()
    assert received == size, f"{received} of {size} bytes came through"
    return ports


def send_tcp_segment(source, destination, ports, flags, sequence=1000):
    """One without data; of no connection, unless by its ports."""
    with network_namespace(source.netns):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    segment = struct.pack("!HHIIBBHHH", *ports, sequence, 2000, 5 << 4, flags, 65535, 0, 0)
    ends = socket.inet_aton(source.ip) + socket.inet_aton(destination.ip)
    summed = sum(struct.unpack("!16H", ends + struct.pack("!HH", socket.IPPROTO_TCP, len(segment)) + segment))
    summed = (summed & 0xFFFF) + (summed >> 16)
    checksum = ~((summed & 0xFFFF) + (summed >> 16)) & 0xFFFF
    with raw:
        raw.sendto(segment[:16] + struct.pack("!H", checksum) + segment[18:], (destination.ip, 0))


FLOOD = """
import socket, sys, time
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.connect((sys.argv[1], int(sys.argv[2])))
end, payload, sent = time.monotonic() + float(sys.argv[3]), bytes(18), 0
while time.monotonic() < end:
    for _ in range(100):
        try:
            sender.send(payload)
        except OSError:
            continue
        sent += 1
print(sent)
"""


@contextlib.contextmanager
def flood(source, destination, seconds):
    """Small datagrams from `source`, as fast as one process can; yields a function that waits and tells how many."""
    sink = udp_socket(destination)  # never read: some are taken, the rest overflow its buffer
    with network_namespace(source.netns):
        process = subprocess.Popen(
            [sys.executable, "-c", FLOOD, destination.ip, str(sink.getsockname()[1]), str(seconds)],
            stdout=subprocess.PIPE, text=True,
        )
    with sink, process:
        try:
            yield lambda: int(process.communicate()[0])
        finally:
            process.kill()
