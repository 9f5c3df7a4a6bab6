"""Output that cannot be written, readers that have stopped, signals at any time: dptrace ends in order and says why."""

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import unittest

import support
from support import NodeTest, dptrace, network_namespace, ping, topology

F_SETPIPE_SZ = 1031


def on_full_disk(*arguments):
    """Its exit status and what it says, with a standard output that takes nothing."""
    with open("/dev/full", "w") as full, network_namespace(topology().n1):
        done = subprocess.run([support.DPTRACE, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    return done.returncode, done.stderr


class StoppedReader:
    """A dptrace whose standard output is a small pipe that nobody reads."""

    def __init__(self, *arguments):
        self.read_end, self.write_end = os.pipe()
        fcntl.fcntl(self.write_end, F_SETPIPE_SZ, 4096)
        self.folder = tempfile.TemporaryDirectory(prefix="dptrace-")
        self.ready = os.path.join(self.folder.name, "ready")
        with network_namespace(topology().n1):
            self.process = subprocess.Popen(
                [support.DPTRACE, *arguments, "--ready-file", self.ready],
                stdin=subprocess.DEVNULL, stdout=self.write_end, stderr=subprocess.PIPE, text=True,
            )

    def __enter__(self):
        support.wait_until(lambda: os.path.exists(self.ready), "the ready file")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        for end in (self.read_end, self.write_end):
            os.close(end)
        self.folder.cleanup()

    def is_stuck(self):
        writable = select.poll()
        writable.register(self.write_end, select.POLLOUT)
        return not writable.poll(0)


class FullDisk(NodeTest):
    def test_told_by_every_command(self):
        pod = topology().pod1.ip
        for arguments in (
            ["--help"], ["--version"], ["drops", "--help"], ["completion", "bash"], ["completion", "zsh"],
            ["check"], ["check", "-o", "json"], ["check", "--clean"],
            ["--pod-ip", pod, "--duration", "100ms"], ["--pod-ip", pod, "--duration", "100ms", "-o", "json"],
            ["drops", "--once", "--interval", "100ms"], ["drops", "--once", "--interval", "100ms", "-o", "json"],
        ):
            with self.subTest(arguments):
                status, said = on_full_disk(*arguments)
                self.assertEqual(status, 1, said)
                self.assertIn("standard output: No space left on device", said)

    def test_recording(self):
        status, said = on_full_disk("--pod-ip", topology().pod1.ip, "--duration", "100ms", "-w", "/dev/full")
        self.assertEqual(status, 1, said)
        self.assertIn("/dev/full: No space left on device", said)

    def test_closed_from_the_start(self):
        done = support.run("sh", "-c", 'exec "$0" --version >&-', support.DPTRACE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output: Bad file descriptor", done.stderr)


class Signals(NodeTest):
    def test_while_nobody_reads(self):
        nodes = topology()
        for number in (signal.SIGINT, signal.SIGTERM):
            for format in ("text", "json"):
                with self.subTest(number=number, format=format), StoppedReader(
                    "--pod-ip", nodes.pod1.ip, "-o", format
                ) as stopped:
                    def is_stuck():
                        ping(nodes.pod1, nodes.pod2.ip)
                        return stopped.is_stuck()

                    support.wait_until(is_stuck, "a full pipe")
                    stopped.process.send_signal(number)
                    said = stopped.process.communicate(timeout=support.TIMEOUT)[1]
                    self.assertEqual(stopped.process.returncode, 0, said)
                    self.assertIn("nobody has read standard output", said)
                self.assertEqual(support.traces_left(nodes.n1), [])

    def test_drop_watch_while_nobody_reads(self):
        with StoppedReader("drops", "--all", "-o", "json", "--interval", "50ms") as stopped:
            def is_stuck():
                ping(topology().pod1, topology().pod2.ip)
                return stopped.is_stuck()

            support.wait_until(is_stuck, "a full pipe")
            stopped.process.send_signal(signal.SIGTERM)
            said = stopped.process.communicate(timeout=support.TIMEOUT)[1]
            self.assertEqual(stopped.process.returncode, 0, said)

    def test_while_starting(self):
        """As soon as it has begun to load, wherever it is then."""
        nodes = topology()
        for command in (["--pod-ip", nodes.pod1.ip], ["drops"]):
            for number in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(command=command, number=number), network_namespace(nodes.n1):
                    process = subprocess.Popen(
                        [support.DPTRACE, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
                    )
                    support.wait_until(lambda: takes(process.pid, number), "a process that takes signals")
                    process.send_signal(number)
                    said = process.communicate(timeout=support.TIMEOUT)[1]
                    self.assertEqual(process.returncode, 0, said)
                support.wait_until(lambda: not support.traces_left(nodes.n1), "a clean node")


class Files(NodeTest):
    """Told before anything is attached: even who may attach nothing is told."""

    def refused(self, *options):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            binary = shutil.copy(support.DPTRACE, folder)
            nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]
            done = support.run(*nobody, binary, "--pod-ip", "10.244.1.3", *options, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertNotIn("CAP_", done.stderr)
        return done.stderr

    def test_bad_paths(self):
        self.assertIn("/no/such/file: No such file", self.refused("-w", "/no/such/file"))
        self.assertIn("/no/such/file: No such file", self.refused("--ready-file", "/no/such/file"))
        self.assertIn("/etc/passwd: Permission denied", self.refused("-w", "/etc/passwd"))

    def test_recording_of_a_start_that_fails(self):
        """What was there stays, what was not there is not there."""
        with tempfile.TemporaryDirectory() as folder:
            old, new = os.path.join(folder, "old"), os.path.join(folder, "new")
            with open(old, "w") as file:
                file.write("old")
            for path in (old, new):
                done = dptrace("--pod-ip", "10.244.1.3", "--interface", "nosuch0", "-w", path)
                self.assertEqual(done.returncode, 1, done.stderr)
            self.assertEqual(os.listdir(folder), ["old"])
            with open(old) as file:
                self.assertEqual(file.read(), "old")

    def test_check_is_json_when_it_fails(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            binary = shutil.copy(support.DPTRACE, folder)
            nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]
            done = support.run(*nobody, binary, "check", "-o", "json", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIs(json.loads(done.stdout)["can_run"], False)
        done = dptrace("check", "--clean", "-o", "json", check=True)
        self.assertEqual(json.loads(done.stdout)["type"], "clean")


def takes(pid, number):
    """Has the process a handler for this signal?"""
    with open(f"/proc/{pid}/status") as status:
        caught = next(line.split()[1] for line in status if line.startswith("SigCgt:"))
    return int(caught, 16) >> (number - 1) & 1


if __name__ == "__main__":
    unittest.main()
