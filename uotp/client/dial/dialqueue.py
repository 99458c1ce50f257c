"""
How many tunnels a client dials at once, and in which order.  A handshake takes a few
milliseconds of work, so that many at once would stop everything for as long.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import IntEnum

MAX_DIALS = 16
"""
So many attempts may be under way.  Over a path of 100 ms that opens some 40 tunnels a second,
and what they bring in one turn of the reactor is a matter of milliseconds.
"""

MAX_UNPROVED_DIALS = 12
"""Sources that may be forged have no more of them at once, so that the others go on."""


LEAST_DIALS = 2
"""Where workers share these numbers, each has at least so many, one of them for a source that is proved."""


class Urgency(IntEnum):
    """
    Names who goes first: a session without any tunnel before a further tunnel of another, and
    of each the source that is proved before the one that may be forged.
    """

    FIRST_OF_PROVED = 0
    FIRST = 1
    FURTHER_OF_PROVED = 2
    FURTHER = 3


FIRST_OF_ALL = frozenset({Urgency.FIRST_OF_PROVED, Urgency.FIRST})
"""What sessions want that have no tunnel."""

UNPROVED = frozenset({Urgency.FIRST, Urgency.FURTHER})
"""What sources want that are not proved."""


class Place:
    """
    Stands for one attempt in the queue, from when it wants to begin until it is over.
    """

    __slots__ = ("_begin", "_queue", "isUnderWay", "urgency")

    def __init__(self, queue: DialQueue, begin: Callable[[], None], urgency: Urgency) -> None:
        """
        @param begin: called when the attempt may begin, once.
        """
        self._queue = queue
        self._begin = begin
        self.urgency = urgency
        self.isUnderWay = False

    def enter(self) -> None:
        """
        Wait; the attempt may begin before this returns.
        """
        self._queue.add(self)

    def begin(self) -> None:
        """
        Begin the attempt: L{DialQueue} calls this.
        """
        self.isUnderWay = True
        self._begin()

    def leave(self) -> None:
        """
        The attempt is over, or is not wanted any more.  To leave again changes nothing.
        """
        self._queue.discard(self)
        self._begin = neverBegin  # and not a method of the attempt, which knows this


def neverBegin() -> None:
    """
    For an attempt that is over.
    """


class DialQueue:
    """
    Lets so many attempts of a client be under way at once, and the others wait.
    """

    def __init__(self, most: int = MAX_DIALS, mostUnproved: int = MAX_UNPROVED_DIALS) -> None:
        """
        @param most: how many may be under way.
        @param mostUnproved: the same of sources that may be forged.
        """
        self._most = most
        self._mostUnproved = mostUnproved
        self._underWay: set[Place] = set()
        self._waiting: dict[Urgency, OrderedDict[Place, None]] = {urgency: OrderedDict() for urgency in Urgency}
        self._unproved = 0  # of those under way
        self._serving = False

    @classmethod
    def ofWorker(cls, processes: int) -> DialQueue:
        """
        @param processes: how many workers there are, which share what may be under way.
        @return: the queue of one of them.
        """
        most = max(LEAST_DIALS, MAX_DIALS // processes)
        return cls(most, most * MAX_UNPROVED_DIALS // MAX_DIALS)

    @property
    def underWay(self) -> int:
        """
        How many attempts have begun and are not over.
        """
        return len(self._underWay)

    @property
    def waiting(self) -> int:
        """
        How many attempts wait to begin.
        """
        return sum(map(len, self._waiting.values()))

    def add(self, place: Place) -> None:
        """
        An attempt wants to begin: now if there is room, or else when it is its turn.
        """
        self._waiting[place.urgency][place] = None
        self._serve()

    def discard(self, place: Place) -> None:
        """
        An attempt is over, or is not wanted any more.
        """
        self._waiting[place.urgency].pop(place, None)
        if place in self._underWay:
            self._underWay.remove(place)
            self._unproved -= place.urgency in UNPROVED
            self._serve()

    def _serve(self) -> None:
        """
        Let those begin for whom there is room.  One that fails at once leaves while it begins,
        and the next begins here, and not inside it.
        """
        if self._serving:
            return
        self._serving = True
        try:
            while len(self._underWay) < self._most and (place := self._next()) is not None:
                self._underWay.add(place)
                self._unproved += place.urgency in UNPROVED
                place.begin()
        finally:
            self._serving = False

    def _next(self) -> Place | None:
        for urgency, places in self._waiting.items():
            if places and (self._unproved < self._mostUnproved or urgency not in UNPROVED):
                return places.popitem(last=False)[0]
        return None

    def checkInvariant(self) -> None:
        """
        What holds between any two calls.

        @raise AssertionError: when it does not.
        """
        assert len(self._underWay) <= self._most
        assert self._unproved == sum(place.urgency in UNPROVED for place in self._underWay) <= self._mostUnproved
        waiting = [urgency for urgency, places in self._waiting.items() if places]
        isFull = len(self._underWay) == self._most
        assert isFull or all(urgency in UNPROVED for urgency in waiting)
        assert isFull or not waiting or self._unproved == self._mostUnproved
