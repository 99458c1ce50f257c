"""
Which sources may use a client, by their addresses.
"""

from __future__ import annotations

from collections.abc import Iterable

from uotp.net import Network, Networks


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
