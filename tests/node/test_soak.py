"""The short form of scripts/soak: `drops` and a trace on a node whose pods come and go."""

import os
import subprocess
import sys
import unittest

import support


@unittest.skipIf(support.IN_VM, "200 pods a minute are more than an emulated machine makes")
class Soak(unittest.TestCase):
    def test_short_form(self):
        """At most twice again where the kernel kept hits from dptrace's programs, as in the other cases (see NodeTest):
        that dptrace tells it, and has lost nothing else, is all that such a run shows."""
        for _ in range(3):
            done = subprocess.run(
                [sys.executable, "-B", support.ROOT / "scripts" / "soak", "--duration", "45s"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "DPTRACE": support.DPTRACE},
            )
            if done.returncode == 0 or "events missed so far" not in done.stdout:
                break
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
