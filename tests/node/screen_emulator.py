"""As much of a terminal as the display and a shell need: what is on its screens, and its modes."""

import codecs
import re

# A control sequence, a byte of control, or text.
TOKEN = re.compile(r"\x1b\[([?>]?)([\d;]*)([@-~])|\x1b[^\[]|([\x00-\x1f\x7f])|([^\x00-\x1f\x7f]+)")
UNFINISHED = re.compile(r"\x1b(\[[?>]?[\d;]*)?$")


class ScreenEmulator:
    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.pending = ""
        self.modes = {25: True}
        self.row = self.column = 0
        self.saved = (0, 0)
        self.main, self.alternate = self._blank(), self._blank()
        self.cells = self.main

    def _blank(self):
        return [[" "] * self.columns for _ in range(self.rows)]

    def resize(self, columns, rows):
        """Every screen is cleared, so that what is seen later was drawn later."""
        self.columns, self.rows = columns, rows
        is_alternate = self.cells is self.alternate
        self.main, self.alternate = self._blank(), self._blank()
        self.cells = self.alternate if is_alternate else self.main
        self.row, self.column = min(self.row, rows - 1), min(self.column, columns - 1)

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def feed(self, data):
        text = self.pending + self.decoder.decode(data)
        unfinished = UNFINISHED.search(text)
        self.pending = unfinished[0] if unfinished else ""
        for match in TOKEN.finditer(text, 0, len(text) - len(self.pending)):
            private, numbers, command, control, plain = match.groups()
            if plain:
                for character in plain:
                    self._put(character)
            elif control:
                self._control(control)
            elif command:
                self._command(private, [int(number or 0) for number in numbers.split(";")], command)

    def _put(self, character):
        if self.column == self.columns:  # the line was full: the next character wraps around
            self.column = 0
            self._line_feed()
        self.cells[self.row][self.column] = character
        self.column += 1

    def _line_feed(self):
        if self.row + 1 < self.rows:
            self.row += 1
        else:
            self.cells.append([" "] * self.columns)
            del self.cells[0]

    def _control(self, control):
        if control == "\r":
            self.column = 0
        elif control == "\n":
            self._line_feed()
        elif control == "\b":
            self.column = max(0, min(self.column, self.columns - 1) - 1)

    def _command(self, private, numbers, command):
        if private == "?" and command in "hl":
            for number in numbers:
                self._switch(number, command == "h")
        elif command == "H":
            row, column = (numbers + [1])[:2]
            self.row = min(max(row, 1), self.rows) - 1
            self.column = min(max(column, 1), self.columns) - 1
        elif command == "K":
            # Behind a full line the cursor is still on its last character.
            first = 0 if numbers[0] == 2 else min(self.column, self.columns - 1)
            self.cells[self.row][first:] = [" "] * (self.columns - first)
        elif command == "J":
            self.cells[:] = self._blank()

    def _switch(self, mode, on):
        if mode == 1049 and on and not self.modes.get(1049):
            self.saved = (self.row, self.column)
            self.alternate[:] = self._blank()
            self.cells = self.alternate
        elif mode == 1049 and not on and self.modes.get(1049):
            self.row, self.column = self.saved
            self.cells = self.main
        self.modes[mode] = on
