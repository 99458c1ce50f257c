"""
Which sources may use a client, by their addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network

from uotp.net import Host, Network, Networks, unmapped

LOOPBACKS = {4: IPv4Network("127.0.0.0/8"), 6: IPv6Network("::1")}
"""The addresses of a machine that only itself can use, by the version of IP."""


class AllowedSources:
    """
    Tells which addresses are in the networks that the user has named.
    """

    def __init__(self, networks: Iterable[Network]) -> None:
        """
        @param networks: those that are allowed; when there is none, everybody is.
        """
        named = tuple(networks)
        self._allowsAll = not named
        self._networks = Networks(named)

    def allows(self, host: str) -> bool:
        """
        @param host: the numeric address of a source.
        @return: whether it may use the client.
        """
        return self._allowsAll or self._networks.has(host)


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
