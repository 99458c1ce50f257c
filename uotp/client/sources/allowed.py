"""
Which sources may use a client, by their addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network

from uotp.net import Host, interfaceNumber

Network = IPv4Network | IPv6Network

MAX_KNOWN = 4096
"""
Of so many addresses of strangers the verdict is remembered, in half a megabyte.  To find one
out takes a few microseconds, and a datagram that is dropped should take less.
"""

LOOPBACKS = {4: IPv4Network("127.0.0.0/8"), 6: IPv6Network("::1")}
"""The addresses of a machine that only itself can use, by the version of IP."""

MAPPED_BITS = 96
"""An IPv4 address that is written as one of IPv6 has so many bits before its own."""


class AllowedSources:
    """
    Tells which addresses are in the networks that the user has named.
    """

    def __init__(self, networks: Iterable[Network]) -> None:
        """
        @param networks: those that are allowed; when there is none, everybody is.
        """
        self._networks = tuple(map(unmapped, networks))
        self._isKnown = lru_cache(MAX_KNOWN)(self._find)

    def allows(self, host: str) -> bool:
        """
        @param host: the numeric address of a source.
        @return: whether it may use the client.
        """
        return not self._networks or self._isKnown(host)

    def _find(self, host: str) -> bool:
        source = Host.parse(host).asOneAddress
        address = source.address
        if address is None:
            return False
        return any(address in network and isOfZone(source.zone, network) for network in self._networks)


def isOfZone(zone: str | None, network: Network) -> bool:
    """
    @param zone: the network interface that a source's address is valid on, if on one only.
    @return: whether the network is there too; one without an interface is everywhere.
    """
    wanted = network.network_address.scope_id if isinstance(network, IPv6Network) else None
    if wanted is None or zone == wanted:
        return True
    return zone is not None and interfaceNumber(zone) == interfaceNumber(wanted) is not None


def canReach(network: Network, host: str) -> bool:
    """
    @param network: a network of sources.
    @param host: the numeric address that a client listens on.
    @return: whether datagrams may come from there.  Both are of one family, and what a machine
        sends to its own loopback comes from loopback, and from nowhere else, unless a program
        has bound another address to send from.
    """
    address = Host.parse(host).address
    if isinstance(address, IPv6Address):
        if address.is_unspecified:
            return True  # on most systems IPv4 comes here too
        address = address.ipv4_mapped or address
    network = unmapped(network)
    if address is None or network.version != address.version:
        return address is None
    if address.is_unspecified:
        return True
    isFromLoopback = network.overlaps(LOOPBACKS[network.version])  # type: ignore[arg-type]
    return isFromLoopback if address.is_loopback else not network.is_loopback


def unmapped(network: Network) -> Network:
    """
    @return: the network of IPv4 where it is written as one of IPv6; else the same.
    """
    if isinstance(network, IPv6Network) and network.prefixlen >= MAPPED_BITS:
        first = network.network_address.ipv4_mapped
        if first is not None:
            return IPv4Network((first, network.prefixlen - MAPPED_BITS))
    return network
