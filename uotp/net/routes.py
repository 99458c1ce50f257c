"""
Addresses as the socket module has them, and which of ours leads to another one.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from uotp.net.hosts import Host

KNOWN_SECONDS = 0.2
"""
For so long a route is not asked for again: thousands of sessions go to the same target, and
each question takes three system calls.
"""

MAX_ROUTES = 64
"""So many destinations are remembered: a name has few addresses."""


def numericAddress(host: str, port: int) -> tuple[Any, ...]:
    """
    The system's resolver could tell this too, but only while it can be loaded.

    @param host: an address, with a zone if it has one: the name or number of the link where it is.
    @return: the address in the form in which the socket module names whoever sends a datagram.
    @raise OSError: when this host has no such link.
    @raise ValueError: for a host name.
    """
    address = Host.parse(host).address
    if isinstance(address, IPv4Address):
        return str(address), port
    if not isinstance(address, IPv6Address):
        reason = "not an address"
        raise ValueError(reason)  # noqa: TRY004 - the text is no address, whatever its type
    zone = address.scope_id
    scope = 0 if zone is None else int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
    return socket.inet_ntop(socket.AF_INET6, address.packed), port, 0, scope


def localAddressTo(destination: tuple[Any, ...]) -> tuple[Any, ...]:
    """
    @param destination: an address as the socket module has it.
    @return: the address that datagrams to it leave from, with its scope and port 0.
    @raise OSError: when nothing leads there.
    """
    family = socket.AF_INET6 if ":" in destination[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(destination)  # sends nothing
        host, _, *scope = probe.getsockname()
    return (host, 0, *scope)


class Routes:
    """
    Knows for a moment which of our addresses leads where.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        find: Callable[[tuple[Any, ...]], tuple[Any, ...]] = localAddressTo,
    ) -> None:
        """
        @param clock: monotonic seconds.
        @param find: finds it out.
        """
        self._clock = clock
        self._find = find
        self._hasChanged = False
        self._known: dict[tuple[Any, ...], tuple[float, tuple[Any, ...]]] = {}

    def to(self, destination: tuple[Any, ...]) -> tuple[Any, ...]:
        """
        See L{localAddressTo}.
        """
        now = self._clock()
        since, local = self._known.get(destination, (float("-inf"), ()))
        if now - since < KNOWN_SECONDS:
            return local
        found = self._find(destination)
        self._hasChanged = self._hasChanged or found != (local or found)
        if len(self._known) >= MAX_ROUTES:
            self._known.clear()
        self._known[destination] = (now, found)
        return found

    def refresh(self) -> bool:
        """
        Ask for all routes again that were asked for.  Where none leads to a destination for now,
        what was known of it stays.

        @return: whether any has changed since this was called last.
        """
        for destination in list(self._known):
            self._known[destination] = (float("-inf"), self._known[destination][1])
            with suppress(OSError):
                self.to(destination)
        hasChanged, self._hasChanged = self._hasChanged, False
        return hasChanged
