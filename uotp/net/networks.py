"""
Networks that a user has named, and who is in one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network

from uotp.net.hosts import Host
from uotp.net.zones import interfaceNumber

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


class Networks:
    """
    Tells which addresses are in some networks.
    """

    def __init__(self, networks: Iterable[Network]) -> None:
        """
        @param networks: each without an interface is there on all of them.
        """
        self._networks = tuple(map(unmapped, networks))
        self._isKnown = lru_cache(MAX_KNOWN)(self._find)

    def has(self, host: str) -> bool:
        """
        @param host: a numeric address, with its zone if it has one.
        @return: whether it is in one of them.
        """
        return self._isKnown(host) if self._networks else False

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


def unmapped(network: Network) -> Network:
    """
    @return: the network of IPv4 where it is written as one of IPv6; else the same.
    """
    if isinstance(network, IPv6Network) and network.prefixlen >= MAPPED_BITS:
        first: IPv6Address = network.network_address
        if first.ipv4_mapped is not None:
            return IPv4Network((first.ipv4_mapped, network.prefixlen - MAPPED_BITS))
    return network


def canReach(network: Network, host: str) -> bool:
    """
    @param network: a network of senders.
    @param host: the numeric address that somebody listens on.
    @return: whether packets may come from there.  Both are of one family, and what a machine
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


def outOfReach(networks: Iterable[Network], hosts: Sequence[str]) -> list[str]:
    """
    @param hosts: the numeric addresses that somebody listens on.
    @return: the networks from which nothing can come to any of them, in words.
    """
    return [str(network) for network in networks if not any(canReach(network, host) for host in hosts)]
