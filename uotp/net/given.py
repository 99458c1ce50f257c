"""
Sockets that a service manager has bound for this program, and hands in when it starts it: systemd's
socket activation (sd_listen_fds(3)).  The manager keeps them open, so what comes while the program is
started again waits in them.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping, MutableMapping
from typing import Literal

from uotp.errors import ConfigurationError
from uotp.net.listening import MAX_PAIRS, Pair
from uotp.net.steering import SocketGroup
from uotp.net.zones import hostOf

COUNT, PROCESS, NAMES = "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"
"""Say how many descriptors there are, for which process, and what the manager calls each."""

FIRST_DESCRIPTOR = 3
"""They begin behind standard error."""

MOST_GIVEN = 4096
"""More can only be a mistake: it is one for each worker at each address, and there may be so many workers."""

Transport = Literal["TCP", "UDP"]


class GivenSockets:
    """
    Holds the sockets that were handed in, by their addresses.
    """

    def __init__(self, sockets: Mapping[Pair, list[socket.socket]] | None = None) -> None:
        """
        @param sockets: for each address and port those that are bound there; none when left out.
        """
        self._sockets = dict(sockets or {})

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """
        Where they are bound.
        """
        return tuple(self._sockets)

    def at(self, host: str, port: int) -> SocketGroup | None:
        """
        @return: copies of the sockets that are bound there, for whoever asks to use and to close; L{None} when there
            are none.
        """
        given = self._sockets.get((host, port))
        return None if given is None else SocketGroup([each.dup() for each in given])

    def requireEach(self, processes: int) -> None:
        """
        @param processes: how many take what comes in.
        @raise ConfigurationError: when there is an address without a socket for each of them, or with more.
        """
        for (host, port), given in self._sockets.items():
            if len(given) != processes:
                wanted = (
                    "one process takes one: name the address once"
                    if processes == 1
                    else f"{processes} workers need {processes}: name the address as often, with ReusePort=yes"
                )
                reason = f"{len(given)} sockets at {host} port {port} were handed in, and {wanted}"
                raise ConfigurationError(reason)


def takeGivenSockets(environment: MutableMapping[str, str], transport: Transport, pid: int) -> GivenSockets:
    """
    Take what was handed in, and let nobody else have it: neither a program that this one starts, nor whoever asks
    again.

    @param environment: of this process; what it says of the sockets is removed.
    @param transport: what is needed.
    @param pid: of this process.
    @return: the sockets, which do not block; none where nobody has handed in any.
    @raise ConfigurationError: when one cannot be used.
    """
    count, names = environment.get(COUNT, ""), environment.get(NAMES, "").split(":")
    if not count or environment.get(PROCESS) != str(pid):
        return GivenSockets()
    for variable in (COUNT, PROCESS, NAMES):
        environment.pop(variable, None)
    if not (count.isascii() and count.isdecimal() and int(count) <= MOST_GIVEN):
        reason = f"{COUNT} is {count!a}, and a number up to {MOST_GIVEN} is needed"
        raise ConfigurationError(reason)
    found: dict[Pair, list[socket.socket]] = {}
    for index in range(int(count)):
        name = names[index] if index < len(names) and names[index] else "unnamed"
        taken = _taken(FIRST_DESCRIPTOR + index, name, transport)
        address = taken.getsockname()
        found.setdefault((hostOf(address), address[1]), []).append(taken)
    if len(found) > MAX_PAIRS:
        reason = f"sockets at more than {MAX_PAIRS} addresses were handed in"
        raise ConfigurationError(reason)
    return GivenSockets(found)


def _taken(descriptor: int, name: str, transport: Transport) -> socket.socket:
    """
    @raise ConfigurationError: when it is no socket on which this program can take what comes in.
    """
    try:
        isSocket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        isSocket = False
    trouble = None if isSocket else "is no socket"
    if trouble is None:
        os.set_inheritable(descriptor, False)
        taken = socket.socket(fileno=descriptor)
        trouble = _troubleOf(taken, transport)
        if trouble is None:
            taken.setblocking(False)
            return taken
        taken.detach()
    reason = f"descriptor {descriptor} ({name}), which the service manager has handed in, {trouble}"
    raise ConfigurationError(reason)


def _troubleOf(taken: socket.socket, transport: Transport) -> str | None:
    """
    @return: why a socket is of no use, or L{None} when it is.
    """
    if taken.family not in {socket.AF_INET, socket.AF_INET6}:
        return "is no socket of IPv4 or IPv6"
    if transport == "TCP":
        isFit = taken.type == socket.SOCK_STREAM and bool(taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        return None if isFit else "is no TCP socket that listens: ListenStream= with Accept=no makes one"
    if taken.type != socket.SOCK_DGRAM:
        return "is no UDP socket: ListenDatagram= makes one"
    if not taken.getsockname()[1] or _isConnected(taken):
        return "is no UDP socket that is bound and takes what comes from everybody"
    return None


def _isConnected(taken: socket.socket) -> bool:
    try:
        taken.getpeername()
    except OSError:
        return False
    return True
