"""The display on a terminal: what is seen, what keys do, and that it leaves the terminal as it was."""

import os
import pathlib
import re
import signal
import tempfile
import termios
import unittest

from pseudo_terminal import PseudoTerminal
from support import DPTRACE, wait_until
from test_counters import Netns

SAMPLE = pathlib.Path(DPTRACE).parent / "tests" / "display_sample"


def display(*arguments, **options):
    """Running, and its screen shown."""
    terminal = PseudoTerminal(str(SAMPLE), *arguments, **options)
    terminal.wait_for("table ", "REASON00")
    return terminal


class Endings(unittest.TestCase):
    def check(self, terminal, status):
        self.assertEqual(terminal.wait(), status)
        self.assertIn(b"\x1b[?1049h", terminal.bytes)
        self.assertTrue(terminal.is_restored(), terminal.state())

    def test_quit(self):
        with display() as terminal:
            self.assertTrue(terminal.is_alternate())
            self.assertFalse(terminal.has_cursor())
            self.assertNotEqual(terminal.settings(), terminal.before)
            terminal.type("q")
            self.check(terminal, 0)

    def test_interrupt_from_the_keyboard(self):
        with display() as terminal:
            terminal.type("\x03")
            self.check(terminal, 0)

    def test_signals_that_the_command_takes(self):
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(ending), display() as terminal:
                terminal.process.send_signal(ending)
                self.check(terminal, 0)

    def test_signals_that_it_does_not(self):
        for ending in ("INT", "TERM", "HUP", "QUIT", "USR1", "ALRM", "XCPU", "SEGV", "ABRT", "BUS", "ILL", "FPE"):
            number = signal.Signals[f"SIG{ending}"]
            with self.subTest(ending), display("default-signals") as terminal:
                terminal.process.send_signal(number)
                self.check(terminal, -number)

    def test_quit_from_the_keyboard(self):
        with display() as terminal:
            terminal.type("\x1c")
            self.check(terminal, -signal.SIGQUIT)

    def test_exceptions_and_exit(self):
        for how, status in (("catch", 8), ("throw", -signal.SIGABRT), ("exit", 7)):
            with self.subTest(how), PseudoTerminal(str(SAMPLE), how) as terminal:
                self.check(terminal, status)

    def test_window_is_closed(self):
        terminal = display()
        with terminal:
            terminal.close()
            wait_until(lambda: terminal.process.poll() is not None, "the end of a display that nobody sees")


class Suspension(unittest.TestCase):
    def test_stopped_unseen_and_continued(self):
        with display() as terminal:
            shown = terminal.settings()
            terminal.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED | os.WNOWAIT)
            termios.tcsetattr(terminal.slave, termios.TCSANOW, terminal.before)  # as shells do
            terminal.wipe()
            terminal.process.send_signal(signal.SIGCONT)
            terminal.wait_for("REASON00")
            wait_until(lambda: terminal.settings() == shown, terminal.state)
            self.assertEqual(terminal.bytes.count(b"\x1b[?1049h"), 1)
            terminal.type("q")
            self.assertEqual(terminal.wait(), 0)
            self.assertTrue(terminal.is_restored(), terminal.state())

    def test_job_control(self):
        """With a real shell: Ctrl-Z, back, and the end."""
        with PseudoTerminal("bash", "--norc", "--noediting", "-i", PS1="ready$ ", HISTFILE="") as terminal:
            terminal.wait_for("ready$")
            before = terminal.settings()
            terminal.type(f"{SAMPLE}; echo status $?\n")
            terminal.wait_for("table ", "REASON00")
            for _ in range(2):
                shown = terminal.settings()
                terminal.type("\x1a")
                terminal.wait_for("Stopped")
                wait_until(lambda: terminal.settings() == before, terminal.state)
                self.assertFalse(terminal.is_alternate())
                self.assertTrue(terminal.has_cursor())
                terminal.wipe()
                terminal.type("fg\n")
                terminal.wait_for("table ", "REASON00")
                wait_until(lambda: terminal.settings() == shown, terminal.state)
                self.assertTrue(terminal.is_alternate())
                self.assertFalse(terminal.has_cursor())
            terminal.type("q")
            wait_until(lambda: not terminal.is_alternate() and terminal.settings() == before, terminal.state)
            self.assertTrue(terminal.has_cursor())
            terminal.type("exit\n")
            terminal.wait()


class Picture(unittest.TestCase):
    def test_renews_itself_in_place(self):
        with display() as terminal:
            first = int(re.search(r"table (\d+)", terminal.text())[1])
            wait_until(lambda: int(re.search(r"table (\d+)", terminal.text())[1]) > first + 3, terminal.text)
            self.assertEqual(terminal.bytes.count(b"\x1b[2J"), 1, "wiped out more than once, which flickers")
            self.assertEqual(len(re.findall("table", terminal.text())), 1)

    def test_fits_whatever_the_size(self):
        with display(columns=40, rows=10) as terminal:
            self.check_fits(terminal, 40, 10)
            for columns, rows in ((100, 30), (20, 6), (132, 50)):
                terminal.resize(columns, rows)
                self.check_fits(terminal, columns, rows)

    def check_fits(self, terminal, columns, rows):
        # As wide as the window and no wider; what would be wider would have wrapped around.
        wait_until(lambda: terminal.lines()[-1].startswith("by rate") and terminal.lines()[2] ==
                   ("  REASON00 " + "." * columns)[:columns], terminal.text)
        self.assertEqual([line[2:6] for line in terminal.lines()[:3]], ["tabl", "REAS", "REAS"])
        self.assertEqual(len(terminal.lines()), rows)

    def test_keys(self):
        with display() as terminal:
            terminal.type("\x1b[B")
            terminal.wait_for("> REASON00")
            terminal.type("\x1b[6~")
            terminal.wait_for("> REASON21")
            terminal.type("\x1bOA\r")
            terminal.wait_for("packets of REASON20", "back")
            terminal.type("\x1b")
            terminal.wait_for("> REASON20")
            terminal.type("h")
            terminal.wait_for("sort by:")
            terminal.type("h/son3")
            terminal.wait_for("filter: son3_", "REASON39")
            self.assertNotIn("REASON21", terminal.text())
            terminal.type("q\x7f\r")
            terminal.wait_for('filter "son3"')
            terminal.type("f")
            terminal.wait_for("FROZEN")
            frozen = terminal.lines()[0]
            terminal.type("c")
            terminal.wait_for("by count")
            self.assertEqual(terminal.lines()[0], frozen)
            terminal.type(" ")
            wait_until(lambda: "FROZEN" not in terminal.text() and terminal.lines()[0] != frozen, terminal.text)

    def test_colour_unless_unwanted(self):
        with display() as terminal:
            self.assertIn(b"\x1b[36m", terminal.bytes)
        with display(NO_COLOR="1") as terminal:
            terminal.type("\x1b[B")
            terminal.wait_for("> REASON00")
            self.assertEqual(set(re.findall(rb"\x1b\[[\d;]*m", terminal.bytes)) - {b"\x1b[0m"}, set())


class Drops(unittest.TestCase):
    """The same of `dptrace drops` itself, as root on a terminal."""

    def watch(self, *arguments, **options):
        return PseudoTerminal(DPTRACE, "drops", "--interval", "100ms", *arguments, columns=120, **options)

    def test_shows_tables_and_leaves_the_last_one(self):
        with self.watch() as terminal:
            terminal.wait_for("lost in", "since the watch began", "h: help")
            self.assertTrue(terminal.is_alternate())
            terminal.type("h/nothing has this in it\r")
            terminal.wait_for("sort by", "filter", "has this in it")
            terminal.type("q")
            self.assertEqual(terminal.wait(), 0)
            self.assertTrue(terminal.is_restored(), terminal.state())
            self.assertIn("normal frees (not losses)", terminal.text())
            self.assertNotIn("h: help", terminal.text())

    def test_a_drop_is_opened_into_its_packets(self):
        with Netns() as netns, self.watch(rows=60) as terminal:
            terminal.wait_for("lost in")
            terminal.type(f"/{netns.name}\r")  # others use this machine too
            self.assertGreater(netns.overflow_udp(30), 0)
            terminal.wait_for("UDP", f"counter udp RcvbufErrors, in netns {netns.name}: ")
            self.assertNotIn("UDP 127.0.0.1:", terminal.text())
            terminal.type("\r")
            terminal.wait_for("a second now", f"lo in netns {netns.name}", "UDP 127.0.0.1:", "stack: ",
                              "Enter or Esc: back")
            terminal.process.send_signal(signal.SIGTERM)
            self.assertEqual(terminal.wait(), 0)
            self.assertTrue(terminal.is_restored(), terminal.state())

    def test_endings(self):
        for number, status in ((signal.SIGINT, 0), (signal.SIGHUP, 0), (signal.SIGSEGV, -11), (signal.SIGQUIT, -3)):
            with self.subTest(number), self.watch() as terminal:
                terminal.wait_for("lost in")
                terminal.process.send_signal(number)
                self.assertEqual(terminal.wait(), status)
                self.assertTrue(terminal.is_restored(), terminal.state())

    def test_ends_by_itself(self):
        with self.watch("--duration", "500ms") as terminal:
            self.assertEqual(terminal.wait(), 0)
            self.assertIn(b"\x1b[?1049h", terminal.bytes)
            self.assertTrue(terminal.is_restored(), terminal.state())

    def test_no_line_is_wider_than_the_terminal(self):
        for columns in (80, 120):
            with self.subTest(columns), Netns() as netns, tempfile.TemporaryDirectory() as folder:
                ready = os.path.join(folder, "ready")
                with PseudoTerminal(DPTRACE, "drops", "--once", "--interval", "2s", "--ready-file", ready,
                                    columns=columns) as terminal:
                    wait_until(lambda: os.path.exists(ready), terminal.state)
                    self.assertGreater(netns.overflow_udp(30), 0)
                    self.assertEqual(terminal.wait(), 0)
                lines = re.sub(r"\x1b\[[\d;]*m", "", terminal.bytes.decode()).splitlines()
                self.assertIn("lost in", lines[-1])
                # Warnings are not the table's.
                wide = [line for line in lines if len(line) > columns and not line.startswith("dptrace: ")]
                self.assertEqual(wide, [])

    def test_plain_where_no_screen_is_wanted(self):
        for arguments, options in ((("--once",), {}), (("--duration", "300ms"), {"TERM": "dumb"}),
                                   (("--duration", "300ms", "-o", "json"), {})):
            with self.subTest(arguments), self.watch(*arguments, **options) as terminal:
                self.assertEqual(terminal.wait(), 0)
                self.assertNotIn(b"\x1b[?", terminal.bytes)
                self.assertEqual(terminal.settings(), terminal.before)
