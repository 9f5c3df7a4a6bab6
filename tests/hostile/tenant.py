"""An unprivileged user in namespaces of its own, as any process of a container can be."""

import contextlib
import os
import subprocess

import support

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "unshare", "--user", "--map-root-user", "--net"]


class Tenant:
    """Runs shell commands in the namespaces until it is closed."""

    def __init__(self):
        self._shell = subprocess.Popen([*NOBODY, "sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, cwd="/")
        try:
            self.run(b"ip link set lo up")
        except AssertionError:
            self.close()
            raise

    @property
    def pid(self):
        return self._shell.pid

    @property
    def netns(self):
        """The inode number of its network namespace, as dptrace's JSON tells it."""
        return str(os.stat(f"/proc/{self.pid}/ns/net").st_ino)

    def run(self, commands):
        """Bytes: what a tenant names need not be text."""
        self._shell.stdin.write(b"set -e; " + commands + b"\necho; echo done\n")
        self._shell.stdin.flush()
        said = b""
        for line in self._shell.stdout:
            if line == b"done\n":
                return said
            said += line
        raise AssertionError(f"{commands}: {said.decode(errors='replace')}")

    def close(self):
        self._shell.stdin.close()
        try:
            self._shell.wait(support.TIMEOUT)
        except subprocess.TimeoutExpired:
            self._shell.kill()
            self._shell.wait()
        self._shell.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self.close()
