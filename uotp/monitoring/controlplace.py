"""
Where a control socket is: at a path that was said, or in the directory for such things, under a name
that tells programs apart.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SYSTEM_DIRECTORY = "/run/uotp"
"""Where the sockets of programs are that root starts."""

OWN_DIRECTORY = "uotp"
"""What they are in below a user's runtime directory."""

MOST_FOUND = 256
"""So many sockets are asked; more programs of ours than that are on no machine."""


@dataclass(frozen=True, slots=True)
class ControlPlace:
    """
    Says where a socket is to be.

    @ivar path: of the socket, where somebody has said it: then it is needed.
    @ivar directory: where it goes otherwise, by a name of its own; the program goes on without it if need be.
    @ivar owner: the user that the program becomes, who may use the socket too; L{None} for the one that it is.
    """

    path: str | None = None
    directory: str | None = None
    owner: int | None = None


def usualDirectory(environment: Mapping[str, str], user: int) -> str | None:
    """
    @param user: the number of the user that we are.
    @return: the directory for the sockets of a program; L{None} when there is none.
    """
    given = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]  # systemd names several so
    if given.startswith("/"):
        return given
    if user == 0:  # root's own goes away with its last login
        return SYSTEM_DIRECTORY
    own = environment.get("XDG_RUNTIME_DIR", "")
    return os.path.join(own, OWN_DIRECTORY) if own.startswith("/") else None


def foundSockets(environment: Mapping[str, str]) -> list[str]:
    """
    @return: the paths of all sockets in the usual directories, at most L{MOST_FOUND}, in order.
    """
    found: dict[str, None] = {}
    for directory in searchedDirectories(environment):
        for pattern in ("*.sock", "*/*.sock"):
            for path in sorted(Path(directory).glob(pattern)):
                if len(found) < MOST_FOUND and not path.parent.name.startswith("."):
                    found[str(path)] = None
    return list(found)


def searchedDirectories(environment: Mapping[str, str]) -> Iterator[str]:
    """
    @return: the usual directories, in which sockets are looked for.
    """
    given = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if given.startswith("/"):  # inside a unit its own program is meant
        yield given
        return
    own = environment.get("XDG_RUNTIME_DIR", "")
    if own.startswith("/"):
        yield os.path.join(own, OWN_DIRECTORY)
    yield SYSTEM_DIRECTORY
