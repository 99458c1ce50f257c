"""
Files that are written whole or not at all: new ones, several together or none, and such as
take the place of others.  Nothing here knows what is in them.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from uotp.errors import ConfigurationError
from uotp.tls import openAtOnce

KEY_MODE = 0o600
CERTIFICATE_MODE = 0o644
DIRECTORY_MODE = 0o700

OTHERS = 0o007
"""What users may who are neither the owner of a file nor of its group."""

MOST_BYTES = 8 << 20
"""The most bytes of a file of ours: a revocation list has 40 for each certificate."""

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
"""How a new file is opened: nothing that is there is followed or overwritten."""


@dataclass(frozen=True, slots=True, repr=False)
class Content:
    """
    Holds what a file is to hold.

    @ivar data: all of it.
    @ivar isSecret: whether nobody but its owner may read it, not for an instant.
    """

    data: bytes
    isSecret: bool = False

    @property
    def mode(self) -> int:
        """
        The permissions of the new file.
        """
        return KEY_MODE if self.isSecret else CERTIFICATE_MODE


def writeNew(directory: str, contents: Mapping[str, Content]) -> None:
    """
    Write files that are not there yet: all of them or none.  Directories that are missing are
    made for their owner alone.

    @param directory: where they are, for errors.
    @param contents: what each file is to hold, by its path.
    @raise ConfigurationError: when one is there already, or cannot be written.
    """
    present = [nameIn(directory, path) for path in contents if os.path.lexists(path)]
    if present:
        reason = f"{directory} holds {', '.join(present)} already: nothing was written, choose another directory"
        raise ConfigurationError(reason)
    made: list[str] = []
    try:
        for path, content in contents.items():
            _makeDirectories(os.path.dirname(path), made)
            descriptor = os.open(path, NEW_FILE, content.mode)
            made.append(path)
            with open(descriptor, "wb") as file:
                file.write(content.data)
    except BaseException as error:
        _remove(made)
        if isinstance(error, OSError):
            raise _cannotWrite(error, made[-1] if made else directory) from error
        raise


def replaceFiles(contents: Mapping[str, Content]) -> None:
    """
    Let files take the place of others, or of none: all of them or none, and each at once, so that
    whoever reads one reads the old or the new.  Between the first and the last of them is as
    little time as there can be.  A link stays, and what it leads to is replaced.  A file keeps
    its owner and its group.

    @param contents: what each file is to hold, by its path, in the order in which they are replaced.
    @raise ConfigurationError: when one cannot be written.  All are as they were then.
    """
    before: dict[str, Content | None] = {}
    waiting: dict[str, str] = {}
    replaced: list[str] = []
    made: list[str] = []
    try:
        for given, content in contents.items():
            path = os.path.realpath(given)
            _makeDirectories(os.path.dirname(path), made)
            before[path] = _present(path, content)
            waiting[path] = _writeBeside(path, content)
        for path, new in waiting.items():
            os.replace(new, path)
            replaced.append(path)
        for directory in {os.path.dirname(path) for path in replaced}:
            _syncDirectory(directory)
    except BaseException as error:
        _remove([new for path, new in waiting.items() if path not in replaced])
        _putBack({path: before[path] for path in replaced})
        _remove(made)
        if isinstance(error, OSError):
            raise _cannotWrite(error, next(iter(contents))) from error
        raise


def readSmall(path: str, most: int = MOST_BYTES) -> bytes | None:
    """
    Read a file that somebody may have put anything in the place of.

    @param most: the most bytes that such a file has.
    @return: what it holds; L{None} when there is none.
    @raise ConfigurationError: when it cannot be read, is no regular file or is too large.
    """
    try:
        with open(path, "rb", opener=openAtOnce) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                reason = f"{path} is no regular file"
                raise ConfigurationError(reason)
            data = file.read(most + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = f"cannot read {path}: {error.strerror}"
        raise ConfigurationError(reason) from error
    if len(data) > most:
        reason = f"{path} is far too large"
        raise ConfigurationError(reason)
    return data


def nameIn(directory: str, path: str) -> str:
    """
    @return: what a file is called, as seen from a directory; all of its path if it is not below.
    """
    return os.path.relpath(path, directory) if path.startswith(os.path.join(directory, "")) else path


def _cannotWrite(error: OSError, otherwise: str) -> ConfigurationError:
    return ConfigurationError(f"cannot write {error.filename or otherwise}: {error.strerror}")


def _present(path: str, new: Content) -> Content | None:
    """
    @return: what a file holds that is to be replaced.
    """
    data = readSmall(path)
    return None if data is None else Content(data, new.isSecret)


def _writeBeside(path: str, content: Content) -> str:
    """
    Write a file that is to take the place of another one, whole and to the disk.

    @return: its path.
    """
    new = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):  # of a process before us that was killed
        os.unlink(new)
    descriptor = os.open(new, NEW_FILE, content.mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(content.data)
            file.flush()
            _takeOwner(file.fileno(), path, content)
            os.fsync(file.fileno())
    except BaseException as error:
        _remove([new])
        if isinstance(error, OSError) and error.filename is None:
            error.filename = path
        raise
    return new


def _takeOwner(descriptor: int, path: str, content: Content) -> None:
    """
    Give a file the owner, the group and the permissions of the one that it will replace: a program
    that could read that one has to be able to read this one.  No secret is opened to all.

    @raise OSError: when we may not.
    """
    if os.name != "posix" or not os.path.exists(path):
        return
    old, new = os.stat(path), os.fstat(descriptor)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & ~(OTHERS if content.isSecret else 0))


def _putBack(before: Mapping[str, Content | None]) -> None:
    """
    Make files what they were, as far as that can be done.
    """
    for path, content in before.items():
        with contextlib.suppress(OSError):
            if content is None:
                os.unlink(path)
            else:
                os.replace(_writeBeside(path, content), path)


def _syncDirectory(directory: str) -> None:
    """
    Force the new name of a file to the disk, where the system can do so.
    """
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _makeDirectories(directory: str, made: list[str]) -> None:
    """
    Make a directory and what is missing above it, and note what was made.
    """
    missing = []
    while not os.path.lexists(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    for path in reversed(missing):
        os.mkdir(path, DIRECTORY_MODE)
        made.append(path)


def _remove(made: list[str]) -> None:
    """
    Take away what was made, newest first, as far as that can be done.
    """
    for path in reversed(made):
        with contextlib.suppress(OSError):
            if os.path.isdir(path):
                os.rmdir(path)
            else:
                os.remove(path)
