"""
What a worker writes to its standard output and error: the traceback of a crash, or what some
library says.  It goes to the log, line by line.
"""

from __future__ import annotations

from twisted.logger import LogLevel

from uotp.telemetry import LineBudget, Logger, logCounted

MOST_LINE_BYTES = 1000
"""A longer line is cut into lines of so many bytes."""

MOST_LINES = 256
"""So many lines of one worker are logged in ten minutes, which is some tracebacks."""


class WrittenLines:
    """
    Logs what a worker writes.
    """

    _log = Logger()

    def __init__(self, number: int, budget: LineBudget) -> None:
        """
        @param number: which worker it is.
        @param budget: how many of its lines may be logged.
        """
        self._number = number
        self._budget = budget
        self._rest = b""

    def received(self, data: bytes) -> None:
        """
        It has written something.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._say(line)
        while len(self._rest) > MOST_LINE_BYTES:
            line, self._rest = self._rest[:MOST_LINE_BYTES], self._rest[MOST_LINE_BYTES:]
            self._say(line)

    def end(self) -> None:
        """
        It writes nothing more.
        """
        line, self._rest = self._rest, b""
        self._say(line)

    def _say(self, line: bytes) -> None:
        for start in range(0, len(line), MOST_LINE_BYTES):
            text = line[start : start + MOST_LINE_BYTES].decode("utf-8", "replace").rstrip()
            if text:
                text = "".join(letter if letter.isprintable() else "?" for letter in text)
                words = "worker {worker}: {text}"
                logCounted(self._log, LogLevel.warn, self._budget.spend(), words, worker=self._number, text=text)
