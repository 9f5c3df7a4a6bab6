"""`drops --metrics-config`: who reads the metrics over TLS, who does not, and certificates that are renewed."""

import base64
import contextlib
import http.client
import os
import ssl

import support
from support import PASSWORD, Certificates, NodeTest, Prometheus, dptrace, network_namespace, topology, wait_until
from support.metrics import DROPS, Watch, free_port, refused_datagrams, refused_labels


def ask(watch, context, password=PASSWORD, path="/metrics"):
    """Status and body, as user prometheus."""
    credentials = base64.b64encode(f"prometheus:{password}".encode()).decode()
    with network_namespace(watch.netns):
        client = http.client.HTTPSConnection("127.0.0.1", watch.port, timeout=support.TIMEOUT, context=context)
        with contextlib.closing(client):
            client.request("GET", path, headers={"Authorization": f"Basic {credentials}"} if password else {})
            answer = client.getresponse()
            return answer.status, answer.read().decode()


def serial_of(watch, context):
    """Of the certificate that is shown; nothing when this context does not trust it."""
    with network_namespace(watch.netns), contextlib.suppress(ssl.SSLError):
        client = http.client.HTTPSConnection("127.0.0.1", watch.port, timeout=support.TIMEOUT, context=context)
        with contextlib.closing(client):
            client.connect()
            return client.sock.getpeercert()["serialNumber"]


class Access(NodeTest):
    def setUp(self):
        self.nodes = topology()
        self.files = self.enterContext(Certificates())
        self.files.issue("server")

    def watch(self, configuration):
        return self.enterContext(Watch("--metrics-config", configuration))

    def prometheus(self, watch, **jobs):
        """Scrapes the watch in each of these ways."""
        target = [{"targets": [f"127.0.0.1:{watch.port}"]}]
        scrapes = [{"job_name": name, "scheme": "https", "static_configs": target, **job} for name, job in jobs.items()]
        return self.enterContext(Prometheus(self.nodes.n1, free_port(self.nodes.n1), {"scrape_configs": scrapes}))

    def trust(self, client=None):
        trust = {"ca_file": str(self.files.path("ca.crt"))}
        if client:
            trust |= {"cert_file": str(self.files.path(f"{client}.crt")),
                      "key_file": str(self.files.path(f"{client}.key"))}
        return trust

    def assert_health(self, prometheus, job, health, error=""):
        """`error`: a part of it."""

        def is_so():
            found = prometheus.targets().get(job, ("", ""))
            return found[0] == health and error in found[1]

        prometheus.wait_for(is_so, lambda: f"{job} {health}: {prometheus.targets()}")

    def test_prometheus_scrapes_over_tls_with_a_password(self):
        watch = self.watch(self.files.configuration(users=["prometheus"]))
        prometheus = self.prometheus(watch, good={
            "tls_config": self.trust(), "basic_auth": {"username": "prometheus", "password": PASSWORD}})
        self.assert_health(prometheus, "good", "up")
        labels = refused_labels(self.nodes.pod1)
        refused_datagrams(self.nodes.pod1, self.nodes.pod2, 5)
        selector = ",".join(f'{name}="{value}"' for name, value in labels.items())
        expression = f'sum({DROPS}{{{selector},job="good"}}) >= 5'
        prometheus.wait_for(lambda: prometheus.query(expression), expression)
        self.assertEqual(watch.stop(), 0, watch.stderr())
        self.assertEqual(watch.stderr(), "")

    def test_prometheus_is_refused_without(self):
        watch = self.watch(self.files.configuration(users=["prometheus"]))
        password = {"basic_auth": {"username": "prometheus", "password": PASSWORD}}
        prometheus = self.prometheus(
            watch,
            plain={"scheme": "http", **password},
            distrusting=password,
            anonymous={"tls_config": self.trust()},
            wrong={"tls_config": self.trust(), "basic_auth": {"username": "prometheus", "password": "Secret"}},
            unknown={"tls_config": self.trust(), "basic_auth": {"username": "nobody", "password": PASSWORD}},
        )
        self.assert_health(prometheus, "plain", "down", "400 Bad Request")
        self.assert_health(prometheus, "distrusting", "down", "certificate")
        for job in ("anonymous", "wrong", "unknown"):
            self.assert_health(prometheus, job, "down", "server returned HTTP status 401")

    def test_prometheus_shows_a_certificate(self):
        self.files.authority("other")
        self.files.issue("good", "DNS:prometheus.test")
        self.files.issue("stranger", "DNS:prometheus.test", by="other")
        self.files.issue("namesake", "DNS:prometheus.test.example")
        watch = self.watch(self.files.configuration(
            "client_auth_type: RequireAndVerifyClientCert", "client_ca_file: ca.crt",
            "client_allowed_sans: [prometheus.test]"))
        prometheus = self.prometheus(watch, none={"tls_config": self.trust()},
                                     **{name: {"tls_config": self.trust(name)} for name in ("good", "stranger", "namesake")})
        self.assert_health(prometheus, "good", "up")
        for job in ("none", "stranger", "namesake"):
            self.assert_health(prometheus, job, "down", "tls: ")
        self.assertEqual(prometheus.query(f'count by (job) ({DROPS}{{job!="good"}})'), [])

    def test_health_wants_a_password_too(self):
        watch = self.watch(self.files.configuration(users=["prometheus"]))
        self.assertEqual(ask(watch, self.files.client(), path="/healthz"), (200, "ok\n"))
        self.assertEqual(ask(watch, self.files.client(), password=None, path="/healthz")[0], 401)

    def test_passwords_without_tls(self):
        self.files.path("web.yml").write_text(f"basic_auth_users: {{prometheus: {support.certificates.HASH}}}\n")
        watch = self.watch(self.files.path("web.yml"))
        self.assertEqual(watch.get("/healthz")[0], 401)

    def test_a_renewed_certificate_is_shown_and_a_broken_one_is_not(self):
        watch = self.watch(self.files.configuration(users=["prometheus"]))
        trust = self.files.client()
        first = serial_of(watch, trust)
        self.assertTrue(first)
        with network_namespace(watch.netns):
            kept = http.client.HTTPSConnection("127.0.0.1", watch.port, timeout=support.TIMEOUT, context=trust)
            self.addCleanup(kept.close)
            kept.connect()

        self.files.issue("next")
        os.replace(self.files.path("next.key"), self.files.path("server.key"))
        wait_until(lambda: "server.key is not the key of" in watch.stderr(), watch.stderr)
        self.assertEqual(serial_of(watch, trust), first)
        os.replace(self.files.path("next.crt"), self.files.path("server.crt"))
        wait_until(lambda: serial_of(watch, trust) not in (None, first), watch.stderr)
        # Who was there before is served on.
        kept.request("GET", "/healthz")
        self.assertEqual(kept.getresponse().status, 401)

        self.files.authority("later")
        self.files.issue("server", by="later")
        wait_until(lambda: serial_of(watch, self.files.client(authority="later")), watch.stderr)
        self.assertEqual(ask(watch, self.files.client(authority="later"))[0], 200)
        self.assertEqual(watch.stop(), 0, watch.stderr())
        self.assertEqual(watch.stderr().count("\n"), 1, watch.stderr())

    def test_users_come_and_go(self):
        watch = self.watch(self.files.configuration(users=["prometheus"]))
        trust = self.files.client()
        self.assertEqual(ask(watch, trust)[0], 200)
        self.files.configuration(users=["another"])
        wait_until(lambda: ask(watch, trust)[0] == 401, watch.stderr)
        self.files.configuration()
        wait_until(lambda: "basic_auth_users is gone" in watch.stderr(), watch.stderr)
        self.assertEqual(ask(watch, trust, password=None)[0], 401)
        self.files.configuration(users=["prometheus"])
        wait_until(lambda: ask(watch, trust)[0] == 200, watch.stderr)

    def refused(self, *arguments):
        return dptrace("drops", *arguments, "--duration", "1s", netns=self.nodes.n1)

    def test_what_is_wrong_is_told_at_once(self):
        configuration = self.files.configuration("min_version: TLS10")
        done = self.refused("--metrics", "9435", "--metrics-config", configuration)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn(f"dptrace: --metrics-config: {configuration}:4: tls_server_config: min_version: ", done.stderr)
        self.files.path("server.key").unlink()
        done = self.refused("--metrics", "9435", "--metrics-config", self.files.configuration())
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn(f"{configuration}:3: key_file: reading {self.files.path('server.key')}: ", done.stderr)
        for arguments in (("--metrics-config", configuration), ("--metrics", "9435", "--metrics-config", "")):
            self.assertEqual(self.refused(*arguments).returncode, 2)

    def test_a_key_that_everybody_may_read_is_told(self):
        self.files.path("server.key").chmod(0o644)
        watch = self.watch(self.files.configuration())
        self.assertEqual(watch.stop(), 0, watch.stderr())
        self.assertIn("every user of this machine may read the key_file: chmod o=", watch.stderr())
