"""A process on a pseudo-terminal, and what a person would see there."""

import errno
import fcntl
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import termios

from screen_emulator import ScreenEmulator
from support import wait_until


class PseudoTerminal:
    """Runs `command` as the foreground job of a terminal of its own; interprets what it writes."""

    def __init__(self, *command, columns=80, rows=24, **environment):
        self.master, self.slave = pty.openpty()
        self.screen = ScreenEmulator(columns, rows)
        self.bytes = b""
        self.resize(columns, rows)
        self.before = self.settings()
        self.process = subprocess.Popen(
            command, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            preexec_fn=self._become_terminal, env={"PATH": os.environ["PATH"], **{"TERM": "xterm", **environment}},
        )

    def _become_terminal(self):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # A background job of a script, as these tests may be, ignores what the keyboard sends.
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.close()

    def close(self):
        """What happens when the terminal's window is closed."""
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)
        self.master = self.slave = -1

    def settings(self):
        return termios.tcgetattr(self.slave)

    def wipe(self):
        """What is seen later was drawn later."""
        self.read()
        self.screen.resize(self.screen.columns, self.screen.rows)

    def resize(self, columns, rows):
        self.read()
        self.screen.resize(columns, rows)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.master, keys.encode())

    def read(self):
        """Takes what has been written since."""
        while select.select([self.master], [], [], 0)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError as error:
                if error.errno == errno.EIO:
                    return
                raise
            self.bytes += data
            self.screen.feed(data)

    def lines(self):
        self.read()
        return self.screen.lines()

    def text(self):
        return "\n".join(self.lines())

    def wait_for(self, *texts):
        wait_until(lambda: all(text in self.text() for text in texts), lambda: f"{texts} in\n{self.text()}")

    def wait(self):
        """The exit status, below 0 a signal's number."""
        def ended():
            self.read()  # a full terminal would hold it up
            return self.process.poll() is not None

        wait_until(ended, "the end of the process")
        self.read()
        return self.process.returncode

    def is_alternate(self):
        self.read()
        return self.screen.modes.get(1049, False)

    def has_cursor(self):
        self.read()
        return self.screen.modes[25]

    def is_restored(self):
        return self.settings() == self.before and not self.is_alternate() and self.has_cursor()

    def state(self):
        return f"alternate {self.is_alternate()}, cursor {self.has_cursor()}, {self.settings()}\n{self.text()}"
