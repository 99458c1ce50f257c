"""
The parts that workers have of a total: bytes of memory, or numbers of connections.

Each worker may use its part and no more, and asks nobody meanwhile.  So the parts follow the use:
who uses most gets most, but nobody less than a floor.

A worker hears of a new part some time after it was decided.  Until it has said so, it may go by the
former one.  So a worker is counted with the largest of the part that it has, the one that it is
about to hear of, and what it says that it uses; and another one grows only into what is left then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

FLOOR_DIVISOR = 2
"""All floors together are such a part of the total."""

CHANGE_DIVISOR = 16
"""A part stays as it is when it would change by less than such a part of itself."""


@dataclass(slots=True)
class Part:
    """
    Is what one worker has.

    @ivar told: the part that it was told last.
    @ivar heard: the part that it goes by, as far as is known.
    @ivar uses: what it has said that it uses.
    @ivar isThere: whether there is such a worker.
    """

    told: int = 0
    heard: int = 0
    uses: int = 0
    isThere: bool = False


class Parts:
    """
    Shares a total out among workers.
    """

    def __init__(self, total: int, count: int, changed: Callable[[int, int], object]) -> None:
        """
        @param total: what there is.
        @param count: how many workers there are, with numbers from 1 on.
        @param changed: tells a worker its new part; it must not call us back.
        """
        self.total = total
        self.floor = total // (FLOOR_DIVISOR * count)
        self._changed = changed
        self._parts = {number: Part() for number in range(1, count + 1)}

    def parts(self) -> Mapping[int, int]:
        """
        @return: the part of each worker that is there, as it was told last.
        """
        return {number: part.told for number, part in self._parts.items() if part.isThere}

    def began(self, number: int) -> int:
        """
        A worker begins, and uses nothing.  It has its floor also where others say that they use all.

        @return: its first part.
        """
        part = self._parts[number] = Part(isThere=True)
        part.told = part.heard = max(self.floor, min(self.total // len(self._parts), self._left(number)))
        return part.told

    def used(self, number: int, amount: int, heard: int) -> None:
        """
        A worker tells what it uses.  One that is gone, or may not be what it says, changes nothing.

        @param amount: this much.
        @param heard: the part that it goes by.
        """
        part = self._parts[number]
        if not part.isThere:
            return
        part.uses = max(0, amount)
        if heard == part.told:
            part.heard = heard
        self._share()

    def gone(self, number: int) -> None:
        """
        A worker has ended.  Its floor is kept for the next.
        """
        self._parts[number] = Part()
        self._share()

    def _counted(self, part: Part) -> int:
        """
        @return: what a worker may use, whatever it has heard.
        """
        return max(part.told, part.heard, part.uses) if part.isThere else self.floor

    def _left(self, number: int) -> int:
        """
        @return: how large the part of a worker may be.
        """
        return self.total - sum(self._counted(part) for other, part in self._parts.items() if other != number)

    def _share(self) -> None:
        """
        Tell those whose parts change: who gets less first.
        """
        targets = self._targets()
        for number in sorted(targets, key=lambda number: (targets[number] - self._parts[number].told, number)):
            part = self._parts[number]
            if part.told != part.heard:
                continue  # it has not heard of the last one
            # What others have not given up yet is not there: as much as there is, or what it has.
            wanted = targets[number]
            if wanted > part.told:
                wanted = max(part.told, min(wanted, self._left(number)))
            if abs(wanted - part.told) > part.told // CHANGE_DIVISOR:
                part.told = wanted
                self._changed(number, wanted)

    def _targets(self) -> dict[int, int]:
        """
        @return: the part that each worker should have.  Each gets what it uses twice over, to have
            room to grow, as far as there is enough: who wants more than others gets as much
            as any of them.  What is left then goes by use.
        """
        there = {number: part for number, part in self._parts.items() if part.isThere}
        total = self.total - self.floor * (len(self._parts) - len(there))
        wanted = {number: max(self.floor, 2 * part.uses) for number, part in there.items()}
        found: dict[int, int] = {}
        left = total
        for number in sorted(wanted, key=lambda number: (wanted[number], number)):
            found[number] = min(wanted[number], left // (len(wanted) - len(found)))
            left -= found[number]
        used = sum(part.uses for part in there.values())
        return {
            number: found[number] + (left * part.uses // used if used else left // len(there))
            for number, part in there.items()
        }

    def checkInvariant(self) -> None:
        """
        What holds between any two calls, as long as workers keep to their parts.

        @raise AssertionError: when it does not.
        """
        assert sum(self._counted(part) for part in self._parts.values()) <= self.total
