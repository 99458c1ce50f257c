"""
The file of a control socket: it is made so that nobody else may ever use it, one that a dead program
has left is replaced, and that of a living one is left alone.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
import tempfile
import time
from contextlib import suppress

MOST_PATH_BYTES = 107
"""So long the path of a UNIX socket may be on Linux (sun_path), without the byte that ends it."""

OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH

ROOT_USER = 0
"""May remove what its programs have left that have become other users."""

MOST_SWEPT = 256
"""So many sockets are looked at when a program starts; each takes some 20 microseconds."""

HIDDEN_NAME = re.compile(r"\.[a-z0-9_]{8}")
"""How a directory is called in which a socket is made."""

MADE, OLD = "s", "old"
"""What is in it: the socket that is made, and the one whose place it takes."""

ABANDONED_SECONDS = 60.0
"""Nobody takes so long to make a socket: whoever has made such a directory was killed."""

BACKLOG = 16
"""So many may wait to be accepted; whoever comes then is told to come again."""


class PathTaken(OSError):
    """
    Is raised when a program that lives answers at a path already.
    """


class ControlSocket:
    """
    Is a socket that listens at a path.

    @ivar socket: it, which does not block.
    @ivar path: where it is.
    """

    def __init__(self, bound: socket.socket, path: str) -> None:
        """
        @param bound: it is ours.
        """
        self.socket = bound
        self.path = path
        self._identity = identityAt(path)

    @property
    def isThere(self) -> bool:
        """
        Whether whoever looks for its file finds this socket, as far as can be seen from here.
        """
        try:
            return identityAt(self.path) == self._identity
        except OSError:
            return False

    def close(self) -> None:
        """
        Close it, and remove its file, if that is still its own and we may.
        """
        with suppress(OSError):  # another root directory, another user: the next one replaces it
            if self.isThere:
                os.unlink(self.path)
        self.socket.close()


def listenAt(path: str, owner: int | None = None) -> ControlSocket:
    """
    Listen at a path.  Whoever may not use the socket cannot at any moment: it is made in a directory that is
    ours alone, and gets its name when it is as it is to be.

    @param owner: who gets the file; L{None} for the user that we are.
    @raise PathTaken: when somebody listens there.
    @raise OSError: when it cannot be.
    """
    if len(os.fsencode(path)) > MOST_PATH_BYTES:
        reason = f"a path of more than {MOST_PATH_BYTES} bytes cannot be that of a socket"
        raise OSError(errno.ENAMETOOLONG, reason)
    directory = os.path.dirname(path)
    requireOwnDirectory(directory)
    hidden = tempfile.mkdtemp(prefix=".", dir=directory)
    made = os.path.join(hidden, MADE)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        bound.bind(made)
        os.chmod(made, 0o600)
        bound.listen(BACKLOG)
        _give(made, path, hidden)
        if owner is not None:  # now, since who is not the owner of a file may not be let name it
            os.chown(path, owner, -1)
        return ControlSocket(bound, path)
    except BaseException:
        bound.close()
        raise
    finally:
        for name in os.listdir(hidden):
            os.unlink(os.path.join(hidden, name))
        os.rmdir(hidden)


def requireOwnDirectory(directory: str) -> None:
    """
    @raise OSError: when others may put something else in the place of what is in a directory.
    """
    found = os.stat(directory)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if found.st_uid not in {0, os.geteuid()} or found.st_mode & OTHERS_MAY_WRITE:
        reason = f"others may write into {directory}"
        raise OSError(errno.EPERM, reason)


def sweep(directory: str) -> None:
    """
    Remove the sockets that programs of ours have left in a directory which were killed: where ports are chosen by
    the system, no other program takes their names.  And what those have left that were killed while they made one.
    """
    names = os.listdir(directory)
    for name in [name for name in names if HIDDEN_NAME.fullmatch(name)][:MOST_SWEPT]:
        with suppress(OSError):
            _sweepHidden(os.path.join(directory, name))
    for name in [name for name in names if name.endswith(".sock")][:MOST_SWEPT]:
        path = os.path.join(directory, name)
        with suppress(OSError):
            if os.geteuid() in {ROOT_USER, os.lstat(path).st_uid}:
                old = identityAt(path)
                requireStale(path)
                if identityAt(path) == old:
                    os.unlink(path)


def _sweepHidden(path: str) -> None:
    """
    Remove a directory in which somebody wanted to make a socket, if it is ours and was left.

    @raise OSError: when it cannot be, or there is something else.
    """
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(directory)
        if found.st_uid != os.geteuid() or time.time() - found.st_mtime < ABANDONED_SECONDS:
            return
        names = os.listdir(directory)
        if not {MADE, OLD}.issuperset(names):
            return
        for name in names:
            requireStale(os.path.join(path, name))
        for name in names:
            os.unlink(name, dir_fd=directory)
    finally:
        os.close(directory)
    os.rmdir(path)


def _give(made: str, path: str, hidden: str) -> None:
    """
    Give a socket its name.

    @raise PathTaken: when somebody listens there, or begins to at this moment.
    """
    try:
        os.link(made, path)
    except FileExistsError:
        _replace(made, path, hidden)


def _replace(made: str, path: str, hidden: str) -> None:
    """
    Take the place of a socket at which nobody listens.
    """
    old = identityAt(path)
    requireStale(path)
    aside = os.path.join(hidden, OLD)
    os.rename(path, aside)
    if identityAt(aside) != old:  # it has become another's meanwhile
        os.link(aside, path)
        raise PathTaken(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    try:
        os.link(made, path)
    except FileExistsError as error:
        raise PathTaken(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from error


def requireStale(path: str) -> None:
    """
    @raise PathTaken: when somebody listens at a path.
    @raise OSError: when there is something else than a socket.
    """
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        reason = "there is something else, which is no socket"
        raise OSError(errno.EEXIST, reason)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        trial.setblocking(False)
        try:
            trial.connect(path)
        except ConnectionRefusedError:
            return
        except BlockingIOError:  # so many wait to be accepted
            pass
    raise PathTaken(errno.EADDRINUSE, "another program answers there")


def identityAt(path: str) -> tuple[int, int]:
    """
    @return: what tells the file at a path from others.
    @raise OSError: when there is none.
    """
    found = os.lstat(path)
    return found.st_dev, found.st_ino
