"""A tool with one filter: how it is started, when it is ready, what it says it has lost."""

import pathlib
import signal


class Tracer:
    kind = None  # dptrace alone has targets: it matches "nothing", "quiet" or "armed", or "all"; "drops" are counted
    stops_by = signal.SIGINT
    tells_ready_in_output = False
    # What reads the output. Only its end is of interest: the summary.
    reader = ("tail", "-c", "4096")
    commands = ""  # standard input

    def __init__(self, name):
        self.name = name

    def program(self):
        return type(self).__name__.lower()

    def command(self, scratch):
        raise NotImplementedError

    def is_ready(self, running):
        raise NotImplementedError

    def beside(self, prefix):
        """A command that runs as long as the tracer does; nothing: none."""

    def settle(self, running):
        """Waits until it costs what is to be measured."""

    def events(self, errors, output):
        """(taken, lost), None for what the tool does not tell."""
        return None, None


class Untraced(Tracer):
    """No tracer at all, measured as the others are: how far from 1.00 a ratio may be by chance."""

    def program(self):
        return "sleep"

    def command(self, scratch):
        return ["sleep", "infinity"]

    def is_ready(self, running):
        return pathlib.Path(f"/proc/{running.process.pid}/comm").read_text().strip() == "sleep"
