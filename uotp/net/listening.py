"""
Where a program listens: on one address or on several, and how their ports are bound together.

C{localhost} stands for both addresses of this machine that nobody else reaches, so that who sends to
that name is heard, whichever of them his system tells him.  A system without IPv6 has only one.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from uotp.errors import ConfigurationError, StartError
from uotp.net.hosts import Host
from uotp.telemetry import Logger, spelled

Pair = tuple[str, int]
Listen = Pair | tuple[Pair, ...]
"""An address and a port, or several of both.  Where a port is 0, the system chooses one."""

PAIR = 2
"""So many items an address with its port has."""

MAX_PAIRS = 32
"""More addresses than this are a mistake: each port takes a part of the memory, and 0.0.0.0 and :: are all."""

LOCALHOST = "localhost"

WIDEST = ("::", "0.0.0.0")  # noqa: S104 - who names it wants it
"""The addresses that stand for all."""

PORT_TRIES = 16
"""
So many numbers are tried where the system chooses one, which then has to be free at all
addresses.  With thousands of sockets one in ten is taken.
"""

MAX_PORT = 65535
"""Ports are 16 bits wide in TCP and UDP."""

FREE_PORT = 1024
"""Below it systems let only those listen who may."""

NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
"""What a system without IPv6 says, or one where it is turned off."""

Port = TypeVar("Port")

_log = Logger()


@dataclass(frozen=True, slots=True)
class ListenPlace:
    """
    Is one address with a port, where a program is to listen.

    @ivar isNeeded: whether it has to be had, also where the system has no IPv6.
    """

    host: str
    port: int
    isNeeded: bool = True

    def covers(self, other: ListenPlace) -> bool:
        """
        @return: whether what comes to the other place comes to this one too.
        """
        mine, others = Host.parse(self.host), Host.parse(other.host)
        isForAny = mine.address is not None and mine.address.is_unspecified
        return isForAny and self.port == other.port and (mine.isIPv6 or not others.isIPv6)


class _Taken(Exception):
    """
    The number that the system has chosen is taken at another address.
    """


def pairsOf(listen: Listen) -> tuple[Pair, ...]:
    """
    @return: each address with its port.
    """
    return (listen,) if len(listen) == PAIR and isinstance(listen[0], str) else listen  # type: ignore[return-value]


def placesOf(listen: Listen) -> list[ListenPlace]:
    """
    @return: the places, the widest first, since those may cover others; none is there twice.
    """
    places: list[ListenPlace] = []
    for host, port in dict.fromkeys(pairsOf(listen)):
        if host == LOCALHOST:
            places += [ListenPlace("127.0.0.1", port), ListenPlace("::1", port, isNeeded=False)]
        else:
            places.append(ListenPlace(host, port))
    return sorted(places, key=lambda place: WIDEST.index(place.host) if place.host in WIDEST else len(WIDEST))


def requireListen(listen: Listen, setting: str = "listen") -> None:
    """
    @param setting: the name of what says so.
    @raise ConfigurationError: when a program cannot listen there, in one line.
    """
    if not listen:
        reason = f"{spelled(setting)} has no address"
        raise ConfigurationError(reason)
    if len(pairsOf(listen)) > MAX_PAIRS:
        reason = f"{spelled(setting)} has more than {MAX_PAIRS} addresses: 0.0.0.0 and :: stand for all"
        raise ConfigurationError(reason)
    for place in placesOf(listen):
        if Host.parse(place.host).address is None:
            reason = f"{spelled(setting)} {place.host}: an IPv4 or IPv6 address is needed, or {LOCALHOST}"
            raise ConfigurationError(reason)
        if not 0 <= place.port <= MAX_PORT:
            reason = f"{spelled(setting)} {place.host}: a port from 0 to {MAX_PORT} is needed"
            raise ConfigurationError(reason)


def bindTogether(
    places: Sequence[ListenPlace],
    transport: str,
    bind: Callable[[str, int], Port],
    numberOf: Callable[[Port], int],
    close: Callable[[Port], object],
) -> list[Port]:
    """
    Bind ports at all places.  Where the system chooses the number, that is the same for all.

    @param transport: C{"TCP"} or C{"UDP"}, for the error.
    @param bind: binds a port; raises OSError when it cannot be had.
    @param numberOf: tells the number of a port that is bound.
    @param close: closes a port again, when not all can be had.
    @return: the ports, without those of places that another port covers.
    @raise StartError: when one cannot be had that is needed.
    """
    for _ in range(PORT_TRIES):
        ports: list[Port] = []
        try:
            _bindEach(places, transport, bind, numberOf, ports)
        except (_Taken, StartError) as error:
            for port in ports:
                close(port)
            if isinstance(error, StartError):
                raise
        else:
            return ports
    reason = f"no {transport} port is free at all of {', '.join(place.host for place in places)}"
    raise StartError(reason)


def _bindEach(
    places: Sequence[ListenPlace],
    transport: str,
    bind: Callable[[str, int], Port],
    numberOf: Callable[[Port], int],
    ports: list[Port],
) -> None:
    """
    @param ports: gets each port as soon as it is bound.
    """
    bound: list[ListenPlace] = []
    chosen = 0
    for place in places:
        wanted = ListenPlace(place.host, place.port or chosen, place.isNeeded)
        try:
            port = bind(wanted.host, wanted.port)
        except OSError as error:
            isTaken = error.errno == errno.EADDRINUSE
            if isTaken and any(one.covers(wanted) for one in bound):
                continue
            if not wanted.isNeeded and error.errno in NO_IPV6:
                _log.debug("nothing listens on {host}: {reason}", host=wanted.host, reason=error.strerror)
                continue
            if isTaken and not place.port and chosen:
                raise _Taken from error
            reason = f"cannot listen on {wanted.host} port {wanted.port} ({transport}): {_refusalIn(error, wanted)}"
            raise StartError(reason) from error
        ports.append(port)
        number = numberOf(port)
        bound.append(ListenPlace(wanted.host, number))
        if not place.port:
            chosen = number


def _refusalIn(error: OSError, wanted: ListenPlace) -> str:
    """
    @return: why an address cannot be had, in words, with the remedy where the system's alone do not tell it.
    """
    words = error.strerror or str(error)
    host = Host.parse(wanted.host)
    if error.errno == errno.EINVAL and host.isLinkLocal and host.zone is None:
        return f"a link-local address needs its network interface: write {host.text}%eth0"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{words}: this machine does not have that address now"
    if error.errno == errno.EACCES and wanted.port < FREE_PORT:
        return f"{words}: ports below {FREE_PORT} need root or CAP_NET_BIND_SERVICE"
    return words
