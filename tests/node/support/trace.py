"""A running dptrace."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import unittest

from .commands import DPTRACE, TIMEOUT, run, wait_until
from .nodes import topology
from .packets import describe, matches


class Trace:
    """A running `dptrace -o json`, its packets as they come."""

    RECORDS = "packet"
    _alive = set()
    _missed_by_ended = 0
    _shared = None

    def __init__(self, *arguments, netns=None, prefix=()):
        """`prefix`: a command that becomes dptrace."""
        Trace.end_shared()
        self.started_with = arguments, netns
        self.packets = []
        self.summary = None
        self.stray_lines = []
        self._missed = 0
        self._changed = threading.Condition()
        self._folder = tempfile.TemporaryDirectory(prefix="dptrace-")
        ready = os.path.join(self._folder.name, "ready")
        self._stderr = open(os.path.join(self._folder.name, "stderr"), "w+")
        self.process = subprocess.Popen(  # "ip netns exec" becomes dptrace: one process id
            ["ip", "netns", "exec", netns or topology().n1, *prefix, DPTRACE, *arguments, "-o", "json", "--ready-file", ready],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._stderr, text=True,
        )
        Trace._alive.add(self)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            wait_until(lambda: os.path.exists(ready) or self.process.poll() is not None, "dptrace's ready file")
            if not os.path.exists(ready):
                raise AssertionError(f"dptrace ended with {self.process.returncode}:\n{self.stderr()}")
        except AssertionError:
            self.__exit__()
            raise

    @classmethod
    def shared(cls, *arguments, netns=None):
        """One for all cases of a module that need nothing of it but that it runs: a start and an end take a guest 12 s.

        It has no packets of the case before, and ends when another is started, or with the module.
        """
        shared = Trace._shared
        if shared and shared.started_with == (arguments, netns) and shared.process.poll() is None:
            with shared._changed:
                shared.packets.clear()
            return shared
        shared = cls(*arguments, netns=netns)
        Trace._shared = shared
        unittest.addModuleCleanup(Trace.end_shared)
        return shared

    @staticmethod
    def end_shared():
        shared, Trace._shared = Trace._shared, None
        if shared:
            with shared:
                shared.stop()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                try:
                    record = json.loads(line)
                except ValueError:
                    self.stray_lines.append(line)
                    continue
                if record.get("type") == self.RECORDS:
                    self.packets.append(record)
                elif record.get("type") == "summary":
                    self.summary = record
                else:
                    self.stray_lines.append(line)
                self._changed.notify_all()

    def stderr(self):
        """What it has said so far; also after the end."""
        if not self._stderr.closed:
            self._said = pathlib.Path(self._stderr.name).read_text()
        return self._said

    def found(self, **wanted):
        with self._changed:
            return [packet for packet in self.packets if matches(packet, **wanted)]

    def wait_for(self, count, **wanted):
        """The first packets of that flow (see matches), once there are as many."""

        def enough():
            packets = self.found(**wanted)
            if len(packets) >= count:
                return packets
            if self.process.poll() is not None:
                self._reader.join(TIMEOUT)
                packets = self.found(**wanted)
                if len(packets) >= count:
                    return packets
                raise AssertionError(f"dptrace ended with {self.process.returncode} before it was seen: {self.state()}")
            return None

        return wait_until(enough, lambda: f"{count} of {wanted} ({self.state()})")

    def packet(self, **wanted):
        return self.wait_for(1, **wanted)[0]

    def state(self):
        with self._changed:
            shown = "\n".join(describe(packet) for packet in self.packets[-20:])
        return f"dptrace printed {len(self.packets)} packets, the last:\n{shown}\nand said:\n{self.stderr()}"

    def wait_end(self):
        """Until it ends by itself; returns the exit status."""
        try:
            status = self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"dptrace does not end; {self.state()}") from None
        self._reader.join(TIMEOUT)
        return status

    def stop(self, signal_number=signal.SIGINT):
        """Ends it in order; returns the summary."""
        if self.process.poll() is None:
            self.missed()
            self.process.send_signal(signal_number)
        status = self.wait_end()
        if status or self.summary is None:
            raise AssertionError(f"dptrace ended with {status}, summary {self.summary}; {self.state()}")
        return self.summary

    def kill(self):
        """As by "kill -9"."""
        self.process.kill()
        self.process.wait()
        self._reader.join(TIMEOUT)

    def _programs_info(self):
        for entry in pathlib.Path(f"/proc/{self.process.pid}/fdinfo").iterdir():
            with contextlib.suppress(OSError):
                info = entry.read_text()
                if program := re.search(r"^prog_id:\s*(\d+)$", info, re.M):
                    yield int(program[1]), info

    def programs(self):
        """The BPF programs that it holds, by id."""
        return {program for program, _ in self._programs_info()}

    def missed(self):
        """How often the kernel kept a hit from its programs, as it does when an interrupt or a preemption came amid one."""
        with contextlib.suppress(OSError):  # it has ended
            misses = {}
            for program, info in self._programs_info():  # of links, too, which have no count
                if count := re.search(r"^recursion_misses:\s*(\d+)$", info, re.M):
                    misses[program] = int(count[1])
            self._missed = max(self._missed, sum(misses.values()))
        for said in re.findall(r"(\d+) events missed so far", self.stderr()):
            self._missed = max(self._missed, int(said))
        return self._missed

    @classmethod
    def missed_by_all(cls):
        """By those that have ended, too."""
        return cls._missed_by_ended + sum(trace.missed() for trace in cls._alive)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.missed()
        if self.process.poll() is None:
            self.kill()
        self.stderr()
        Trace._missed_by_ended += self.missed()
        Trace._alive.discard(self)
        self.process.stdout.close()
        self._stderr.close()
        self._folder.cleanup()


def dptrace(*arguments, netns=None, check=False, **options):
    """A command that ends by itself."""
    prefix = ("ip", "netns", "exec", netns) if netns else ()
    return run(*prefix, DPTRACE, *arguments, check=check, timeout=TIMEOUT, **options)
