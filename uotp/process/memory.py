"""
How much of the memory each owner may fill with what waits.  Every queue has a bound of its
own; together they would be far more than a machine has.  So all that waits in a process has
one budget, and each queue gets room of it, a part at a time.  An empty queue has none.

An owner gets no more than others leave free: alone it may fill half of the budget, and two
that want as much as they can get have a third each.  So whoever comes later finds room too.
What waits is given up in a second or so, so room comes back by itself.

A queue that gets no more room drops something.  A stream cannot: what it was given has to
arrive whole.  So what a stream holds is counted in any case, and an owner may have twice as much
as others leave free with it: alone two thirds of the budget, together never more than all.  When
it has more, the stream is given up that has held something for longest, with all it holds.
"""

from __future__ import annotations

from collections.abc import Callable

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


MOST_GIVEN_UP = 8
"""So many streams are given up in one turn of the reactor.  To close one costs some 0.1 ms."""


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

    def reserve(self, size: int) -> None:
        """
        Keep so many bytes for what is nobody's.
        """
        self.used += size


class MemoryShare:
    """
    Counts what waits for one owner.

    @ivar used: how much room was given.
    """

    __slots__ = ("_isCalled", "_later", "_memory", "_streams", "used")

    def __init__(self, memory: Memory, later: Callable[[Callable[[], None]], object]) -> None:
        """
        @param memory: the budget of the process.
        @param later: calls a function in the next turn of the reactor.
        """
        self._memory = memory
        self._later = later
        self._isCalled = False
        self._streams: dict[HeldRoom, Callable[[], None]] = {}  # that hold something, the longest first
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

    @property
    def isOver(self) -> bool:
        """
        Whether more is held than the owner may have, also with its streams.
        """
        return self.used > 2 * (self._memory.bytes - self._memory.used)

    def addStream(self, room: HeldRoom, giveUp: Callable[[], None]) -> None:
        """
        A stream holds something, which is counted already.

        @param giveUp: called when the owner has to give up this stream.
        """
        self._streams[room] = giveUp
        self._relieveLater()

    def removeStream(self, room: HeldRoom) -> None:
        """
        A stream holds nothing any more.
        """
        self._streams.pop(room, None)

    def _relieveLater(self) -> None:
        if self.isOver and self._streams and not self._isCalled:
            self._isCalled = True
            self._later(self._relieve)

    def _relieve(self) -> None:
        """
        Give up streams until there is no more than there may be, or that is enough for this turn.
        """
        self._isCalled = False
        for _ in range(MOST_GIVEN_UP):
            if not (self.isOver and self._streams):
                return
            room, giveUp = next(iter(self._streams.items()))
            room.release()
            giveUp()
        self._relieveLater()


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


class HeldRoom:
    """
    Counts what one stream holds.
    """

    __slots__ = ("_held", "_share")

    def __init__(self, share: MemoryShare) -> None:
        """
        @param share: of the owner.
        """
        self._share = share
        self._held = 0

    def hold(self, size: int, giveUp: Callable[[], None]) -> None:
        """
        The stream holds so many bytes from now on.

        @param giveUp: closes the stream.  It is called in a later turn of the reactor, unless
            there is a L{release} before.
        """
        self._share.add(size - self._held)
        self._held = size
        self._share.addStream(self, giveUp)

    def release(self) -> None:
        """
        The stream holds nothing any more.
        """
        self._share.add(-self._held)
        self._held = 0
        self._share.removeStream(self)


class UncountedRoom:
    """
    Counts nothing.
    """

    def hold(self, size: int, giveUp: Callable[[], None]) -> None:
        """
        Do nothing.
        """

    def release(self) -> None:
        """
        Do nothing.
        """


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
