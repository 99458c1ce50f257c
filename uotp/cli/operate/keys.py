"""
What somebody types on a terminal, letter by letter.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Keys(Protocol):
    """
    Is where somebody types.
    """

    def wait(self, seconds: float) -> str:
        """
        @return: what was typed, as soon as it is; nothing after so many seconds.
        """


class TerminalKeys:
    """
    Reads what is typed on a terminal, letter by letter.
    """

    def __init__(self, descriptor: int) -> None:
        """
        @param descriptor: of the terminal.
        """
        self._descriptor = descriptor

    def wait(self, seconds: float) -> str:
        """
        See L{Keys}.
        """
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return ""
        typed = os.read(self._descriptor, 8)
        return typed.decode("ascii", "replace") if typed else "q"  # a terminal that is gone


class NoKeys:
    """
    Waits where nobody can type.
    """

    def wait(self, seconds: float) -> str:
        """
        See L{Keys}.
        """
        time.sleep(seconds)
        return ""


@contextmanager
def keysOf(descriptor: int) -> Iterator[Keys]:
    """
    Let what is typed come at once and unseen, and the terminal be as before in the end.

    @param descriptor: of standard input.
    """
    if not os.isatty(descriptor):
        yield NoKeys()
        return
    import termios  # noqa: PLC0415 - there is none on Windows
    import tty  # noqa: PLC0415 - as before

    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield TerminalKeys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
