"""
What is wrong with a configuration file, and where.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from twisted.python import usage

MOST_FAULTS = 20
"""So many faults of a file are told.  Whoever has mended these looks again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """
    Says what is wrong with a file.

    @ivar reason: in words.
    @ivar line: where, counted from 1; L{None} where it is not one line.
    """

    reason: str
    line: int | None = None

    def told(self, file: str) -> str:
        """
        @return: the file, the line and the reason.
        """
        return f"{file}: {self.reason}" if self.line is None else f"{file}:{self.line}: {self.reason}"


class FaultsError(usage.UsageError):
    """
    Tells all that is wrong with a file.

    @ivar faults: in the order of their lines.
    @ivar lines: a line for each fault.
    """

    def __init__(self, file: str, faults: Iterable[Fault]) -> None:
        """
        @param file: its name.
        """
        self.faults = found = sorted(faults, key=lambda fault: fault.line or 0)
        self.lines = [fault.told(file) for fault in found[:MOST_FAULTS]]
        if len(found) > MOST_FAULTS:
            self.lines.append(f"{file}: and {len(found) - MOST_FAULTS} faults more")
        super().__init__("; ".join(self.lines))
