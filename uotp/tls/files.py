"""
Where the files of credentials are: on the disk, or in the memory of a process that was sent what
another one has read.  Nothing here knows what is in them.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Mapping
from typing import Protocol

SIZE_LIMIT = 8 << 20
"""The most bytes of a file.  A system's whole CA bundle has a quarter of a million."""


class CredentialFiles(Protocol):
    """
    Has the files that credentials are made of, by their paths.
    """

    @property
    def isOriginal(self) -> bool:
        """
        Whether these are the files themselves.  Whoever reads them warns of what will be wrong with
        them; whoever has copies says nothing, since somebody else has done so.
        """

    def now(self) -> CredentialFiles:
        """
        @return: the same as they are now, to be read at once: what stands together in one file on the disk is of
            one moment then.
        """

    def onDisk(self, path: str) -> str:
        """
        @return: the file on the disk that holds this one; it may be another one that holds several.
        """

    def read(self, path: str, *, isReadAgain: bool = False) -> bytes:
        """
        @param isReadAgain: whether this is not the only time: what is no regular file, as a pipe, has nothing more
            to say then, or lets us wait for ever.
        @return: what a file holds.  One that is longer than L{SIZE_LIMIT} need not be whole.
        @raise OSError: when it cannot be read.
        @raise ValueError: when it has a name that no file can have.
        """

    def stamp(self, path: str) -> object:
        """
        @return: what is another one, by C{==}, when the file has changed.  It costs little, and tells nothing of
            what is in it.
        """

    def meaningOf(self, path: str, data: bytes) -> bytes:
        """
        @param data: what was read of a file.
        @return: what of it counts: the file has changed when that is something else.
        """

    def isOpenToAll(self, path: str) -> bool:
        """
        Tell whether the permissions of a file let every user read it who can reach it.
        """


class DiskFiles:
    """
    Reads files where they are.
    """

    isOriginal = True

    def now(self) -> CredentialFiles:
        """
        @return: these.
        """
        return self

    def onDisk(self, path: str) -> str:
        """
        @return: the file itself.
        """
        return path

    def read(self, path: str, *, isReadAgain: bool = False) -> bytes:
        """
        Read no more than one byte above the limit.
        """
        with open(path, "rb", opener=openAtOnce if isReadAgain else None) as stream:
            if isReadAgain and not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                reason = "it is no regular file, and so it cannot be read more than once"
                raise OSError(errno.EINVAL, reason, path)
            return stream.read(SIZE_LIMIT + 1)

    def stamp(self, path: str) -> object:
        """
        Follow links: where a link leads to another file now, that file is another one.  When only permissions
        have changed that counts, too, since the file may be readable now.

        @return: L{None} for a file that cannot be looked at.
        """
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def meaningOf(self, path: str, data: bytes) -> bytes:
        """
        @return: all of it.
        """
        return data

    def isOpenToAll(self, path: str) -> bool:
        """
        Look at the file alone.  Whether the directories above keep others away does not matter:
        they may be opened one day, and the file copied with its permissions.  A group that may read
        it was named by somebody: so a web server shares its key, and so systemd shows its
        C{LoadCredential} to a user of its own.

        @return: L{False} also where the system has no such permissions, or when the file is gone.
        """
        if os.name != "posix":
            return False
        try:
            return bool(os.stat(path).st_mode & stat.S_IROTH)
        except OSError:
            return False


def openAtOnce(path: str, flags: int) -> int:
    """
    @return: a descriptor of a file.  Whether somebody writes into a pipe is not waited for.
    """
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


DISK: CredentialFiles = DiskFiles()


class Contents(dict[str, bytes]):
    """
    Holds what files were found to hold, by their paths.  A private key may be among it, so it does
    not show in a log or a traceback.
    """

    def __repr__(self) -> str:
        """
        @return: the paths and how much there is.
        """
        return f"<{', '.join(f'{path}: {len(data)} bytes' for path, data in self.items()) or 'no files'}>"


class CopiedFiles:
    """
    Has what another process has read, and looks at no disk.
    """

    isOriginal = False

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        """
        @param contents: what each file holds, by its path.
        """
        self._contents = Contents(contents)

    def now(self) -> CredentialFiles:
        """
        @return: these.
        """
        return self

    def onDisk(self, path: str) -> str:
        """
        @return: what the other process calls it.
        """
        return path

    def read(self, path: str, *, isReadAgain: bool = False) -> bytes:
        """
        @raise OSError: for a file that the other process has not read.
        """
        if path not in self._contents:
            raise FileNotFoundError(errno.ENOENT, "it is not among the files that were handed over", path)
        return self._contents[path]

    def stamp(self, path: str) -> object:
        """
        @return: always the same, since copies do not change.
        """

    def meaningOf(self, path: str, data: bytes) -> bytes:
        """
        @return: all of it.
        """
        return data

    def isOpenToAll(self, path: str) -> bool:
        """
        @return: L{False}: whoever has read the file knows its permissions.
        """
        return False


_: CredentialFiles = CopiedFiles({})


class FilesReadOnce:
    """
    Reads each file once, and keeps what it holds: so all that is made of a file is made of the same
    bytes, also while somebody replaces it, and others can be handed just these.

    @ivar contents: what was read.
    @ivar stamps: what each file was by its L{CredentialFiles.stamp}, before it was read.
    """

    def __init__(self, files: CredentialFiles, *, isReadAgain: bool = False) -> None:
        """
        @param files: where they are.
        @param isReadAgain: see L{CredentialFiles.read}.
        """
        self._files = files.now()
        self._isReadAgain = isReadAgain
        self.isOriginal = files.isOriginal
        self.isOpenToAll = files.isOpenToAll
        self.stamp = files.stamp
        self.meaningOf = files.meaningOf
        self.contents = Contents()
        self.stamps: dict[str, object] = {}

    def now(self) -> CredentialFiles:
        """
        @return: these.
        """
        return self

    @property
    def digests(self) -> dict[str, bytes]:
        """
        For each file that was read what is another one when the file has changed.
        """
        return {path: hashlib.sha256(self.meaningOf(path, data)).digest() for path, data in self.contents.items()}

    def onDisk(self, path: str) -> str:
        """
        See L{CredentialFiles}.
        """
        return self._files.onDisk(path)

    def read(self, path: str, *, isReadAgain: bool = False) -> bytes:
        """
        @param isReadAgain: makes no difference: a file is read once, and whoever has made this says for what time.
        @raise OSError: as the files beneath.
        """
        if path not in self.contents:
            stamp = self._files.stamp(path)
            self.contents[path] = self._files.read(path, isReadAgain=self._isReadAgain)
            self.stamps[path] = stamp
        return self.contents[path]
