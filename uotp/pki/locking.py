"""
A lock on a directory: of all commands that change it, one works at a time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from uotp.errors import ConfigurationError

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]  # elsewhere it is a module

LOCK_FILE = ".lock"
LOCK_FILE_MODE = 0o600

LOCK_TRIES = 100
LOCK_PAUSE_SECONDS = 0.1
"""A command that changes a directory works for a fraction of a second; after ten, something is wrong."""


@contextmanager
def lockedDirectory(directory: str, pause: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """
    Let nobody else who does so change a directory meanwhile.  The lock ends with the process.

    @param pause: waits for some seconds.
    @raise ConfigurationError: when it cannot be had.
    """
    path = os.path.join(directory, LOCK_FILE)
    descriptor = _lock(path)
    for _ in range(LOCK_TRIES):
        if descriptor is not None:
            break
        pause(LOCK_PAUSE_SECONDS)
        descriptor = _lock(path)
    if descriptor is None:
        reason = f"another command has been changing {directory} for {LOCK_TRIES * LOCK_PAUSE_SECONDS:g} s: try again"
        raise ConfigurationError(reason)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(path: str) -> int | None:
    """
    @return: a descriptor that holds the lock, L{None} if somebody else has it.
    @raise ConfigurationError: when it cannot be had.
    """
    try:
        if fcntl is None:  # there, a file is the lock for as long as it is open
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_TEMPORARY", 0), LOCK_FILE_MODE)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, LOCK_FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(descriptor)
            raise
    except (BlockingIOError, FileExistsError):
        return None
    except OSError as error:
        reason = f"cannot write {path}: {error.strerror}"
        raise ConfigurationError(reason) from error
    return descriptor
