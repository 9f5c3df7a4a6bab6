"""HTTP as probes and applications speak it: every request is served, and connections end in every way that is good
order: by either side, half at first, by a reset, before the answer was read, before it came."""

import array
import contextlib
import fcntl
import socket
import struct
import termios
import threading

from .commands import TIMEOUT, wait_until
from .netns import network_namespace

_BODY = b"x" * 3000


class HttpServer:
    """In a network namespace, until it is closed. `/last` is answered with the connection's end, `/idle` closes it when
    no further request comes, `/late` is answered when `release` is set."""

    def __init__(self, netns, address, port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with network_namespace(netns):
            self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, port))
        self._listener.listen(128)
        self.address = self._listener.getsockname()[:2]
        self.release = threading.Event()
        self._begun = self._ended = 0
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(TIMEOUT)
            self._connection = connection
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            while path := read_request(connection):
                if path == b"/late":
                    self.release.wait(TIMEOUT)
                # One segment for an end that may have closed: the first of several would end it, and the second meet none.
                body = b"" if path == b"/late" else _BODY
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                if path in (b"/last", b"/idle"):
                    break
        self._ended += 1

    @contextlib.contextmanager
    def connection(self):
        """The body makes one, which has ended at both sides afterwards. One at a time."""
        self.release.clear()
        self._begun += 1
        yield
        wait_until(lambda: self._ended == self._begun, "the end of a connection to the HTTP server")

    def wait_for_acknowledgment(self):
        """Until the kernel repeats nothing of the answer: on a slow machine that would meet no socket."""
        waiting = array.array("i", [0])

        def is_acknowledged():
            fcntl.ioctl(self._connection, termios.TIOCOUTQ, waiting)
            return waiting[0] == 0

        wait_until(is_acknowledged, "the acknowledgment of an answer")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(TIMEOUT)


def read_request(connection):
    """Its path; empty at the end."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        data = connection.recv(4096)
        if not data:
            return b""
        request += data
    return request.split(b" ")[1]


class HttpClient:
    """One connection."""

    def __init__(self, netns, server_address):
        family = socket.AF_INET6 if ":" in server_address[0] else socket.AF_INET
        with network_namespace(netns):
            self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(server_address)

    def ask(self, path=b"/"):
        self.socket.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: probe\r\n\r\n")

    def answer(self):
        response = b""
        while len(response.partition(b"\r\n\r\n")[2]) < len(_BODY):
            data = self.socket.recv(65536)
            assert data, "the HTTP server closed before it had answered"
            response += data

    def at_end(self):
        assert self.socket.recv(1) == b"", "more than an answer"

    def wait_for_all(self):
        """Until all of the answer is there to be read: what came after the end would meet no socket."""
        wait_until(lambda: len(self.socket.recv(65536, socket.MSG_PEEK)) > len(_BODY), "all of an answer")

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def keep_alive(client, server):
    for _ in range(4):
        client.ask()
        client.answer()


def server_closes(client, server):
    client.ask(b"/last")
    client.answer()
    client.at_end()


def server_gives_up_waiting(client, server):
    keep_alive(client, server)
    client.ask(b"/idle")
    client.answer()
    client.at_end()


def half_close(client, server):
    client.ask()
    client.socket.shutdown(socket.SHUT_WR)
    client.answer()
    client.at_end()


def client_resets(client, server):
    client.ask()
    client.answer()
    server.wait_for_acknowledgment()
    client.reset()


def client_leaves_the_answer_unread(client, server):
    client.ask()
    client.wait_for_all()
    server.wait_for_acknowledgment()


def client_gives_up_waiting(client, server):
    """The answer comes to an end whose application has closed it."""
    client.ask(b"/late")
    client.socket.close()
    server.release.set()


def only_connects(client, server):
    """A TCP probe."""


def only_connects_and_resets(client, server):
    client.reset()


ENDINGS = [
    keep_alive, server_closes, server_gives_up_waiting, half_close, client_resets, client_leaves_the_answer_unread,
    client_gives_up_waiting, only_connects, only_connects_and_resets,
]


def probe(netns, server, at=None):
    """Once in each way, from `netns`; `at`: where the server is reached, if not at its own address."""
    for ending in ENDINGS:
        with server.connection(), HttpClient(netns, at or server.address) as client:
            ending(client, server)
