"""
Ports on loopback that nobody has.
"""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"

FIXED_PORTS = range(12000, 32000)
"""For programs that cannot choose a port by themselves: below what kernels hand out."""


_given: set[int] = set()
"""Those that this process has given already.  Whoever was given one may not have bound it yet."""


def freePort(kind: socket.SocketKind) -> int:
    """
    @return: a port on loopback that was free a moment ago, and another one each time.
    """
    if len(_given) > len(FIXED_PORTS) // 2:
        _given.clear()
    while True:
        port = random.choice(FIXED_PORTS)  # noqa: S311 - nobody is to guess it
        if port in _given:
            continue
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        _given.add(port)
        return port
