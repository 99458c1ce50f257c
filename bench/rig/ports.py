"""
Ports on loopback that nobody has.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
from functools import cache

LOOPBACK = "127.0.0.1"

Address = tuple[str, int]
"""A host and a port."""

FIXED_PORTS = range(12000, 32000)
"""For programs that cannot choose a port by themselves: below what kernels hand out."""

CLAIMS_FOLDER = "/tmp"  # noqa: S108 - nothing is written or read there
"""Where claims of ports are, wherever a process has its other temporary files."""

_given: set[int] = set()
"""Those that this process has given already.  Whoever was given one may not have bound it yet."""


@cache
def _claims() -> int:
    """
    @return: the descriptor of a file that is one for all processes of a user.  Each has locked as many of its
        bytes as it has given ports, until it ends.
    """
    name = os.path.join(CLAIMS_FOLDER, f"uotp-ports-{os.getuid()}.lock")
    return os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _isOurs(port: int) -> bool:
    """
    @return: whether no other process has given that port.  It may be bound much later than it was given.
    """
    try:
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def freePort(kind: socket.SocketKind) -> int:
    """
    @return: a port on loopback that was free a moment ago, another one each time, and in each process.
    """
    if len(_given) > len(FIXED_PORTS) // 2:
        _given.clear()
    while True:
        port = random.choice(FIXED_PORTS)  # noqa: S311 - nobody is to guess it
        if port in _given or not _isOurs(port):
            continue
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        _given.add(port)
        return port
