"""
A small file that a program keeps between its runs: read whole and bounded, replaced whole.
Nobody but its owner may read it.
"""

from __future__ import annotations

import os
from contextlib import suppress

STATE_FILE_MODE = 0o600
STATE_DIRECTORY_MODE = 0o700

FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
"""How a new file is opened: no link that somebody has put there is followed."""


class StateDirectory:
    """
    Holds a directory open, so that its files can be replaced also after the program has changed
    its root directory.  Where the system has no such thing, paths are used.
    """

    def __init__(self, path: str) -> None:
        """
        @param path: made if it is missing.
        @raise OSError: when it cannot be had.
        """
        os.makedirs(path, STATE_DIRECTORY_MODE, exist_ok=True)
        self._path = path
        self._descriptor: int | None = None
        if os.open in os.supports_dir_fd and hasattr(os, "O_DIRECTORY"):
            self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def _name(self, name: str) -> str:
        return name if self._descriptor is not None else os.path.join(self._path, name)

    def read(self, name: str, most: int) -> bytes | None:
        """
        @param most: how many bytes are read at the most.
        @return: the beginning of a file; L{None} when there is none.
        @raise OSError: when it cannot be read.
        """
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            descriptor = os.open(self._name(name), flags, dir_fd=self._descriptor)
        except FileNotFoundError:
            return None
        with open(descriptor, "rb") as file:
            return file.read(most)

    def replace(self, name: str, content: bytes) -> None:
        """
        Write a file whole, or leave it as it was.  It is not forced to the disk, which may take
        long: whoever reads it bears a file that a power failure has spoiled.

        @raise OSError: when it cannot be written.
        """
        new = self._name(f".{name}.{os.getpid()}")
        with suppress(FileNotFoundError):  # of a process before us that was killed
            os.unlink(new, dir_fd=self._descriptor)
        descriptor = os.open(new, FLAGS, STATE_FILE_MODE, dir_fd=self._descriptor)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
            os.replace(new, self._name(name), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except OSError:
            with suppress(OSError):
                os.unlink(new, dir_fd=self._descriptor)
            raise

    def close(self) -> None:
        """
        Let the directory go.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
