"""
Zones: the network interface that belongs to a link-local address of IPv6, as in
C{fe80::1%eth0}.  Users write its name or its number; the socket module keeps a number beside
the address; logs and the networks that are allowed have the name.
"""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import Any

from uotp.net.hosts import Host

SCOPE = 3
"""Where the number of the interface stands in an IPv6 address of the socket module."""


def interfaceNumber(zone: str) -> int | None:
    """
    @param zone: the name of a network interface of this machine, or its number.
    @return: its number; L{None} when there is none.
    """
    with suppress(OSError, ValueError):  # no interface is called so, or none can be
        return socket.if_nametoindex(zone)
    if zone.isascii() and zone.isdigit():
        with suppress(OSError, OverflowError):
            socket.if_indextoname(int(zone))
            return int(zone)
    return None


class OwnLink:
    """
    Tells whether the network interface was made anew whose zone is in an address of ours.  A
    socket that is bound there belongs to the old one, and nothing comes to it any more.
    """

    def __init__(self, host: str) -> None:
        """
        @param host: an address to which a socket was just bound.
        """
        self._zone = Host.parse(host).zone
        self._number = self._numberNow()

    def _numberNow(self) -> int | None:
        return None if self._zone is None else interfaceNumber(self._zone)

    @property
    def isAnew(self) -> bool:
        """
        Whether there is another interface now with that name.
        """
        return self._zone is not None and self._numberNow() not in (None, self._number)


def zoneTrouble(host: Host) -> str | None:
    """
    @return: why an address with a zone is of no use here now, or L{None} when it is, and for
        any other host.
    """
    zone = host.zone
    if zone is None or interfaceNumber(zone) is not None:
        return None
    return f"this machine has no network interface {zone} now"


def hostOf(address: tuple[Any, ...]) -> str:
    """
    @param address: as the socket module has it, of either family.
    @return: the host, with its zone if it has one.
    """
    host: str = address[0]
    if len(address) <= SCOPE or not address[SCOPE] or "%" in host:
        return host
    number: int = address[SCOPE]
    try:
        return f"{host}%{socket.if_indextoname(number)}"
    except OSError:  # the interface is gone
        return f"{host}%{number}"


def hostAt(address: Any) -> str:
    """
    @param address: Twisted's C{IPv4Address} or C{IPv6Address}.
    @return: the host, with its zone if it has one.
    """
    return hostOf((address.host, address.port, 0, getattr(address, "scopeID", 0)))


def bindable(address: tuple[Any, ...]) -> tuple[Any, ...]:
    """
    @param address: numeric, and of ours; with a zone, maybe.
    @return: the same as a socket takes it to be bound, with the number of its interface.
    @raise OSError: in words, when there is no such interface.
    """
    if "%" not in address[0]:
        return address
    host = Host.parse(address[0])
    trouble = zoneTrouble(host)
    if trouble is not None:
        raise OSError(errno.ENODEV, trouble)
    return host.withoutZone.text, address[1], 0, interfaceNumber(host.zone or "")
