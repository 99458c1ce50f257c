"""
Standard output that is closed early, or is full: a command ends then without a traceback.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from uotp.telemetry import sayLast

CLOSED_EXIT_STATUS = 141
"""The exit status when whoever reads has seen enough: as that of a program that SIGPIPE ends, 128 + 13."""

FULL_EXIT_STATUS = 1
"""The exit status when standard output takes no more for another reason."""


class OutputError(Exception):
    """
    Standard output takes no more.  It is no C{OSError}, so that nobody takes it for one of a file or a socket.

    @ivar isClosed: whether nobody reads any more.
    """

    def __init__(self, error: OSError) -> None:
        """
        @param error: why not.
        """
        super().__init__(error.strerror or str(error))
        self.isClosed = isinstance(error, BrokenPipeError)


class CheckedOutput:
    """
    Is standard output, and tells apart what goes wrong with it.

    @ivar error: what went wrong first.
    """

    def __init__(self, stream: Any) -> None:
        """
        @param stream: where it goes; L{None} where it is closed.
        """
        self._stream = stream
        self.error: OutputError | None = None

    def write(self, text: str) -> int:
        """
        Write some text.

        @return: how many letters it has.
        @raise OutputError: when nothing can be written any more.
        """
        self._do("write", text)
        return len(text)

    def flush(self) -> None:
        """
        Write what waits.

        @raise OutputError: when nothing can be written any more.
        """
        if self._stream is not None:
            self._do("flush")

    def isatty(self) -> bool:
        """
        @return: whether somebody may look at it.
        """
        return self._stream is not None and bool(self._stream.isatty())

    def giveUp(self) -> None:
        """
        Let what waits go nowhere: Python would try it again at its end, and complain.
        """
        with suppress(AttributeError, OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def _do(self, what: str, *arguments: str) -> None:
        if self.error is None:
            try:
                if self._stream is None:
                    raise OSError(errno.EBADF, "it is closed")  # noqa: TRY301 - told as those of the system
                getattr(self._stream, what)(*arguments)
            except OSError as error:
                self.error = OutputError(error)
        if self.error is not None:
            raise self.error

    def __getattr__(self, name: str) -> Any:
        """
        @return: what it has besides, as its encoding.
        """
        return getattr(self._stream, name)


@contextmanager
def checkedOutput(commandName: str) -> Iterator[None]:
    """
    Write on standard output.  Whatever happens, what was written is out at the end.

    @param commandName: the name of the command, for errors.
    @raise SystemExit: when standard output takes no more.
    """
    before: Any = sys.stdout
    output: Any = CheckedOutput(before)
    sys.stdout = output
    try:
        try:
            yield
        finally:
            output.flush()
            if output.error is not None:  # somebody has gone on without
                raise output.error
    except OutputError as error:
        output.giveUp()
        if error.isClosed:
            raise SystemExit(CLOSED_EXIT_STATUS) from None
        sayLast(sys.stderr, f"{commandName}: nothing can be written to standard output: {error}\n")
        raise SystemExit(FULL_EXIT_STATUS) from None
    finally:
        sys.stdout = before
