"""What packaging/ asks for: the unit, the DaemonSet, and the rights they are given."""

import contextlib
import pathlib
import re
import shutil
import subprocess

import yaml

import support
from support import NodeTest, dptrace, run, topology, wait_until
from support.metrics import DROPS, PACKAGING, Watch, get, refused_datagrams, refused_labels, samples


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
