"""A Prometheus, from Debian's package, in a network namespace."""

import contextlib
import json
import pathlib
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import yaml

from .commands import TIMEOUT, wait_until
from .netns import network_namespace


class Prometheus:
    """`configuration`: of its file, without the intervals, which are a second."""

    def __init__(self, netns, port, configuration):
        self._netns = netns
        self._port = port
        self._folder = tempfile.TemporaryDirectory(prefix="dptrace-")
        folder = pathlib.Path(self._folder.name)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(
            {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, **configuration}))
        self._log = folder / "log"
        with open(self._log, "w") as log:
            self._process = subprocess.Popen(
                ["ip", "netns", "exec", netns, "prometheus", f"--config.file={folder}/prometheus.yml",
                 f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )

    def _ask(self, path):
        """The data of the answer; ConnectionError while it starts."""
        with network_namespace(self._netns):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/v1/{path}", timeout=TIMEOUT) as answer:
                    return json.loads(answer.read())["data"]
            except urllib.error.HTTPError as error:
                with error:
                    body = error.read().decode()
                if error.code == 503:
                    raise ConnectionError("Prometheus is still starting") from None
                raise AssertionError(f"{path}: {body}") from None

    def query(self, expression):
        """[(labels, value)]"""
        result = self._ask(f"query?{urllib.parse.urlencode({'query': expression})}")["result"]
        return [(each["metric"], float(each["value"][1])) for each in result]

    def targets(self):
        """{job: (health, the last error)}"""
        return {target["labels"]["job"]: (target["health"], target["lastError"])
                for target in self._ask("targets?state=active")["activeTargets"]}

    def wait_for(self, answer, what):
        """answer()'s first true value."""

        def answered():
            assert self._process.poll() is None, self._log.read_text()
            with contextlib.suppress(OSError):  # not yet
                return answer()

        return wait_until(answered, what)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()
