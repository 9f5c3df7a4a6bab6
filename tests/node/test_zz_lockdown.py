"""A kernel that keeps its memory to itself. The last module by name: there is no way back but a reboot."""

import json
import pathlib
import unittest

import support
from support import NodeTest, dptrace, topology

LOCKDOWN = pathlib.Path("/sys/kernel/security/lockdown")


@unittest.skipUnless(support.IN_VM, "locks the machine down until it is booted again")
class Lockdown(NodeTest):
    @classmethod
    def setUpClass(cls):
        if not LOCKDOWN.exists():
            support.run("mount", "-t", "securityfs", "none", "/sys/kernel/security")
        topology()
        LOCKDOWN.write_text("confidentiality")

    def test_check_names_it(self):
        done = dptrace("check", "-o", "json")
        self.assertEqual(done.returncode, 1, done.stdout)
        missing = [check["name"] for check in json.loads(done.stdout)["checks"] if check["state"] != "ok"]
        self.assertIn("lockdown=confidentiality", missing)

    def test_a_start_names_it(self):
        for command in (["--pod-ip", topology().pod1.ip], ["drops", "--once"]):
            with self.subTest(command=command):
                done = dptrace(*command)
                self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
                self.assertIn("boot it with lockdown=integrity", done.stderr)
                self.assertNotIn("R10=fp0", done.stderr, "the verifier's log is for nobody here")


if __name__ == "__main__":
    unittest.main()
