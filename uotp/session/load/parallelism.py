"""
How many of a session's links may carry at once under overload.

Each link is a TCP connection that takes as much of the path as it can get.  Where the links
together fill the path, more of them only make the queue before its narrowest place overflow
again and again: a tenth of what is sent is lost and sent twice, and all that came behind a
lost segment waits at the other end.  Few links carry as much, sooner and in order.  But
where segments are lost without a queue, as on a bad radio path, each link that carries adds
to the sum.

What tells the two apart:

 - Many segments are repeated, and the round trip is long: a queue overflows.  The number is halved.
 - Some are repeated, and the round trip is short: the path loses by itself.  The number is doubled.
 - Otherwise what the other kernels acknowledge tells.  One link that fills the path brings as much as many do, and
   two with BBR keep each other's queue full.  So half of the links are tried while there is a queue, and they
   stay where they bring as much.  More are tried while datagrams wait, and stay where they bring more, or make no
   queue.  After a trial in vain, the next one is after a longer and longer pause.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uotp.path import PathStats
from uotp.session.demand import MAX_LINKS
from uotp.session.load.trial import (
    LONGEST_PAUSE_SECONDS,
    STEADY_SECONDS,
    Acknowledged,
    Pause,
    Trial,
    Verdict,
    briefly,
    settlingSeconds,
)

REPEATED_SHARE = 0.02
"""A queue overflows where this share of the segments is repeated, and the round trip is long."""

LEAST_REPEATED_SHARE = 0.002
"""A path loses by itself where this share of the segments is repeated, and the round trip is short."""

LONG_ROUND_TRIP = 1.25
LONG_ROUND_TRIP_SECONDS = 0.003
"""
A round trip is long when it exceeds so many times the least of late, and so many seconds
more.  On a short path the computers' own time is most of it, which the seconds are for.
"""

QUEUE_SECONDS = 0.01
"""
There is a queue where a long round trip is so much longer than the least.  With a shorter one there is no
delay worth a trial of fewer links: on a short path what is measured is how busy the computers are.
"""

LEAST_SEGMENTS = 50
"""The repeated share of fewer segments says nothing."""

HALVING_SECONDS = 1.0
"""The time between two halvings.  What was in flight before the first has to be gone."""

FIRST_PARALLELISM = 2
"""
A heavy load begins with so many links, and has twice as many as soon as datagrams wait.  They are too few to overflow
the queue of a slow path at once, and in a second there can be eight.
"""

UNDECIDED_SECONDS = 8.0
"""Where there is now a queue and now none, one link more is tried after so long all the same."""

NO_LOAD_SECONDS = 1.0
"""Where nothing was judged for so long, no datagram has waited, and another load begins."""


class Parallelism:
    """
    Decides how many links of one session may carry at once.

    @ivar most: how many may carry, whether or not there are as many.
    """

    __slots__ = (
        "_acknowledged",
        "_before",
        "_changedAt",
        "_enoughUntil",
        "_halveAt",
        "_judgedAt",
        "_longAt",
        "_noQueueAt",
        "_pauseOfFewer",
        "_pauseOfMore",
        "_queueAt",
        "_trial",
        "most",
    )

    def __init__(self, now: float) -> None:
        """
        @param now: monotonic seconds, as in L{judge}.
        """
        self.most = FIRST_PARALLELISM
        self._before: dict[Any, PathStats] = {}
        self._acknowledged = Acknowledged()
        self._trial: Trial | None = None
        self._longAt = self._queueAt = self._noQueueAt = now  # when it was so
        self._judgedAt = self._changedAt = self._halveAt = now
        self._pauseOfMore, self._pauseOfFewer = Pause(now), Pause(now)
        self._enoughUntil = now  # fewer have brought as much

    def judge(self, paths: Mapping[Any, PathStats], now: float) -> int:
        """
        Decide anew.  Call this a few times a second while datagrams wait or have waited.

        @param paths: what the kernel tells of each link.
        @return: how many may carry; all where the system does not tell.
        """
        if not paths:
            return self.reset()
        if now - self._judgedAt > NO_LOAD_SECONDS:
            self._loadBegins(now)
            if self.most < len(paths) and now >= self._pauseOfMore.endsAt:
                self.most = 2 * self.most  # one of those that carry may be dead
        self._judgedAt = now
        before, links = self._before, len(paths)
        sent = repeated = acknowledged = mostSent = 0
        busiest: PathStats | None = None  # one that rests tells of the path as it was
        for link, path in paths.items():
            earlier = before.setdefault(link, path)
            acknowledged += path.acknowledged - earlier.acknowledged
            segments = path.sent - earlier.sent & 0xFFFFFFFF
            sent += segments
            repeated += path.repeated - earlier.repeated & 0xFFFFFFFF
            if segments > mostSent:
                mostSent, busiest = segments, path
        if busiest is not None and sent >= LEAST_SEGMENTS:
            self._before = dict(paths)
            self._acknowledged.count(acknowledged, now)
            self._note(busiest.roundTrip, min(path.leastRoundTrip for path in paths.values()), now)
            self._decide(links, busiest.roundTrip, repeated / sent, now)
        return min(self.most, links)

    def _note(self, roundTrip: float, least: float, now: float) -> None:
        """
        Take note of whether the round trip is long, and whether that is because of a queue.
        """
        isLong = roundTrip > least * LONG_ROUND_TRIP + LONG_ROUND_TRIP_SECONDS
        if isLong:
            self._longAt = now
        if isLong and roundTrip - least > QUEUE_SECONDS:
            self._queueAt = now
        else:
            self._noQueueAt = now

    def _decide(self, links: int, roundTrip: float, repeatedShare: float, now: float) -> None:
        if self._longAt == now and repeatedShare > REPEATED_SHARE:
            self._queueOverflows(links, now)
        elif self._losesByItself(repeatedShare, now) and self.most < links:
            self._longAt = now
            self._carry(min(2 * self.most, links), now)
        else:
            if self._trial is not None:
                self._end(self._trial, roundTrip, now)
            if self._trial is None:
                self._tryAnother(links, roundTrip, now)

    def _queueOverflows(self, links: int, now: float) -> None:
        carrying = min(self.most, links)
        if self._trial is not None:
            self._halveAt = now + HALVING_SECONDS
            self._conclude(self._trial, now, moreAreBetter=False)
        elif carrying > 1 and now >= self._halveAt:
            self._halveAt = now + HALVING_SECONDS
            self._carry(carrying // 2, now)
            self._pauseOfMore.begin(now, wasInVain=False)

    def _losesByItself(self, repeatedShare: float, now: float) -> bool:
        """
        @return: whether the path does, and no trial shows, or may show soon, that fewer are enough.
        """
        mayBeEnough = self._trial is not None and self._trial.areFewer
        isShort = now - self._longAt >= STEADY_SECONDS
        return isShort and repeatedShare > LEAST_REPEATED_SHARE and now >= self._enoughUntil and not mayBeEnough

    def _tryAnother(self, links: int, roundTrip: float, now: float) -> None:
        carrying = min(self.most, links)
        isMoreDue = self.most < links and now >= self._pauseOfMore.endsAt
        if now - self._noQueueAt >= STEADY_SECONDS:
            if carrying > 1 and now >= self._pauseOfFewer.endsAt:
                self._try(carrying // 2, STEADY_SECONDS, roundTrip, now)
            elif isMoreDue:
                self._try(self.most + 1, STEADY_SECONDS, roundTrip, now)
        elif isMoreDue and now - self._queueAt >= STEADY_SECONDS:
            self._try(2 * self.most, briefly(roundTrip), roundTrip, now)
        elif isMoreDue and now - self._changedAt >= UNDECIDED_SECONDS:
            self._try(self.most + 1, STEADY_SECONDS, roundTrip, now)

    def _try(self, most: int, seconds: float, roundTrip: float, now: float) -> None:
        rate = self._acknowledged.rate(seconds)
        if rate:
            settledAt = now + settlingSeconds(roundTrip)
            hadQueue = now - self._queueAt < STEADY_SECONDS
            trial = Trial(self.most, most, rate, now, settledAt, hadQueue=hadQueue)
            self._carry(most, now)
            self._trial = trial

    def _carry(self, most: int, now: float) -> None:
        """
        Let so many carry.  What is acknowledged is measured anew, and a trial is over.
        """
        self.most = most
        self._trial = None
        self._changedAt = now
        self._acknowledged.begin()

    def _end(self, trial: Trial, roundTrip: float, now: float) -> None:
        """
        Go on with the number that is better, once a trial shows which one that is.
        """
        verdict = trial.verdict(self._acknowledged, self._queueAt, roundTrip, now)
        if verdict is Verdict.MORE_DO_NO_HARM:
            self._trial = None
        elif verdict is not None:
            self._conclude(trial, now, moreAreBetter=verdict is Verdict.MORE_BRING_MORE)

    def _conclude(self, trial: Trial, now: float, *, moreAreBetter: bool) -> None:
        self._trial = None
        if trial.areFewer == moreAreBetter:
            self._carry(trial.before, now)
        if moreAreBetter:
            self._pauseOfFewer.begin(now, wasInVain=trial.areFewer)
        else:
            self._pauseOfMore.begin(now, wasInVain=not trial.areFewer)
            if trial.areFewer:
                self._enoughUntil = self._pauseOfMore.endsAt

    def rest(self, now: float) -> None:
        """
        Somebody else decides for now.  What happens meanwhile does not count.
        """
        self._loadBegins(now)
        self._judgedAt = now

    def _loadBegins(self, now: float) -> None:
        """
        What was measured says nothing about this load.  A number that was being tried stays where it promised to
        bring more, or loads that are shorter than a trial would never have more.
        """
        trial = self._trial
        if trial is not None and trial.hasMadeQueue(self._queueAt):  # as with fewer, which only a queue makes us try
            self.most = trial.before
            if not trial.areFewer:
                self._pauseOfMore.begin(now, wasInVain=True)
        self._carry(self.most, now)
        self._before.clear()
        if now - self._judgedAt > LONGEST_PAUSE_SECONDS:
            self._pauseOfMore, self._pauseOfFewer = Pause(now), Pause(now)

    def forget(self, link: Any) -> None:
        """
        A link is gone.
        """
        self._before.pop(link, None)

    def reset(self) -> int:
        """
        Let all links carry, because those that did stand still, or because the system tells
        nothing of them.

        @return: L{most}.
        """
        self._carry(MAX_LINKS, self._judgedAt)
        return self.most
