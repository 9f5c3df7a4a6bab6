"""Clients of the metrics port that want no metrics: they cost what is bounded, and others little."""

import contextlib
import pathlib
import re
import socket

import support
from support import NodeTest, network_namespace, wait_until
from test_metrics import DROPS, Watch, get, refused_datagrams, refused_labels

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
    with contextlib.suppress(BlockingIOError, ConnectionResetError):
        client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        return False
    return client.fileno() >= 0 and client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


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


class MetricsPort(NodeTest):
    def hold(self, watch, count, data=HALF, sources=("127.0.0.1",)):
        """Half a request each."""
        clients = []
        for index in range(count):
            client = self.enterContext(connect(watch, sources[index % len(sources)]))
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                client.sendall(data)
            clients.append(client)
        return clients

    def assert_open(self, watch, clients, most, before):
        """Never more than so many are held."""
        held = []

        def are_open():
            held.append(descriptors(watch) - before)
            return sum(map(is_open, clients)) <= most

        wait_until(are_open, "the end of what is over")
        self.assertLessEqual(max(held), most + SPARE)

    def test_an_address_has_its_share(self):
        with Watch() as watch:
            before = descriptors(watch)
            clients = self.hold(watch, 100)
            self.assert_open(watch, clients, PER_ADDRESS, before)
            # Another address is answered meanwhile.
            with connect(watch, "127.0.0.2") as other:
                other.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                self.assertIn(b" 200 OK\r\n", said_to(other))
            self.assertEqual(watch.stop(), 0, watch.stderr())
            self.assertEqual(watch.stderr(), "")

    def test_all_have_theirs(self):
        with Watch() as watch:
            before = descriptors(watch)
            sources = [f"127.0.0.{host}" for host in range(2, 42)]
            clients = self.hold(watch, 400, sources=sources)
            self.assert_open(watch, clients, TOTAL, before)
            # What came too late is told so, unless its own bytes crossed the answer.
            told = [said_to(client) for client in clients if not is_open(client)]
            self.assertLessEqual({answer.partition(b"\r\n")[0] for answer in told},
                                 {b"HTTP/1.1 503 Service Unavailable", b""})
            self.assert_counts(watch)

    def test_an_idle_connection_makes_room(self):
        with Watch() as watch:
            idle = [self.enterContext(connect(watch)) for _ in range(PER_ADDRESS)]

            def is_answered():
                with contextlib.suppress(OSError):
                    return get(watch.netns, f"http://127.0.0.1:{watch.port}/healthz")[0] == 200

            wait_until(is_answered, watch.stderr)
            wait_until(lambda: sum(map(is_open, idle)) < PER_ADDRESS, "the end of an idle connection")

    def test_a_request_has_its_time_however_it_is_divided(self):
        with Watch() as watch, connect(watch) as client:
            client.settimeout(0.2)

            def is_closed():
                try:
                    client.sendall(b"G")
                    return client.recv(1) == b""
                except TimeoutError:
                    return False
                except OSError:
                    return True

            wait_until(is_closed, "the end of a request that has none")

    def test_memory_comes_back(self):
        with Watch() as watch:
            sources = [f"127.0.1.{host}" for host in range(1, 201)]
            before = status(watch, "VmRSS")
            with contextlib.ExitStack() as stack:
                for index in range(2000):
                    client = stack.enter_context(connect(watch, sources[index % len(sources)]))
                    with contextlib.suppress(OSError):
                        client.sendall(HALF)
            self.assertLess(status(watch, "VmRSS") - before, 8 << 10)  # KiB
            self.assert_counts(watch)

    def test_few_descriptors_are_left_to_the_watch(self):
        with Watch(prefix=["prlimit", "--nofile=128"]) as watch:
            clients = self.hold(watch, 200, sources=[f"127.0.0.{host}" for host in range(2, 42)])
            wait_until(lambda: sum(map(is_open, clients)) <= 16, "connections that are over")
            self.assert_counts(watch)

    def test_lengths_and_methods(self):
        with Watch() as watch:
            for request, wanted in (
                (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 10000, 431),
                (b"\x16\x03\x01\x02\r\n\r\n", 400),
                (b"POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789", 405),
                (b"HEAD /metrics HTTP/1.0\r\n\r\n", 200),
            ):
                with self.subTest(request[:20]), connect(watch) as client:
                    client.sendall(request)
                    self.assertIn(b" %d " % wanted, said_to(client).partition(b"\r\n")[0])
            with connect(watch) as client:
                client.sendall(b"HEAD /metrics HTTP/1.0\r\n\r\n")
                head, _, body = said_to(client).partition(b"\r\n\r\n")
                self.assertGreater(int(re.search(rb"Content-Length: (\d+)", head).group(1)), 0)
                self.assertEqual(body, b"")

    def test_what_serves_can_do_nothing_else(self):
        with Watch() as watch:
            confined = []
            for task in pathlib.Path(f"/proc/{watch.process.pid}/task").iterdir():
                words = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines())
                if words["Seccomp"] == "2":
                    confined.append(words)
            self.assertEqual([words["CapEff"] for words in confined], ["0" * 16])
            self.assertEqual([words["CapPrm"] for words in confined], ["0" * 16])

    def assert_counts(self, watch):
        """Drops of good pods are counted and told."""
        nodes = support.topology()
        labels = refused_labels(nodes.pod1)
        refused_datagrams(nodes.pod1, nodes.pod2, 5)

        def counted():
            with connect(watch, "127.0.0.250") as client:
                with contextlib.suppress(OSError):
                    client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                    text = said_to(client).partition(b"\r\n\r\n")[2].decode()
                    return any(line.startswith(DROPS) and all(f'{k}="{v}"' in line for k, v in labels.items())
                               for line in text.splitlines())

        wait_until(counted, watch.stderr, timeout=2 * support.TIMEOUT)
        self.assertEqual(watch.stop(), 0, watch.stderr())
        self.assertEqual(watch.stderr(), "")
