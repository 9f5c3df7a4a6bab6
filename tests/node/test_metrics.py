"""`drops --metrics`: what is served, and what a real Prometheus, the alert rules and the dashboard make of it."""

import contextlib
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request

import yaml

import support
from support import HAS_REASONS, NodeTest, dptrace, network_namespace, run, topology, wait_until

PACKAGING = support.ROOT / "packaging"
DROPS, BYTES = "dptrace_drop_packets_total", "dptrace_drop_bytes_total"
KERNEL = "dptrace_kernel_losses_total"
LABELS = {
    DROPS: ["reason", "cause", "interface", "protocol", "namespace", "pod"],
    BYTES: ["reason", "cause", "interface", "protocol", "namespace", "pod"],
    KERNEL: ["group", "name", "interface", "namespace", "pod"],
    "dptrace_events_lost_total": ["stage"],
    "dptrace_series_collapsed_total": [],
    "dptrace_probe_attached": ["probe"],
    "dptrace_build_info": ["version"],
}
FROM_PROMETHEUS = {"instance", "job"}  # labels that every scrape adds


def free_port(netns, family=socket.AF_INET):
    with network_namespace(netns), socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return probe.getsockname()[1]


def get(netns, url):
    """Status and body. `netns`: none is our own."""
    with network_namespace(netns) if netns else contextlib.nullcontext():
        try:
            with urllib.request.urlopen(url, timeout=support.TIMEOUT) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


def samples(text):
    """{(name, ((label, value), ...)): value} of an exposition; a series that is there twice is an error."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
        key = name, tuple(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""))
        assert key not in found, line
        found[key] = float(value)
    return found


class Watch:
    """A running `dptrace drops --metrics` on node 1."""

    def __init__(self, *arguments, host="127.0.0.1", prefix=(), stdin=subprocess.DEVNULL):
        self.netns = topology().n1
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.port = free_port(self.netns, family)
        self.host = f"[{host}]" if ":" in host else host
        self._folder = tempfile.TemporaryDirectory(prefix="dptrace-")
        folder = pathlib.Path(self._folder.name)
        folder.chmod(0o777)  # also for a user who is not root
        self._stderr = open(folder / "stderr", "w+")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.netns, *prefix, support.DPTRACE, "drops", "--interval", "200ms",
             "--metrics", f"{self.host}:{self.port}", "--ready-file", folder / "ready", *arguments],
            stdin=stdin, stdout=subprocess.DEVNULL, stderr=self._stderr,
        )
        try:
            wait_until(lambda: (folder / "ready").exists() or self.process.poll() is not None, self.stderr)
            assert self.process.poll() is None, self.stderr()
        except AssertionError:
            self.__exit__()
            raise

    def stderr(self):
        return pathlib.Path(self._stderr.name).read_text()

    def get(self, path="/metrics"):
        return get(self.netns, f"http://{self.host}:{self.port}{path}")

    def samples(self):
        return samples(self.get()[1])

    def value(self, metric, **labels):
        """The sum of the series with these labels."""
        return sum(value for (name, have), value in self.samples().items()
                   if name == metric and labels.items() <= dict(have).items())

    def wait_for(self, count, metric, **labels):
        wait_until(lambda: self.value(metric, **labels) >= count, lambda: f"{count} of {labels} in {self.get()[1]}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(support.TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._stderr.close()
        self._folder.cleanup()


def refused_datagrams(source, destination, count, size=100):
    """Datagrams for a port that nobody listens on: a drop in the destination's pod each. Of the pod that sent them."""
    with support.udp_socket(source) as client:
        for _ in range(count):
            with contextlib.suppress(ConnectionRefusedError):
                client.sendto(bytes(size), (destination.ip, 9))


def refused_labels(pod):
    return {"reason": "NO_SOCKET" if HAS_REASONS else "", "cause": "", "interface": "eth0", "protocol": "udp",
            "namespace": "default", "pod": pod.name}


class Served(NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1, cls.pod2 = cls.nodes.pod1, cls.nodes.pod2
        cls.watch = cls.enterClassContext(Watch())

    def test_every_drop_is_counted_once(self):
        labels = refused_labels(self.pod1)
        before = self.watch.value(DROPS, **labels), self.watch.value(BYTES, **labels)
        refused_datagrams(self.pod1, self.pod2, 50)
        self.watch.wait_for(before[0] + 50, DROPS, **labels)
        refused_datagrams(self.pod1, self.pod2, 7)
        self.watch.wait_for(before[0] + 57, DROPS, **labels)
        self.assertEqual(self.watch.value(DROPS, **labels), before[0] + 57)
        self.assertEqual(self.watch.value(BYTES, **labels) - before[1], 57 * (8 + 100))  # the IP header is off

    def test_the_labels_are_the_contract_s(self):
        refused_datagrams(self.pod1, self.pod2, 1)
        self.watch.wait_for(1, DROPS, **refused_labels(self.pod1))
        found = self.watch.samples()
        for name, labels in found:
            self.assertEqual([label for label, _ in labels], LABELS[name])
        names = {name for name, _ in found}
        self.assertEqual(names | {KERNEL}, set(LABELS))
        self.assertIn(("dptrace_probe_attached", (("probe", "kfree_skb"),)), found)
        version = dptrace("--version").stdout.split()[1]
        self.assertEqual(found["dptrace_build_info", (("version", version),)], 1)
        self.assertEqual(found["dptrace_events_lost_total", (("stage", "ring"),)], 0)

    def test_no_address_and_no_port_is_a_label(self):
        refused_datagrams(self.pod1, self.pod2, 1)
        self.watch.wait_for(1, DROPS, **refused_labels(self.pod1))
        text = self.watch.get()[1]
        for address in (self.pod1.ip, self.pod2.ip, self.pod1.ip6):
            self.assertNotIn(address, text)

    def test_the_kernel_s_own_counters(self):
        labels = {"group": "udp", "name": "RcvbufErrors", "interface": "", "namespace": "default", "pod": self.pod2.name}
        before = self.watch.value(KERNEL, **labels)
        lost = support.overflow_udp(self.pod2.netns, 40)
        self.assertGreater(lost, 0)
        self.watch.wait_for(before + lost, KERNEL, **labels)
        self.assertEqual(self.watch.value(KERNEL, **labels), before + lost)

    def test_counters_only_rise(self):
        before = self.watch.samples()
        refused_datagrams(self.pod2, self.pod1, 5)
        labels = refused_labels(self.pod2)
        self.watch.wait_for(sum(value for (name, have), value in before.items()
                                if name == DROPS and dict(have) == labels) + 5, DROPS, **labels)
        after = self.watch.samples()
        for key, value in before.items():
            self.assertGreaterEqual(after[key], value, key)

    def test_promtool_finds_nothing_amiss(self):
        refused_datagrams(self.pod1, self.pod2, 1)
        self.watch.wait_for(1, DROPS, **refused_labels(self.pod1))
        run("promtool", "check", "metrics", input=self.watch.get()[1])

    def test_health(self):
        self.assertEqual(self.watch.get("/healthz"), (200, "ok\n"))
        self.assertEqual(self.watch.get("/")[0], 404)

    def test_only_where_it_is_told(self):
        with network_namespace(self.nodes.n1), socket.socket() as client:
            with self.assertRaises(ConnectionRefusedError):
                client.connect((self.pod1.ip.rsplit(".", 1)[0] + ".1", self.watch.port))  # the bridge's address


class Start(NodeTest):
    def setUp(self):
        self.node = topology().n1

    def refused(self, address):
        return dptrace("drops", "--metrics", address, "--duration", "1s", netns=self.node)

    def test_ipv6(self):
        with Watch(host="::1") as watch:
            self.assertEqual(watch.get("/healthz"), (200, "ok\n"))
            self.assertEqual(watch.stop(), 0, watch.stderr())

    def test_addresses_that_are_none(self):
        for address in ("localhost:9435", ":9435", "127.0.0.1", "127.0.0.1:0", "::1:9435", "9435x"):
            done = self.refused(address)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(f"--metrics: '{address}' is not an IP address and port", done.stderr)

    def test_a_port_in_use(self):
        with network_namespace(self.node), socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            address = f"127.0.0.1:{other.getsockname()[1]}"
            done = self.refused(address)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(f"{address}: Address already in use", done.stderr)
        self.assertIn("another port", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_an_address_of_another_machine(self):
        done = self.refused("192.0.2.1:9435")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("192.0.2.1:9435: Cannot assign requested address", done.stderr)

    def test_metrics_of_one_table_are_refused(self):
        done = dptrace("drops", "--metrics", "9435", "--once", netns=self.node)
        self.assertEqual(done.returncode, 2, done.stderr)

    def test_the_end_with_a_client_waiting(self):
        with Watch() as watch, network_namespace(self.node), socket.socket() as client:
            client.connect(("127.0.0.1", watch.port))
            self.assertEqual(watch.stop(), 0, watch.stderr())


def manifest(kind, file="dptrace.yaml"):
    documents = (PACKAGING / "kubernetes" / file).read_text()
    return next(document for document in yaml.safe_load_all(documents) if document["kind"] == kind)


def containers():
    """Of the DaemonSet's pod, by name."""
    return {each["name"]: each for each in manifest("DaemonSet")["spec"]["template"]["spec"]["containers"]}


CAPABILITIES = {2: "CAP_DAC_READ_SEARCH", 12: "CAP_NET_ADMIN", 19: "CAP_SYS_PTRACE", 21: "CAP_SYS_ADMIN",
                34: "CAP_SYSLOG", 38: "CAP_PERFMON", 39: "CAP_BPF"}
AFTER_ATTACHING = ("CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_SYSLOG")  # for names


def effective_capabilities(process):
    """Those of the main thread; numbers where dptrace knows no use for one."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    mask = int(re.search(r"^CapEff:\s*(\w+)$", status, re.M).group(1), 16)
    return [CAPABILITIES.get(number, number) for number in range(64) if mask >> number & 1]


class Packaged(NodeTest):
    """What packaging/ asks for is what dptrace takes, and needs no more than it is given."""

    def setUp(self):
        self.nodes = topology()
        self.unit = (PACKAGING / "systemd" / "dptrace-drops.service").read_text()
        self.capabilities = re.search(r"^CapabilityBoundingSet=(.*)$", self.unit, re.M).group(1).split()

    def test_the_capabilities_of_the_unit_suffice(self):
        """As a user that is not root, and with no way to more. The names of functions come from standard input."""
        user = ["--reuid=65534", "--regid=65534", "--clear-groups"]
        with open("/proc/kallsyms") as symbols:
            self.assert_suffice(self.capabilities, user, {"CAP_SYSLOG"}, stdin=symbols)

    def test_the_capabilities_of_the_daemon_set_suffice(self):
        wanted = containers()["dptrace"]["securityContext"]["capabilities"]
        self.assert_suffice([f"CAP_{name}" for name in wanted["add"]], [], {"CAP_DAC_READ_SEARCH"})

    def assert_suffice(self, capabilities, user, never, **options):
        words = ",".join("+" + name.removeprefix("CAP_").lower() for name in capabilities)
        prefix = ["setpriv", "--no-new-privs", *user, f"--bounding-set=-all,{words}", f"--inh-caps=-all,{words}"]
        if user:
            prefix.append(f"--ambient-caps=-all,{words}")
        with Watch(prefix=prefix, **options) as watch:
            # What attaching needs is given up behind it.
            self.assertEqual(set(effective_capabilities(watch.process.pid)), set(AFTER_ATTACHING) - never)
            refused_datagrams(self.nodes.pod1, self.nodes.pod2, 5)
            # The device of a pod has its name, so other network namespaces can be looked into.
            watch.wait_for(5, DROPS, **refused_labels(self.nodes.pod1))
            self.assertEqual(watch.stop(), 0, watch.stderr())
            self.assertEqual(watch.stderr(), "")

    def test_the_unit_s_command(self):
        address = re.search(r"^Environment=DPTRACE_METRICS=(.*)$", self.unit, re.M).group(1)
        command = re.search(r"^ExecStart=dptrace (.*)$", self.unit, re.M).group(1)
        self.assert_runs(command.replace("${DPTRACE_METRICS}", address).split())

    def test_the_daemon_set(self):
        daemon_set = manifest("DaemonSet")
        pod = daemon_set["spec"]["template"]
        container = containers()["dptrace"]
        self.assertEqual(container["image"], "dptrace:" + dptrace("--version").stdout.split()[1])
        mounts = [mount["name"] for each in containers().values() for mount in each["volumeMounts"]]
        self.assertEqual(sorted(mounts), sorted(volume["name"] for volume in pod["spec"]["volumes"]))
        self.assertEqual(daemon_set["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"])
        # Nobody but the node itself reaches it, as the kubelet, which asks it where it listens.
        self.assertNotIn("ports", container)
        address = container["args"][container["args"].index("--metrics") + 1]
        for probe in (container["startupProbe"], container["livenessProbe"]):
            self.assertEqual("{host}:{port}".format(**probe["httpGet"]), address)
            self.assertEqual(probe["httpGet"]["path"], "/healthz")
        self.assertEqual(address.partition(":")[0], "127.0.0.1")
        self.assert_runs(container["args"])

    def test_the_proxy_of_the_daemon_set(self):
        """It is all that listens at the node's address, and has the account; what it tells, scrapes ask for."""
        pod = manifest("DaemonSet")["spec"]["template"]
        proxy = containers()["proxy"]
        self.assertRegex(proxy["image"], r"^kube-rbac-proxy:v\d+\.\d+\.\d+$")
        flags = dict(word.removeprefix("--").split("=", 1) for word in proxy["args"])
        address = containers()["dptrace"]["args"][-1]
        self.assertEqual(flags["upstream"], f"http://{address}/")
        host, _, port = flags["secure-listen-address"].rpartition(":")
        self.assertEqual(host, "$(HOST_IP)")
        self.assertEqual(proxy["env"][0]["name"], "HOST_IP")
        self.assertEqual([each["containerPort"] for each in proxy["ports"]], [int(port)])
        self.assertNotIn("insecure-listen-address", flags)
        # Only what the role is about, and nothing of it to everybody.
        rules = manifest("ClusterRole")["rules"]
        self.assertEqual(rules, [{"nonResourceURLs": [flags["allow-paths"]], "verbs": ["get"]}])
        self.assertNotIn("ignore-paths", flags)
        self.assertEqual(proxy["securityContext"]["capabilities"], {"drop": ["ALL"]})
        self.assertTrue(proxy["securityContext"]["runAsNonRoot"])
        # The token is the proxy's, of an account that may ask who others are.
        self.assertFalse(pod["spec"]["automountServiceAccountToken"])
        self.assertEqual([mount["name"] for mount in proxy["volumeMounts"]], ["token"])
        account = manifest("ServiceAccount")["metadata"]
        self.assertEqual(pod["spec"]["serviceAccountName"], account["name"])
        self.assertEqual(manifest("ClusterRoleBinding")["subjects"], [{"kind": "ServiceAccount", **account}])

        annotations = pod["metadata"]["annotations"]
        self.assertEqual((annotations["prometheus.io/scheme"], annotations["prometheus.io/port"],
                          annotations["prometheus.io/path"]), ("https", port, flags["allow-paths"]))
        service = manifest("Service")
        self.assertEqual(service["spec"]["selector"], pod["metadata"]["labels"])
        endpoint = manifest("ServiceMonitor", "servicemonitor.yaml")["spec"]
        self.assertEqual(endpoint["selector"]["matchLabels"], service["metadata"]["labels"])
        self.assertEqual([endpoint["endpoints"][0]["scheme"], endpoint["endpoints"][0]["port"]],
                         ["https", service["spec"]["ports"][0]["name"]])
        self.assertEqual(service["spec"]["ports"][0]["targetPort"], proxy["ports"][0]["name"])

    def assert_runs(self, arguments):
        done = dptrace(*arguments, "--duration", "1s", netns=self.nodes.n1)
        self.assertEqual(done.returncode, 0, done.stderr)


class Service(NodeTest):
    """The unit as it ships, by a systemd that is given a guest's process ids, mounts and control groups of its own."""

    def test_the_service(self):
        if not support.IN_VM:
            self.skipTest("in a guest only: it takes /usr/sbin, and an init that is nobody's")
        nodes = topology()
        shutil.copy(support.DPTRACE, "/usr/sbin/dptrace")
        units = pathlib.Path("/run/systemd/system")
        said = pathlib.Path("/run/dptrace-drops.stderr")
        for unit, section in (("socket", ""), ("service", f"[Service]\nStandardError=file:{said}\n")):
            drop_in = units / f"dptrace-drops.{unit}.d" / "test.conf"
            drop_in.parent.mkdir(parents=True)
            shutil.copy(PACKAGING / "systemd" / f"dptrace-drops.{unit}", units)
            # Nothing of a whole system is wanted beside it.
            drop_in.write_text(f"[Unit]\nDefaultDependencies=no\n{section}")
        run("ip", "link", "set", "lo", "up")
        init = ("mount --make-rshared / && umount /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && "
                "exec env container=test /lib/systemd/systemd --system --unit=dptrace-drops.service --log-target=null "
                "--show-status=no")
        systemd = self.enterContext(subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--cgroup", "sh", "-c", init]))
        self.addCleanup(systemd.kill)

        def answer(path):
            with contextlib.suppress(OSError):
                return get(None, "http://127.0.0.1:9435" + path)

        def state():
            return said.read_text() if said.exists() else "it was not started"

        wait_until(lambda: answer("/healthz") == (200, "ok\n"), state)
        process = run("pgrep", "-f", "dptrace drops --interval 15s").stdout.strip()
        status = pathlib.Path(f"/proc/{process}/status").read_text()
        self.assertRegex(status, r"NoNewPrivs:\s*1\n")
        self.assertRegex(status, r"Seccomp:\s*2\n")
        self.assertNotRegex(status, r"Uid:\s*0\s")
        self.assertEqual(set(effective_capabilities(process)), set(AFTER_ATTACHING) - {"CAP_SYSLOG"})
        refused_datagrams(nodes.pod1, nodes.pod2, 5)
        # The device has its name: it can look into the network namespaces.
        wanted = (DROPS, tuple(refused_labels(nodes.pod1).items()))
        wait_until(lambda: samples(answer("/metrics")[1]).get(wanted) == 5, lambda: f"{answer('/metrics')} {state()}")
        self.assertEqual(state(), "")


def expressions():
    """(where, expression) of the dashboard and the rules, the dashboard's variables filled in."""
    rules = yaml.safe_load((PACKAGING / "prometheus" / "dptrace.rules.yaml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield rule.get("alert") or rule["record"], rule["expr"]
    dashboard = json.loads((PACKAGING / "grafana" / "dptrace-drops.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            filled = target["expr"].replace("$instance", ".*")
            yield panel["title"], re.sub(r"\$__(rate_interval|range)", "1m", filled)


class Consumers(NodeTest):
    """Prometheus, from Debian's package, on the node: it scrapes every second."""

    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1, cls.pod2 = cls.nodes.pod1, cls.nodes.pod2
        cls.watch = cls.enterClassContext(Watch())
        cls.prometheus = cls.enterClassContext(support.Prometheus(cls.nodes.n1, free_port(cls.nodes.n1), {
            "rule_files": [str(PACKAGING / "prometheus" / "dptrace.rules.yaml")],
            "scrape_configs": [
                {"job_name": "dptrace", "static_configs": [{"targets": [f"127.0.0.1:{cls.watch.port}"]}]}
            ],
        }))
        refused_datagrams(cls.pod1, cls.pod2, 40)
        cls.wait_for(f"{DROPS} > 0")

    @classmethod
    def wait_for(cls, expression):
        return cls.prometheus.wait_for(lambda: cls.prometheus.query(expression),
                                       lambda: f"{expression} in {cls.watch.get()[1]}")

    def test_the_query_of_the_readme(self):
        query = re.search(r"^    (topk.*dptrace_drop_packets_total.*)$", (support.ROOT / "README.md").read_text(), re.M)
        expression = query.group(1)
        refused_datagrams(self.pod1, self.pod2, 10)
        wanted = {"namespace": "default", "pod": self.pod1.name, "reason": refused_labels(self.pod1)["reason"]}
        wanted = {name: value for name, value in wanted.items() if value}  # Prometheus knows no empty labels
        found = self.wait_for(f"({expression}) > 0")
        self.assertIn(wanted, [labels for labels, _ in found])

    def test_counts_arrive_as_they_are(self):
        labels = refused_labels(self.pod1)
        refused_datagrams(self.pod1, self.pod2, 3)
        selector = ",".join(f'{name}="{value}"' for name, value in labels.items())
        self.watch.wait_for(43, DROPS, **labels)
        counted = self.watch.value(DROPS, **labels)
        self.wait_for(f"sum({DROPS}{{{selector}}}) == {counted:.0f}")

    def test_up(self):
        self.assertEqual([value for _, value in self.wait_for('up{job="dptrace"} == 1')], [1])

    def test_the_recording_rule_counts_the_first_drops(self):
        found = self.wait_for(
            f'instance_reason_namespace_pod:dptrace_drop_packets:increase5m{{pod="{self.pod1.name}"}} >= 40')
        self.assertEqual(len(found), 1, found)

    def test_dashboard_and_rules_are_answered(self):
        """Every expression is one, and names only what is exported."""
        exported = LABELS | {"up": [], "instance_reason_namespace_pod:dptrace_drop_packets:increase5m":
                             ["reason", "namespace", "pod"]}
        seen = set()
        for where, expression in expressions():
            with self.subTest(where):
                self.prometheus.query(expression)  # raises when it is not understood
                metrics = set(re.findall(r"\b(?:up|[a-z_]*:?dptrace_\w+(?::\w+)?)\b", expression))
                self.assertLessEqual(metrics, set(exported))
                self.assertTrue(metrics, expression)
                known = FROM_PROMETHEUS.union(*(exported[metric] for metric in metrics))
                used = set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', expression))
                for names in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression):
                    used.update(name.strip() for name in names.split(","))
                self.assertLessEqual(used, known, expression)
                seen |= metrics
        self.assertLessEqual(set(LABELS), seen)
