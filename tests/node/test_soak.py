"""The short form of scripts/soak: `drops` and a trace on a node whose pods come and go."""

import os
import subprocess
import sys
import unittest

import support


@unittest.skipIf(support.IN_VM, "200 pods a minute are more than an emulated machine makes")
class Soak(unittest.TestCase):
    def test_short_form(self):
        done = subprocess.run(
            [sys.executable, "-B", support.ROOT / "scripts" / "soak", "--duration", "45s"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "DPTRACE": support.DPTRACE},
        )
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
