"""Killed at any moment, with or without the process that cleans up after it, dptrace leaves nothing for long.

DPTRACE_KILLS: how many of each (default 10, in a guest 3).
"""

import json
import os
import random
import signal
import subprocess
import time
import unittest

import support
from support import NodeTest, in_netns, run, topology, wait_until

KILLS = int(os.environ.get("DPTRACE_KILLS", 3 if support.IN_VM else 10))
LONGEST_START = 8 if support.IN_VM else 1


class Killed(NodeTest):
    def setUp(self):
        self.node = topology().n1
        self.moments = random.Random(os.environ.get("DPTRACE_SEED", "kills"))
        self.before = programs()

    def start(self, *arguments):
        command = ["ip", "netns", "exec", self.node, support.DPTRACE, *arguments]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def kill_at_random(self, kill, *arguments):
        for _ in range(KILLS):
            support.watchdog.arm()
            with self.start(*arguments) as process:
                time.sleep(self.moments.uniform(0, LONGEST_START))
                kill(process)
                process.wait(support.TIMEOUT)

    def assert_nothing_is_left(self):
        wait_until(lambda: not support.traces_left(self.node), lambda: f"{support.traces_left(self.node)} gone")
        wait_until(lambda: not programs() - self.before, "no programs of dptrace")

    def test_trace(self):
        self.kill_at_random(subprocess.Popen.kill, "--pod-ip", "10.244.19.2", "--interface", "*")
        self.assert_nothing_is_left()

    def test_drop_watch(self):
        self.kill_at_random(subprocess.Popen.kill, "drops")
        self.assert_nothing_is_left()

    def test_with_all_its_processes(self):
        """What that leaves, the next start takes away."""
        def kill_all(process):
            for child in children(process.pid):
                os.kill(child, signal.SIGKILL)
            process.kill()

        self.kill_at_random(kill_all, "--pod-ip", "10.244.19.2", "--interface", "*")
        in_netns(self.node, support.DPTRACE, "check", "--clean")
        self.assert_nothing_is_left()


def programs():
    """Those of dptrace that are loaded, by id."""
    loaded = json.loads(run("bpftool", "--json", "prog", "show").stdout)
    return {program["id"] for program in loaded if program.get("name", "").startswith("dptrace")}


def children(process):
    try:
        with open(f"/proc/{process}/task/{process}/children") as file:
            return list(map(int, file.read().split()))
    except FileNotFoundError:
        return []


if __name__ == "__main__":
    unittest.main()
