"""
Host names and addresses as people write them.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

MAX_HOST_NAME = 253
"""Letters of a host name in the domain name system (RFC 1035, without the last dot)."""


def parseDestination(word: str) -> str:
    """
    @return: a host name, or an address that can be sent to.
    @raise ValueError: in words.
    """
    address: IPv4Address | IPv6Address
    try:
        address = ip_address(word)
    except ValueError:
        if isHostName(word):
            return word
        reason = "a host name or an IP address is needed"
        raise ValueError(reason) from None
    if address.is_unspecified or address.is_multicast:
        reason = "not the address of one host"
        raise ValueError(reason)
    return str(address)


def isHostName(word: str) -> bool:
    """
    @return: whether the system's resolver could be asked for such a name.
    """
    if word.startswith("-") or any(letter.isspace() or not letter.isprintable() or letter in "/@:" for letter in word):
        return False
    try:
        return 0 < len(word.encode("idna")) <= MAX_HOST_NAME
    except UnicodeError:
        return False
