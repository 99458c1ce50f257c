"""
Host names and addresses as people write them.  They are parsed here and nowhere else.
Whether one is good for a purpose, its user decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from uotp.net.names import dnsName


@dataclass(frozen=True, slots=True)
class Host:
    """
    Holds a host as somebody has written it: an address, or what may be a name.

    @ivar text: an address in its usual form, with its zone if it has one; anything else
        as it was written.
    @ivar address: the address; L{None} when it is none.
    """

    text: str
    address: IPv4Address | IPv6Address | None

    @classmethod
    def parse(cls, word: str) -> Host:
        """
        @return: the host that the word means; nothing is refused.
        """
        try:
            address = ip_address(word)
        except ValueError:
            return cls(word, None)
        return cls(str(address), address)

    @property
    def isIPv6(self) -> bool:
        """
        Whether this is an address of IPv6.
        """
        return isinstance(self.address, IPv6Address)

    @property
    def zone(self) -> str | None:
        """
        The network interface, by name or number, on which alone this address is valid.
        """
        return self.address.scope_id if isinstance(self.address, IPv6Address) else None

    @property
    def isLinkLocal(self) -> bool:
        """
        Whether this is an address of IPv6 of which each link has its own: without a zone nothing
        can be sent there.
        """
        return isinstance(self.address, IPv6Address) and self.address.is_link_local

    @property
    def isOneHost(self) -> bool:
        """
        Whether this is the address of one host, to which something can be sent.
        """
        return self.address is not None and not (self.address.is_unspecified or self.address.is_multicast)

    @property
    def besidePort(self) -> str:
        """
        The host as it is written before a colon and a port.
        """
        return f"[{self.text}]" if self.isIPv6 else self.text

    @property
    def asOneAddress(self) -> Host:
        """
        The same host, as an address of IPv4 where one of IPv6 only stands for that.
        """
        mapped = self.address.ipv4_mapped if isinstance(self.address, IPv6Address) else None
        return self if mapped is None else Host(str(mapped), mapped)

    @property
    def withoutZone(self) -> Host:
        """
        The same host, as others know it: a zone means something on one machine only.
        """
        if self.address is None or self.zone is None:
            return self
        bare = IPv6Address(int(self.address))
        return Host(str(bare), bare)


OWN_NETWORK_BITS = 64
"""Of an IPv6 address, so many bits name the network; whoever has one address of it has all."""

BEHIND_NAT64 = IPv6Network("64:ff9b::/96")
"""Here a translator writes hosts of IPv4 (RFC 6052): their addresses are the last 32 bits."""

IPV4_MASK = 0xFFFFFFFF
"""The last 32 bits of an address."""


def ownerOf(host: str) -> str:
    """
    @param host: the address that a connection or a datagram comes from.
    @return: who is there, as far as an address tells: an IPv4 address, also where it is
        written as one of IPv6 or has come through NAT64, or the network of an IPv6 address,
        its first 64 bits.  All link-local addresses have one network, so each of them stands
        for itself, with its zone; and so does text that is no address.
    """
    if ":" not in host:  # most are, and strangers come by the thousand
        return host
    address = Host.parse(host).address
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    if address in BEHIND_NAT64:
        return str(IPv4Address(int(address) & IPV4_MASK))
    if address.is_link_local:
        return str(address)
    return f"{IPv6Address(int(address) >> OWN_NETWORK_BITS << OWN_NETWORK_BITS)}/{OWN_NETWORK_BITS}"


MAPPED_BEGINS = "::ffff:"
"""So an address of IPv6 begins that only stands for one of IPv4, as the system writes it."""


def shownHost(host: str) -> str:
    """
    @param host: the address of a peer, as the socket module has it.
    @return: the same as its owner knows it: a socket for both families has an address of IPv6 also for
        whoever comes by IPv4.
    """
    return Host.parse(host).asOneAddress.text if host.startswith(MAPPED_BEGINS) else host


def parseDestination(word: str) -> str:
    """
    @return: a host name as it was written, or an address that can be sent to.
    @raise ValueError: in words.
    """
    host = Host.parse(word).asOneAddress
    if host.address is None:
        dnsName(word)
    elif not host.isOneHost:
        reason = "not the address of one host"
        raise ValueError(reason)
    return host.text
