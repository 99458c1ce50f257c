"""
What strangers have of something that is limited, by who they are.  When there is no room
left, whoever has most gives something up, so nobody can take it from the others.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Holder = TypeVar("Holder", bound=Hashable)
Entry = TypeVar("Entry", bound=Hashable)


def regroup(groups: dict[int, dict[Holder, None]], holder: Holder, before: int, after: int) -> None:
    """
    Somebody has another number of something than before.

    @param groups: all who have something, by how many they have; in a group, whoever has had so
        many for the longest time comes first.  There is no empty group.
    @param before: how many it had.
    @param after: how many it has.
    """
    if before:
        group = groups[before]
        del group[holder]
        if not group:
            del groups[before]
    if after:
        groups.setdefault(after, {})[holder] = None


class Shares(Generic[Holder, Entry]):
    """
    Keeps entries by their owners, and knows at any time which owner has most.  Each call
    takes the same short time for any number of entries.
    """

    def __init__(self) -> None:
        self._entries: dict[Holder, dict[Entry, None]] = {}  # of each owner, the oldest first
        self._owners: dict[int, dict[Holder, None]] = {}  # by how many entries they have
        self._most = 0
        self._total = 0

    def __len__(self) -> int:
        """
        How many entries there are.
        """
        return self._total

    def __iter__(self) -> Iterator[Holder]:
        """
        All owners that have an entry.
        """
        return iter(self._entries)

    def add(self, owner: Holder, entry: Entry) -> None:
        """
        An owner has one more entry, which is its newest.
        """
        entries = self._entries.setdefault(owner, {})
        if entry in entries:
            return
        self._move(owner, len(entries), len(entries) + 1)
        entries[entry] = None
        self._total += 1

    def discard(self, owner: Holder, entry: Entry) -> None:
        """
        An owner gives an entry up.  One that it does not have changes nothing.
        """
        entries = self._entries.get(owner)
        if entries is None or entry not in entries:
            return
        self._move(owner, len(entries), len(entries) - 1)
        del entries[entry]
        self._total -= 1
        if not entries:
            del self._entries[owner]

    def _move(self, owner: Holder, before: int, after: int) -> None:
        regroup(self._owners, owner, before, after)
        if after > self._most or (before == self._most and before not in self._owners):
            self._most = after

    def has(self, owner: Holder, entry: Entry) -> bool:
        """
        @return: whether an owner has an entry.
        """
        return entry in self._entries.get(owner, ())

    def count(self, owner: Holder) -> int:
        """
        @return: how many entries an owner has.
        """
        return len(self._entries.get(owner, ()))

    def of(self, owner: Holder) -> Iterator[Entry]:
        """
        @return: an owner's entries, the oldest first.  They must not change meanwhile.
        """
        return iter(self._entries.get(owner, ()))

    def ofMost(self) -> Holder:
        """
        @return: the owner that has most.  Of several, it is the one that has had so many for
            the longest time.
        @raise LookupError: when there is no entry.
        """
        if not self._most:
            reason = "nobody has anything"
            raise LookupError(reason)
        return next(iter(self._owners[self._most]))

    def oldestOfMost(self) -> tuple[Holder, Entry]:
        """
        @return: the owner that has most, and its oldest entry.
        @raise LookupError: when there is no entry.
        """
        owner = self.ofMost()
        return owner, next(self.of(owner))

    def newestOf(self, owner: Holder) -> Entry:
        """
        @return: an owner's newest entry.
        @raise LookupError: when it has none.
        """
        return next(reversed(self._entries[owner]))

    def checkInvariant(self) -> None:
        """
        What holds between any two calls.

        @raise AssertionError: when it does not.
        """
        counts = {owner: len(entries) for owner, entries in self._entries.items()}
        assert all(counts.values())
        assert self._total == sum(counts.values())
        assert self._most == max(counts.values(), default=0)
        assert {owner: count for count, owners in self._owners.items() for owner in owners} == counts
        assert all(self._owners.values())
