"""
The pid file of a daemon that did not end in good order, as after a crash, stays.  After a boot, or
in a container, another process may have the number in it, or this one itself.  twistd takes
that for a daemon which is still running, and refuses to start.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

MAX_PID_FILE_BYTES = 32
"""A pid file that is longer holds something else."""

DAEMON = b"twist"
"""A process that twistd or twist has started has this in the words of its command line."""


def commandLine(pid: int) -> list[bytes] | None:
    """
    @return: the words with which a process was started, none for one of the kernel; L{None} where
        the system does not tell.
    """
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as words:
            return words.read().split(b"\0")
    except OSError:
        return None


def removeForeignPidFile(path: str, wordsOf: Callable[[int], list[bytes] | None] = commandLine) -> int | None:
    """
    Remove a pid file if the process that has the number in it is surely not the daemon that has
    written it.

    @param path: the pid file; there need not be any.
    @param wordsOf: tells the words with which a process was started.
    @return: the number, if the file was removed.
    """
    with suppress(OSError, ValueError):
        with open(path, "rb") as pidFile:
            text = pidFile.read(MAX_PID_FILE_BYTES + 1)
        pid = int(text)
        if len(text) > MAX_PID_FILE_BYTES:
            return None
        if pid == os.getpid() or _isForeign(wordsOf(pid)):
            os.unlink(path)
            return pid
    return None


def _isForeign(words: list[bytes] | None) -> bool:
    return words is not None and not any(DAEMON in word for word in words)
