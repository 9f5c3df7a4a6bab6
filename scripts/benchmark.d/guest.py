"""The same in a guest of scripts/vm, with copies of the programs where it sees them."""

import pathlib
import shutil
import subprocess

from system import ROOT


def in_guest(options):
    command = [ROOT / "scripts" / "vm", "run", "--icount", "--timeout", "3600", "--share", options.scratch, options.vm,
               "--", "scripts/benchmark", "--dptrace", options.dptrace, "--sender", options.sender,
               "--workload", ",".join(options.workloads), "--rounds", options.rounds, "--packets", options.packets,
               "--flows", options.flows, "--rate", options.rate, "--pods", options.pods, "--veths", options.veths,
               "--tracers", options.tracers, "--json", "/results/json"]
    command += ["--compare", options.compare] if options.compare else []
    command += ["--programs"] * options.programs + ["--check"] * options.check + ["--verbose"] * options.verbose
    process = subprocess.Popen([str(word) for word in command], cwd=ROOT)
    try:
        status = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    written = pathlib.Path(options.scratch) / "json"
    if options.json and written.exists():
        shutil.copyfile(written, options.json)
    return status
