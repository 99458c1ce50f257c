"""
In which order the addresses of a server are tried: the families in turn, so that one that is
broken costs one try (RFC 8305); the address that was good last before all others; and those that
failed behind all others, so that in a long list everyone has its turn.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from uotp.net import Addresses

MAX_ADDRESSES_TRIED = 16
"""So many addresses are tried in one attempt.  What is left comes in the next one."""

MAX_FAILURES_KEPT = 256
"""The failures of so many addresses are remembered."""


def interleaved(addresses: Addresses) -> Addresses:
    """
    @param addresses: the system's preference first.
    @return: each of them once, the families in turn, and within a family as before.
    """
    families: dict[type[Any], list[Any]] = {}
    for address in dict.fromkeys(addresses):
        families.setdefault(type(address), []).append(address)
    mixed: Addresses = []
    for place in range(max(map(len, families.values()), default=0)):
        mixed += [family[place] for family in families.values() if place < len(family)]
    return mixed


class AddressOrder:
    """
    Remembers for one client how its server's addresses have done.

    @ivar best: the address that was good last, or L{None}.
    @ivar known: the hosts of the addresses that were found last.
    """

    def __init__(self) -> None:
        self.best: Any = None
        self.known: frozenset[str] = frozenset()
        self._failed: OrderedDict[Any, int] = OrderedDict()  # the address that failed longest ago first
        self._failures = 0

    def order(self, found: Addresses) -> Addresses:
        """
        @param found: the addresses that a lookup has found, the system's preference first.
        @return: those to try now, the first to try first.
        """
        each = interleaved(found)
        self.known = frozenset(address.host for address in each)
        ordered = sorted(each, key=lambda address: self._failed.get(address, 0))
        if self.best in ordered:
            ordered.remove(self.best)
            ordered.insert(0, self.best)
        return ordered[:MAX_ADDRESSES_TRIED]

    def succeeded(self, address: Any) -> None:
        """
        A tunnel was opened to an address.
        """
        self.best = address
        self._failed.pop(address, None)

    def failed(self, address: Any) -> None:
        """
        No tunnel could be opened to an address.
        """
        if address == self.best:
            self.best = None
        self._failures += 1
        self._failed[address] = self._failures
        self._failed.move_to_end(address)
        if len(self._failed) > MAX_FAILURES_KEPT:
            self._failed.popitem(last=False)

    def forget(self) -> None:
        """
        The network may have changed: the system's preference counts again.
        """
        self.best = None
        self._failed.clear()
