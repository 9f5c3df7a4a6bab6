"""A trace that has nothing to tell sleeps until the kernel wakes it."""

import pathlib
import re
import time
import unittest

import support
from support import NodeTest, Trace

NO_POD = "198.51.100.1"


def wake_ups(pid):
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1])


class Idle(NodeTest):
    def test_sleeps(self):
        def sleeps():
            before = wake_ups(trace.process.pid)
            time.sleep(3)
            return wake_ups(trace.process.pid) == before

        with Trace("--pod-ip", NO_POD) as trace:
            support.wait_until(sleeps, "three seconds in which nothing wakes it")
            self.assert_nothing_lost(trace.stop())


if __name__ == "__main__":
    unittest.main()
