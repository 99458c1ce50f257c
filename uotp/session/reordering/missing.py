"""
When a session tells the other end which of its datagrams have not come, though later ones have.

What TCP repairs is there a round trip after the gap was seen, or long after when nothing follows on that
connection.  The other end can send it again sooner, through a connection that is well, if it is told.

 - A small gap is told soon: a few datagrams, of which the other end sends no more than these again.
 - A large one is what stands behind a lost segment.  TCP repairs it, so it is told only when that takes
   longer than a round trip and a bit.
 - Each gap is told again when what was asked for should have come, a few times.
 - While nothing comes again for what was told, and all comes from where it was sent first, telling is in vain: trains
   only wait in a kernel, or for a processor.  Then a gap is told now and then, until something comes again.

Pure: time comes in with each call.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from uotp.train import LAST_NUMBER, Missing

SMALL_GAP = 16
"""A gap of no more datagrams is small."""

SOON_SECONDS = 0.003
SOON_ROUND_TRIPS = 0.06
"""
A small gap is told when it is so old.  Two connections of one path differ by less, mostly; and who tells
too early has a few datagrams sent twice.
"""

REPAIR_ROUND_TRIPS = 1.25
REPAIR_SECONDS = 0.01
"""A repair takes a round trip and a bit: then a large gap is told, and any gap once more."""

MOST_TELLS = 4
"""A gap is told so often.  What has not come by then, its own connection brings, or nobody."""

GAPS_AT_ONCE = 8
"""So many gaps are told in one frame."""

MOST_IN_VAIN = 8
IN_VAIN_SECONDS = 0.25
"""When so many gaps, one soon after the other, were told in vain, gaps are told no more often than this."""

SOON_AFTER_SECONDS = 1.0
"""What comes longer after the one before is the first of its kind."""


class ToldGap:
    """
    Remembers of one gap when it was told.
    """

    __slots__ = ("again", "times")

    def __init__(self, again: float) -> None:
        self.again = again
        self.times = 1


class MissingReports:
    """
    Decides for one session which gaps are to be told, and when.

    @ivar roundTrip: of the path, in seconds; 0 while it is not known.
    @ivar restsUntil: until when nothing is told, in monotonic seconds, because it was in vain.
    """

    def __init__(self) -> None:
        self.roundTrip = 0.0
        self.restsUntil = -math.inf
        self._inVain = 0  # how many gaps were told, one soon after the other, and nothing came again
        self._inVainAt = -math.inf
        self._told: dict[int, ToldGap] = {}  # by the gap's last number, which stays while its beginning is filled

    def due(
        self, gaps: list[tuple[int, int, float]], now: float, pause: float = 0.0
    ) -> tuple[list[Missing], float | None]:
        """
        @param gaps: the first of those that there are, in order: first number, number behind the last, and
            since when it is known.
        @param now: monotonic seconds, as the gaps have it.
        @param pause: seconds in which nothing came before that which shows a new gap; what is missing was
            expected in that time.
        @return: what is to be told now, and when to ask again, if ever.
        """
        told, self._told = self._told, {}
        repair = self.roundTrip * REPAIR_ROUND_TRIPS + REPAIR_SECONDS
        missing: list[Missing] = []
        askAt: float | None = None
        for begin, end, since in gaps[:GAPS_AT_ONCE]:
            before = told.get(end)
            count = end - begin
            if before is None:
                soon = max(SOON_SECONDS, SOON_ROUND_TRIPS * self.roundTrip)
                at = since + (max(soon - pause, 0.0) if count <= SMALL_GAP else repair)
            else:
                at = before.again
            if now >= at and (before is None or before.times < MOST_TELLS):
                missing.append((begin & LAST_NUMBER, count))
                at = now + repair
                if before is None:
                    before = ToldGap(at)
                else:
                    before.again = at
                    before.times += 1
            if before is not None:
                self._told[end] = before
                if before.times >= MOST_TELLS:
                    continue
            askAt = at if askAt is None else min(askAt, at)
        if missing and self._inVain >= MOST_IN_VAIN and now - self._inVainAt <= SOON_AFTER_SECONDS:
            askAt = self.restsUntil = now + IN_VAIN_SECONDS
        return missing, askAt

    @property
    def areOpen(self) -> bool:
        """
        Whether something was told that may not have come yet.
        """
        return bool(self._told)

    def filled(self, isMissing: Callable[[int], bool], now: float) -> None:
        """
        Something has come that was sent for the first time, and it may have filled gaps that were told.

        @param isMissing: see L{closed}.
        """
        for _ in range(self.closed(isMissing)):
            if now - self._inVainAt > SOON_AFTER_SECONDS:
                self._inVain = 0
            self._inVain += 1
            self._inVainAt = now

    def closed(self, isMissing: Callable[[int], bool]) -> int:
        """
        Gaps that were told may be none any more, since they were given up, or filled by what was sent again.

        @param isMissing: tells of the number behind a gap whether the gap is still there.
        @return: how many are none any more.
        """
        ends = [end for end in self._told if not isMissing(end)]
        for end in ends:
            del self._told[end]
        return len(ends)

    def answered(self) -> None:
        """
        Something has come that was sent again.
        """
        self._inVain, self.restsUntil = 0, -math.inf

    def restart(self) -> None:
        """
        The other end counts anew.
        """
        self._told.clear()
        self.answered()
