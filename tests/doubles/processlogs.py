"""
The log of a process that is not begun.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uotp.telemetry import LogFormat


class RecordingProcessLog:
    """
    Writes down what it is told.

    @ivar journal: C{"begin"}, C{"absorb"}, C{"reopen"} and C{"flush"} in order.
    @ivar files: those that are logged to.
    @ivar first: logs what is said first.
    """

    def __init__(
        self, publisher: Any = None, clock: Callable[[], float] | None = None, form: LogFormat = LogFormat.TEXT
    ) -> None:
        self.publisher = publisher
        self.form = form
        self.clock = clock
        self.journal: list[str] = []
        self.files: list[Any] = []

    def logTo(self, logFile: Any) -> None:
        """
        Remember a file.
        """
        self.files.append(logFile)

    def precede(self, say: Callable[[], None]) -> None:
        """
        Remember what is said first.
        """
        self.first = say

    def begin(self) -> None:
        """
        Threads may be started.
        """
        self.journal.append("begin")

    def absorb(self) -> None:
        """
        All observers are there.
        """
        self.journal.append("absorb")

    def flush(self) -> None:
        """
        All has to be written.
        """
        self.journal.append("flush")

    def reopen(self) -> None:
        """
        Files are to be opened again.
        """
        self.journal.append("reopen")
