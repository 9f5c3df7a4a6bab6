"""The same port with TLS and passwords: handshakes that do not end, and passwords that are guessed."""

import base64
import contextlib
import http.client
import os
import socket
import ssl
import statistics
import subprocess
import threading
import time

import support
from port import HALF, PER_ADDRESS, TOTAL, PortTest, confined_threads, connect, descriptors, is_open, said_to, status
from support import PASSWORD, Certificates, wait_until
from support.metrics import Watch

# A record of 16 KiB, the beginning of a ClientHello that says to be as long as any may be.
HALF_HELLO = b"\x16\x03\x01\x40\x00" + b"\x01\x01\xff\x00" + bytes(8000)
KIB_OF_A_CONNECTION = 256  # bound on what each takes, also while its handshake lasts
MANY = [f"127.0.1.{host}" for host in range(1, 201)]


def request(password, user="prometheus", path="/healthz", rest=""):
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"GET {path} HTTP/1.1\r\nAuthorization: Basic {credentials}\r\n{rest}\r\n".encode()


def answer_from(client):
    """The status of an answer that leaves the connection open, which is read to its end."""
    answer = http.client.HTTPResponse(client)
    answer.begin()
    answer.read()
    return answer.status


class MetricsTls(PortTest):
    def setUp(self):
        self.files = self.enterContext(Certificates())
        self.files.issue("server")
        self.trust = self.files.client()

    def connect(self, watch, source="127.0.0.1", context=None):
        client = connect(watch, source)
        try:
            return (context or self.trust).wrap_socket(client, server_hostname="127.0.0.1")
        except OSError:
            client.close()
            raise

    def watch(self, *lines, users=()):
        return Watch("--metrics-config", self.files.configuration(*lines, users=users))

    def test_half_handshakes_have_the_bounds_of_half_requests(self):
        with self.watch() as watch:
            before, memory = descriptors(watch), status(watch, "VmRSS")
            clients = self.hold(watch, 100, data=HALF_HELLO)
            self.assert_open(watch, clients, PER_ADDRESS, before)
            with self.connect(watch, "127.0.0.2") as other:
                other.sendall(self.REQUEST)
                self.assertIn(b" 200 OK\r\n", said_to(other))
            sources = [f"127.0.0.{host}" for host in range(3, 42)]
            clients += self.hold(watch, 400, data=HALF_HELLO, sources=sources)
            self.assert_open(watch, clients, TOTAL, before)
            grown = status(watch, "VmRSS") - memory
            print(f"{TOTAL} half handshakes of 128 KiB: {grown} KiB more, {grown // TOTAL} each")
            self.assertLess(grown, TOTAL * KIB_OF_A_CONNECTION)
            self.leave(clients)
            self.assert_counts(watch)

    def test_half_requests_over_tls_have_them_too(self):
        with self.watch() as watch:
            before, memory = descriptors(watch), status(watch, "VmRSS")
            clients = []
            for host in range(400):
                with contextlib.suppress(OSError):
                    client = self.enterContext(self.connect(watch, f"127.0.0.{2 + host % 40}"))
                    client.sendall(HALF)
                    clients.append(client)
            self.assert_open(watch, clients, TOTAL, before)
            grown = status(watch, "VmRSS") - memory
            print(f"{TOTAL} half requests over TLS: {grown} KiB more, {grown // TOTAL} each")
            self.assertLess(grown, TOTAL * KIB_OF_A_CONNECTION)
            self.leave(clients)
            self.assert_counts(watch)

    def test_memory_comes_back(self):
        with self.watch() as watch:
            before = status(watch, "VmRSS")
            for data in (HALF_HELLO, HALF_HELLO[:200]):
                with contextlib.ExitStack() as stack:
                    for index in range(1000):
                        client = stack.enter_context(connect(watch, MANY[index % len(MANY)]))
                        with contextlib.suppress(OSError):
                            client.sendall(data)
            first = status(watch, "VmRSS")
            for index in range(500):
                with contextlib.suppress(OSError), self.connect(watch, MANY[index % len(MANY)]) as client:
                    client.sendall(self.REQUEST)
                    said_to(client)
            after = status(watch, "VmRSS")
            print(f"after 2000 half handshakes {first - before} KiB more, after 500 whole ones {after - first} more")
            self.assertLess(after - before, TOTAL * KIB_OF_A_CONNECTION)
            self.assert_counts(watch)

    def test_a_handshake_has_its_time_however_it_is_divided(self):
        with self.watch() as watch, connect(watch) as client:
            client.settimeout(0.2)
            start = time.monotonic()

            def is_closed():
                sent = is_closed.sent = getattr(is_closed, "sent", 0) + 1
                try:
                    client.sendall(HALF_HELLO[sent - 1:sent])
                    return client.recv(1) == b""
                except TimeoutError:
                    return False
                except OSError:
                    return True

            wait_until(is_closed, "the end of a handshake that has none")
            self.assertGreater(time.monotonic() - start, 8)  # and not for what was sent

    def test_a_slow_handshake_leaves_no_more_time_to_the_request(self):
        with self.watch() as watch:
            start = time.monotonic()
            client = self.enterContext(connect(watch))
            time.sleep(6)
            client = self.enterContext(self.trust.wrap_socket(client, server_hostname="127.0.0.1"))
            client.sendall(HALF)
            self.assertEqual(said_to(client), b"")
            self.assertLess(time.monotonic() - start, 12)

    def test_what_is_no_tls_is_ended(self):
        with self.watch() as watch:
            with connect(watch) as client:
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = said_to(client)
                self.assertTrue(answer.startswith(b"HTTP/1.1 400 Bad Request\r\n"), answer)
                self.assertIn(b"this port speaks https", answer)
            for data in (
                b"\x16\x03\x01\xff\xff" + bytes(70000),  # a record longer than any
                b"\x17\x03\x03\x00\x10" + bytes(16),  # data before a handshake
                b"\x15\x03\x01\x00\x02\x02\x28",  # an alert
                b"\x80\x2e\x01\x03\x01" + bytes(60),  # SSL 2
                b"\x16\x03\x01\x00\x00" * 100,  # empty records
                bytes(range(256)) * 64,
            ):
                with self.subTest(data[:8]), connect(watch) as client, contextlib.suppress(BrokenPipeError):
                    client.sendall(data)
                    self.assertNotIn(b"dptrace", said_to(client))
            # Garbage within a connection: past the handshake, what is said is encrypted.
            with self.connect(watch) as client, socket.socket(fileno=os.dup(client.fileno())) as raw:
                raw.settimeout(support.TIMEOUT)
                raw.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
                self.assertNotIn(b"dptrace", said_to(raw))
            self.assert_counts(watch)

    def test_no_second_handshake_and_nothing_kept_of_the_first(self):
        with self.watch() as watch:
            asked = subprocess.run(
                ["ip", "netns", "exec", watch.netns, "openssl", "s_client", "-tls1_2", "-connect",
                 f"127.0.0.1:{watch.port}"], input=b"R\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=support.TIMEOUT, check=False).stdout
            self.assertIn(b"RENEGOTIATING", asked)
            self.assertIn(b"no renegotiation", asked)
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                self.trust.maximum_version = version
                with self.connect(watch) as client:
                    client.sendall(self.REQUEST)
                    self.assertIn(b" 200 OK\r\n", said_to(client))
                    self.assertEqual(client.version(), version.name.replace("_", "."))
                    self.assertFalse(client.session and client.session.has_ticket)
                    with connect(watch) as raw:
                        again = self.trust.wrap_socket(raw, server_hostname="127.0.0.1", session=client.session)
                        self.assertFalse(again.session_reused)
                        again.close()

    def test_what_serves_tls_can_do_nothing_else(self):
        with self.watch(users=["prometheus"]) as watch:
            with self.connect(watch) as client:
                client.sendall(request(PASSWORD, rest="Connection: close\r\n"))
                self.assertIn(b" 200 OK\r\n", said_to(client))
            confined = confined_threads(watch)
            self.assertEqual([words["CapEff"] for words in confined], ["0" * 16])
            self.assertEqual([words["CapPrm"] for words in confined], ["0" * 16])

    def test_guessed_passwords_cost_others_little(self):
        self.REQUEST = request(PASSWORD, path="/metrics", rest="Connection: close\r\n")
        seconds = 6
        with self.watch(users=["prometheus"]) as watch:
            with self.connect(watch, "127.0.0.250") as good:
                good.sendall(request(PASSWORD, rest="Connection: close\r\n"))
                self.assertIn(b" 200 OK\r\n", said_to(good))
            statuses = {}
            end = time.monotonic() + seconds

            def guess(first):
                number = first
                while time.monotonic() < end:
                    number += 1
                    with contextlib.suppress(OSError), self.connect(watch, MANY[number % len(MANY)]) as client:
                        for _ in range(5):
                            client.sendall(request(f"wrong{number}", user=("prometheus", "nobody")[number % 2]))
                            answer = answer_from(client)
                            statuses[answer] = statuses.get(answer, 0) + 1

            guessers = [threading.Thread(target=guess, args=(50 * index,)) for index in range(4)]
            for guesser in guessers:
                guesser.start()
            took = []
            while time.monotonic() < end:
                start = time.monotonic()
                with self.connect(watch, "127.0.0.250") as good:
                    good.sendall(request(PASSWORD, rest="Connection: close\r\n"))
                    answer = said_to(good)
                took.append(time.monotonic() - start)
                # A machine that stands still for ten seconds ends a connection; nothing else does.
                if answer or took[-1] < 10:
                    self.assertIn(b" 200 OK\r\n", answer, took)
            for guesser in guessers:
                guesser.join()
            checked = statuses.get(401, 0)
            print(f"{sum(statuses.values())} guesses in {seconds} s, {checked} checked; the good client asked "
                  f"{len(took)} times, within {statistics.median(took) * 1000:.0f} ms, at most {max(took) * 1000:.0f}")
            self.assertGreater(checked, 0)
            self.assertLessEqual(checked, 4 + 2 * (seconds + 2))
            self.assertLessEqual(set(statuses), {401, 429, 503})
            self.assertLess(statistics.median(took), 1)  # not the longest: the machine has others to serve
            self.assert_counts(watch)
