"""
How far something is, told on a terminal or into a file.  It knows nothing of
what is going on.
"""

from __future__ import annotations

from typing import TextIO

ERASE_LINE = "\r\x1b[K"
"""To the start of a terminal's line, and take away what stands there."""


class Progress:
    """
    Tells how far we are: in one line that is drawn again on a terminal, in a
    few that stay otherwise.
    """

    def __init__(self, out: TextIO) -> None:
        """
        @param out: where to.
        """
        self._out = out
        self._redraws = out.isatty()

    def say(self, line: str) -> None:
        """
        Print a line that stays.
        """
        self._out.write(f"{ERASE_LINE}{line}\n" if self._redraws else f"{line}\n")
        self._out.flush()

    def show(self, line: str) -> None:
        """
        Draw the line of what is going on.
        """
        if self._redraws:
            self._out.write(f"{ERASE_LINE}{line}")
            self._out.flush()

    def clear(self) -> None:
        """
        Take the line away that is drawn again.
        """
        if self._redraws:
            self._out.write(ERASE_LINE)
            self._out.flush()
