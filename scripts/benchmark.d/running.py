"""A tracer at work in the first node's namespace."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from system import TRACER_CPU, Failed, cpu_ns, run


class Running:
    def __init__(self, tracer, netns, scratch, timeout):
        self.tracer, self.scratch = tracer, pathlib.Path(tempfile.mkdtemp(dir=scratch))
        self.started = time.monotonic()
        self.reader = self.process = self.beside = None
        try:
            self.start(netns)
            self.await_ready(timeout)
            self.ready_s = time.monotonic() - self.started
            if beside := tracer.beside(netns.rsplit("-", 1)[0]):
                self.beside = subprocess.Popen(beside, stdout=subprocess.DEVNULL)
            self.leave_sender_cpu()
            tracer.settle(self)
        except BaseException:
            self.kill()
            raise

    def start(self, netns):
        (self.scratch / "input").write_text(self.tracer.commands)
        with open(self.scratch / "input", "rb") as commands, open(self.scratch / "errors", "wb") as errors, \
                open(self.scratch / "output", "wb") as output:
            if not self.tracer.tells_ready_in_output:
                self.reader = subprocess.Popen(self.tracer.reader, stdin=subprocess.PIPE, stdout=output,
                                               start_new_session=True)
            command = [str(word) for word in self.tracer.command(self.scratch)]
            self.process = subprocess.Popen(["nsenter", f"--net=/run/netns/{netns}", *command], stdin=commands,
                                            stdout=self.reader.stdin if self.reader else output, stderr=errors,
                                            start_new_session=True)
            if self.reader:
                self.reader.stdin.close()

    def await_ready(self, timeout):
        while not self.tracer.is_ready(self):
            if self.process.poll() is not None:
                raise Failed(f"{self.tracer.name} did not start: {self.errors().strip() or self.output().strip()}")
            if time.monotonic() - self.started > timeout:
                raise Failed(f"{self.tracer.name} was not ready in {timeout} s")
            time.sleep(0.005)

    def leave_sender_cpu(self):
        """Only now: a tool on a node starts wherever there is room."""
        for process in filter(None, (self.process, self.reader, self.beside)):
            for thread in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {TRACER_CPU})

    def errors(self):
        return (self.scratch / "errors").read_text(errors="replace")

    def output(self):
        """All of it so far of a tracer that tells there that it is ready; of the others the end, when they have ended."""
        return (self.scratch / "output").read_text(errors="replace")

    def resident_mib(self):
        found = re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())
        return int(found[1]) / 1024 if found else None

    def idle_percent(self, seconds):
        time.sleep(0.2)  # what is left of its start
        before, started = cpu_ns(self.process.pid), time.monotonic()
        time.sleep(seconds)
        return (cpu_ns(self.process.pid) - before) / (time.monotonic() - started) / 1e7

    def programs(self):
        """{program: (hits, nanoseconds)} of the BPF programs that the tracer holds."""
        names = {entry["id"]: entry.get("name", "") for entry in json.loads(run("bpftool", "-j", "prog", "show"))}
        result = {}
        for path in pathlib.Path(f"/proc/{self.process.pid}/fdinfo").iterdir():
            try:
                fields = dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)
            except OSError:
                continue
            if "prog_id" in fields and "run_cnt" in fields:
                name = names.get(int(fields["prog_id"]), "?")
                result[f"{name}/{fields['prog_id']}"] = (int(fields["run_cnt"]), int(fields["run_time_ns"]))
        return result

    def attached(self):
        """Names of the BPF programs that links of the tracer hold in their places."""
        names = {entry["id"]: entry.get("name", "?") for entry in json.loads(run("bpftool", "-j", "prog", "show"))}
        held = set()
        for path in pathlib.Path(f"/proc/{self.process.pid}/fdinfo").iterdir():
            try:
                fields = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
            except OSError:  # it has let go of that one
                continue
            if "link_type" in fields:
                held.add(names.get(int(fields["prog_id"]), "?"))
        return held

    def stop(self):
        """{"events", "lost"} as the tracer tells them, and "stopped_s", how long it took to go."""
        asked = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(self.tracer.stops_by)
            try:
                self.process.wait(timeout=120)
            except subprocess.TimeoutExpired:
                raise Failed(f"{self.tracer.name} did not stop in 120 s") from None
        stopped_s = time.monotonic() - asked
        if self.reader:
            self.reader.wait()
        events, lost = self.tracer.events(self.errors(), self.output())
        return {"events": events, "lost": lost, "stopped_s": stopped_s}

    def kill(self):
        """Never leaves it running."""
        for process in (self.process, self.reader, self.beside):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.scratch, ignore_errors=True)
