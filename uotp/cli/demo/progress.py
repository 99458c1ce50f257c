"""
Lines that tell how far something is, on a terminal or in a file.  Nothing here knows what
that is.
"""

from __future__ import annotations

from typing import TextIO

ERASE_LINE = "\r\x1b[K"
"""Goes to the start of a terminal's line and clears it."""


class Progress:
    """
    Tells how far we are.  On a terminal that is one line which is drawn again and again,
    elsewhere a few lines that stay.
    """

    def __init__(self, out: TextIO) -> None:
        """
        @param out: where the lines go.
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
        Clear the line that is drawn again.
        """
        if self._redraws:
            self._out.write(ERASE_LINE)
            self._out.flush()
