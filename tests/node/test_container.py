"""dptrace in a container: in a cgroup namespace of its own, as every container runtime makes it."""

import contextlib
import json
import os
import tempfile
import unittest

import support
from support import NodeTest, Trace, in_netns, run, topology

# Into the cgroup before the namespace is made: its root is the process's cgroup then.
ENTER = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"']
HOST_PID = ["unshare", "--cgroup"]
OWN_PID = ["unshare", "--cgroup", "--pid", "--fork", "--kill-child", "--mount-proc"]


@contextlib.contextmanager
def container_cgroup():
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        run("mount", "-t", "cgroup2", "none", folder)
        stack.callback(run, "umount", folder)
        path = os.path.join(folder, f"dptrace-test-{os.getpid()}")
        os.mkdir(path)
        stack.callback(lambda: support.wait_until(lambda: gone(path), "the container's end"))
        yield path


def gone(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return not os.path.exists(path)


def datagram(nodes, port):
    """From a pod to another one, neither of which is in the container."""
    with support.udp_socket(nodes.pod1) as client, support.udp_socket(nodes.pod2, port=port) as server:
        client.sendto(b"datagram", server.getsockname())
        server.recv(100)
        return client.getsockname()[1], port


class Container(NodeTest):
    def check(self, cgroup, namespaces, netns):
        done = in_netns(netns, *ENTER, cgroup, *namespaces, support.DPTRACE, "check", "-o", "json", check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return {check["name"].split(" ")[0]: check for check in json.loads(done.stdout)["checks"]}

    def test_sees_sockets_outside(self):
        """With hostPID: a process of the node lends its cgroup namespace."""
        nodes = topology()
        with container_cgroup() as cgroup:
            self.assertEqual(self.check(cgroup, HOST_PID, nodes.n1)["socket"]["state"], "ok")
            port = support.new_port()
            with Trace("--pod-ip", nodes.pod1.ip, "--port", str(port), prefix=[*ENTER, cgroup, *HOST_PID]) as trace:
                ports = datagram(nodes, port)
                packet = trace.packet(protocol="udp", ports=ports)
                self.assert_delivered(packet, nodes.across_bridge(nodes.pod1, nodes.pod2))
                self.assertNotIn("socket", trace.stderr())
                trace.stop()

    def test_says_that_it_sees_none(self):
        """Without: nobody can be asked, and attached to the container's cgroup is not attached."""
        nodes = topology()
        with container_cgroup() as cgroup:
            socket = self.check(cgroup, OWN_PID, nodes.n1)["socket"]
            self.assertEqual(socket["state"], "missing")
            self.assertIn("hostPID", socket["remedy"])
            port = support.new_port()
            with Trace("--pod-ip", nodes.pod1.ip, "--port", str(port), "-c", "1", prefix=[*ENTER, cgroup, *OWN_PID]) as trace:
                self.assertIn("only sockets of this container", trace.stderr())
                ports = datagram(nodes, port)
                packet = trace.packet(protocol="udp", ports=ports)
                self.assertEqual(packet["verdict"], "unfinished")

    def test_root_cgroup_needs_no_help(self):
        """A namespace whose root is the hierarchy's own hides nothing."""
        nodes = topology()
        done = in_netns(nodes.n1, *OWN_PID, support.DPTRACE, "check", "-o", "json", check=False)
        socket = [check for check in json.loads(done.stdout)["checks"] if check["name"].startswith("socket")]
        with open("/proc/self/cgroup") as file:
            at_root = "0::/\n" in file.readlines()
        self.assertEqual([check["state"] for check in socket], ["ok" if at_root else "missing"])


class Netns(NodeTest):
    def test_another_than_the_machines_first(self):
        """In a pod without hostNetwork the devices are the pod's."""
        checks = {}
        for name, prefix in (("own", []), ("other", ["ip", "netns", "exec", topology().n1])):
            done = run(*prefix, support.DPTRACE, "check", "-o", "json", check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            checks[name] = {check["name"]: check for check in json.loads(done.stdout)["checks"]}["network namespace"]
        self.assertEqual(checks["own"]["state"], "ok")
        self.assertEqual(checks["other"]["state"], "missing")
        self.assertIn("hostNetwork", checks["other"]["remedy"])


if __name__ == "__main__":
    unittest.main()
