"""
How much of the memory each owner may fill with what waits.  Every queue has a bound of its
own; together they would be far more than a machine has.  So all that waits in a process has
one budget, and each queue gets room of it, a part at a time.  An empty queue has none.

An owner gets no more than others leave free: alone it may fill half of the budget, and two
that want as much as they can get have a third each.  So whoever comes later finds room too.
What waits is given up in a second or so, so room comes back by itself.
"""

from __future__ import annotations

GRANT_BYTES = 32 * 1024
"""Room is given and given back in parts of this size, so that it costs little."""

LEAST_GRANT_BYTES = 2 * 1024
"""
A queue that holds less than half a part gets room for at most twice what it holds, but not
less than this: there may be ten thousand queues with one datagram each.
"""

DEFAULT_MEMORY_BYTES = 256 * 1024 * 1024
"""
What may wait in a process, unless its user says otherwise.  A heavy flow on a lossy path
needs some megabytes.
"""

LEAST_MEMORY_BYTES = 16 * 1024 * 1024
"""With less, a few heavy flows would be slower than their path."""


class Memory:
    """
    Counts what waits in one process.

    @ivar bytes: how much may wait.
    @ivar used: how much room was given.
    """

    def __init__(self, size: int = DEFAULT_MEMORY_BYTES) -> None:
        """
        @param size: how many bytes may wait.
        """
        self.bytes = size
        self.used = 0


class MemoryShare:
    """
    Counts what waits for one owner.

    @ivar used: how much room was given.
    """

    __slots__ = ("_memory", "used")

    def __init__(self, memory: Memory) -> None:
        """
        @param memory: the budget of the process.
        """
        self._memory = memory
        self.used = 0

    def take(self, size: int) -> bool:
        """
        Take room for so many bytes, if the owner may have it.

        @return: whether it may.
        """
        memory = self._memory
        if self.used + size > memory.bytes - memory.used - size:
            return False
        self.add(size)
        return True

    def add(self, size: int) -> None:
        """
        Count so many bytes more, or less, whether or not there is room for them.
        """
        self.used += size
        self._memory.used += size


def grantFor(needed: int) -> int:
    """
    @param needed: bytes that a queue holds.
    @return: how much room it gets for them.
    """
    if needed > GRANT_BYTES // 2:
        return -(-needed // GRANT_BYTES) * GRANT_BYTES
    return max(1 << (needed - 1).bit_length(), LEAST_GRANT_BYTES) if needed > 0 else 0


class Room:
    """
    Says how much one queue may hold.  When the queue is gone, its room is free.

    @ivar granted: bytes that it may hold without asking.
    """

    __slots__ = ("_most", "_share", "granted")

    def __init__(self, share: MemoryShare, most: int) -> None:
        """
        @param share: of the owner.
        @param most: bytes that the queue may hold at the most.
        """
        self._share = share
        self._most = most
        self.granted = 0

    def __del__(self) -> None:
        """
        Give all of it back.
        """
        self._share.add(-self.granted)

    def reaches(self, needed: int) -> bool:
        """
        Get more room if need be, as far as that is to be had.

        @param needed: bytes that the queue holds.
        @return: whether it may.
        """
        if needed <= self.granted:
            return True
        wanted = min(grantFor(needed), self._most) - self.granted
        if wanted > 0 and self._share.take(wanted):
            self.granted += wanted
        return needed <= self.granted

    def shrink(self, needed: int) -> None:
        """
        Give back what is not needed.  Room for as much again, and at most for a part, is kept:
        where a queue goes up and down a little, nobody is asked each time.

        @param needed: bytes that the queue holds.
        """
        kept = needed + min(needed, GRANT_BYTES)
        if self.granted <= kept:
            return
        spare = self.granted - grantFor(kept)
        if spare > 0:
            self.granted -= spare
            self._share.add(-spare)


class FixedRoom:
    """
    Is room that is there from the beginning, and counted nowhere.

    @ivar granted: bytes that the queue may hold.
    """

    __slots__ = ("granted",)

    def __init__(self, most: int) -> None:
        """
        @param most: bytes that the queue may hold.
        """
        self.granted = most

    def reaches(self, needed: int) -> bool:
        """
        @return: whether the queue may hold so much.
        """
        return needed <= self.granted

    def shrink(self, needed: int) -> None:
        """
        Do nothing.
        """
