"""Clients of the metrics port that want no metrics: they cost what is bounded, and others little."""

import contextlib
import re

from port import HALF, PER_ADDRESS, TOTAL, PortTest, confined_threads, connect, descriptors, is_open, said_to, status
from support import wait_until
from support.metrics import Watch, get


class MetricsPort(PortTest):
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
            self.leave(clients)
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
            self.leave(clients)
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
            confined = confined_threads(watch)
            self.assertEqual([words["CapEff"] for words in confined], ["0" * 16])
            self.assertEqual([words["CapPrm"] for words in confined], ["0" * 16])
