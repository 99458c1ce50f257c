"""
Files of the log: those that C{--logfile} names, and standard error.  Nothing is kept back in
buffers, so that what could not be written is known, and no lock is held while a write waits.
"""

from __future__ import annotations

import os
import select
import stat
import threading
from contextlib import suppress
from typing import Any

NEW_FILE_MODE = 0o666
"""The permissions of a new file, of which the user's mask takes some away."""

SAYING_SECONDS = 0.5
"""A program that cannot go on waits so long for somebody to take its last words."""


class DescriptorStream:
    """
    Writes text to a descriptor, all of it or with an error.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._isBroken = False  # whether a line was begun and not ended

    def write(self, text: str) -> None:
        """
        Write a text.  It begins on a line of its own, also where one could not be ended before.

        @raise OSError: when not all of it can be written.
        """
        data = text.encode("utf-8", "backslashreplace")
        left = memoryview(b"\n" + data if self._isBroken else data)
        while left:
            try:
                written = os.write(self._descriptor, left)
            except BlockingIOError:  # somebody who shares it has made it so
                select.select([], [self._descriptor], [])
                continue
            left = left[written:]
            self._isBroken = left.nbytes > 0

    def flush(self) -> None:
        """
        Do nothing: nothing is kept back.
        """


class LogFile(DescriptorStream):
    """
    Is a file that grows until somebody moves it away and has it opened again, as logrotate does.

    @ivar path: its name.
    """

    def __init__(self, path: str) -> None:
        """
        @raise OSError: when it cannot be written.
        """
        self.path = path
        super().__init__(opened(path))

    def reopen(self) -> None:
        """
        Go on in a file of the same name, where somebody has moved the old one away.  The same may read it.

        @raise OSError: when it cannot be written; then the old one stays in use.
        """
        before = self._descriptor
        self._descriptor = opened(self.path, modeOf(before))
        os.close(before)
        self._isBroken = False

    def close(self) -> None:
        """
        Write no more.
        """
        os.close(self._descriptor)


def opened(path: str, mode: int | None = None) -> int:
    """
    Open a file to write at its end.  A named pipe is opened for reading too, so that we do not
    wait here for somebody who reads it.

    @param mode: the permissions that a new file gets whatever the mask is; it may have become another one, as when
        twistd goes into the background.  L{None} for the usual ones.
    @return: the descriptor.
    @raise OSError: when it cannot be written.
    """
    isPipe = isNew = False
    try:
        isPipe = stat.S_ISFIFO(os.stat(path).st_mode)
    except FileNotFoundError:
        isNew = True
    flags = os.O_RDWR if isPipe else os.O_WRONLY | os.O_APPEND | os.O_CREAT
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), NEW_FILE_MODE if mode is None else mode)
    if isNew and mode is not None and os.name == "posix":
        with suppress(OSError):  # a file system without permissions
            os.fchmod(descriptor, mode)
    return descriptor


def modeOf(file: str | int) -> int | None:
    """
    @param file: a log file that is there, or its descriptor.
    @return: who may read and write it; L{None} where that cannot be told.
    """
    try:
        found = os.stat(file).st_mode
    except OSError:
        return None
    return found & NEW_FILE_MODE if stat.S_ISREG(found) else None


def requireWritable(path: str, mode: int | None) -> None:
    """
    @param mode: see L{opened}.
    @raise OSError: when a file cannot be opened to write at its end; where there is none, it is made.
    """
    os.close(opened(path, mode))


def unbuffered(stream: Any) -> Any:
    """
    @param stream: standard error.
    @return: what writes to the same descriptor, or the stream itself where there is none.
    """
    descriptor = descriptorOf(stream)
    return stream if descriptor is None or os.name != "posix" else DescriptorStream(descriptor)


def descriptorOf(stream: Any) -> int | None:
    """
    @return: where a stream writes to, or L{None} where that is no file.
    """
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    return descriptor if isinstance(descriptor, int) and descriptor >= 0 else None


def sayLast(stream: Any, text: str) -> None:
    """
    Say why the program ends, and do not wait for ever for somebody to take it.

    @param stream: standard error; L{None} where it is closed.
    """
    descriptor = descriptorOf(stream)
    if descriptor is None or os.name != "posix":
        if stream is not None:
            stream.write(text)
        return
    writer = threading.Thread(target=_write, args=(descriptor, text), name="last words", daemon=True)
    writer.start()
    writer.join(SAYING_SECONDS)


def _write(descriptor: int, text: str) -> None:
    with suppress(OSError):
        DescriptorStream(descriptor).write(text)
