"""
How many links a session wants.  A link costs memory at both ends and a handshake, so a session has
few until what it carries asks for more:

 - Nothing flows to speak of: one.
 - A light flow: two, so that one that turns out dead can be left at once.
 - A flow that loses: some more, since each loss puts a link out of use for a while.  When losses
   come one after the other: as many as a heavy flow.
 - A light flow that goes twice: some more, or as many as a heavy one.  Where losses come in bursts, about two for
   each datagram and copy that are under way, so that the next one finds a link which is behind no hole.
 - A heavy flow: eight at once.  It is heavy when, in one of the directions, more flows in a round trip
   than a connection may send that has rested; or when trains had to wait for a link.

Who dials the links is told at once when more are wanted.  That fewer are, he finds out by asking
(L{Demand.links}).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from uotp.session.notice import doNothing
from uotp.session.scheduling.stickiness import FIRST_WINDOW_BYTES

QUIET_LINKS = 1
LIGHT_LINKS = 2
LOSSY_LINKS = 4
"""
With so many a light flow finds one that is behind no hole: where each is behind one in a twentieth of
the time, all four are in one second of two days.
"""

HEAVY_LINKS = 8
"""
A heavy flow fills a path with so many, also where each of them loses.  With sixteen each carries less, and learns
later of a loss: at 80 Mbit/s and 2 % loss, the slowest hundredth is later by a tenth of a second.
"""

MAX_LINKS = 256
"""A session can have so many links."""

LINKS_PER_DATAGRAM = 1.9
"""
So many links are wanted for each datagram and copy that are under way, where losses come in bursts: half of them
rest.  The number is rounded up to the next power of two.  This is a little less than two, so that a flow which is
measured slightly too high does not get twice as many.
"""

WANTED_SECONDS = 60.0
"""
What was wanted is wanted for so long after the reason for it was seen last.  A handshake costs 6 KB and
some milliseconds of work, and the bursts of somebody who reads pages come more often than that.
"""

QUIET_BYTES = 1024
"""
A session is quiet that carries no more than so much in L{WANTED_SECONDS}, both ways together: the
keepalives of a VPN are 100 to 400 bytes.  A second tunnel would cost each end 34 KB of memory for as long.
"""

SHORTEST_PATH_SECONDS = 0.01
"""
A shorter round trip counts as so long: what comes from UDP comes in bursts, and a rested connection
on a short path sends all it likes after a few of them.
"""

WEIGH_BYTES = FIRST_WINDOW_BYTES // 2
"""It is asked each time so much more has flowed whether that is much: twice in what is much at least."""

HEAVY_WEIGH_SECONDS = 0.5
HEAVY_WEIGH_BYTES = 4 * WEIGH_BYTES
"""A flow that was heavy counts as heavy for so long, and it is not asked for less whether that is over."""

MANY_LOSSES = 3
MANY_LOSSES_SECONDS = 10.0
"""So many losses in so long are a path that loses all the time: one in a minute is chance."""

LOSSES_APART_SECONDS = 0.2
"""
What is said of losses sooner than this after another is taken for the same: links are looked at many times
until a loss is repaired.  When all links are busy with that for longer, more of them are needed.
"""

NOTED_SECONDS = 1.0
"""What is wanted already is noted again no more often than this."""


class Demand:
    """
    Follows what one session carries, and tells how many links it wants.

    @ivar roundTrip: of the path without a queue, in seconds, as far as it is known.
    """

    def __init__(self, now: float) -> None:
        """
        @param now: monotonic seconds.
        """
        self.roundTrip = 0.0
        self._tell: Callable[[], None] = doNothing
        # of each number of links: until when so many are wanted
        self._until: dict[int, float] = {LIGHT_LINKS: now + WANTED_SECONDS}
        self._sent, self._received = Flow(now), Flow(now)
        self._lossesAt: list[float] = []  # the last few
        self._quietBytes = 0  # what had been carried when it was seen last that the session is not quiet
        self._quietSince = now

    def tellWanted(self, call: Callable[[], None]) -> None:
        """
        Make a call each time more links are wanted than before.
        """
        self._tell = call

    def finish(self) -> None:
        """
        The session is over: tell nobody any more.
        """
        self._tell = doNothing

    def links(self, now: float) -> int:
        """
        @return: how many links are wanted: one at least, L{MAX_LINKS} at most.
        """
        return max((links for links, until in self._until.items() if now < until), default=QUIET_LINKS)

    def wantsAtLeast(self, links: int, now: float, seconds: float = WANTED_SECONDS) -> None:
        """
        There is reason to have so many links, from now on for a while.
        """
        if self._until.get(links, 0.0) > now + seconds - NOTED_SECONDS:
            return
        isMore = links > self.links(now)
        self._until[links] = max(self._until.get(links, 0.0), now + seconds)
        if isMore:
            self._until = {each: until for each, until in self._until.items() if now < until}
            self._tell()

    # What the ways out and in see.

    def sent(self, size: int, now: float) -> int:
        """
        So much payload has come from UDP so far.

        @return: how much it will be when this is to be called again.
        """
        return self._flows(self._sent, size, now)

    def received(self, size: int, now: float) -> int:
        """
        So much payload has come from links so far.

        @return: how much it will be when this is to be called again.
        """
        return self._flows(self._received, size, now)

    def _flows(self, flow: Flow, size: int, now: float) -> int:
        if flow.weigh(size, self.roundTrip, now):
            self.wantsAtLeast(HEAVY_LINKS, now)
        return flow.askAt

    def weighsSent(self, now: float) -> bool:
        """
        @return: whether L{sent} would find out by the round trip whether the flow is heavy.  Otherwise it was so a
            moment ago.
        """
        return now >= self._sent.heavyUntil

    def waited(self, now: float) -> None:
        """
        Trains had to wait, since no link took them, and the path has no long queue: all links would
        have to pass it.
        """
        self.wantsAtLeast(HEAVY_LINKS, now)

    def goesTwice(self, underWay: float, now: float, *, inBursts: bool) -> None:
        """
        A light flow goes twice.

        @param underWay: datagrams and copies that are under way at any moment.
        @param inBursts: whether several losses come one after the other.
        """
        links = LOSSY_LINKS if underWay < LOSSY_LINKS else HEAVY_LINKS
        while inBursts and links < LINKS_PER_DATAGRAM * underWay and links < MAX_LINKS:
            links *= 2
        self.wantsAtLeast(links, now)

    def lost(self, now: float) -> None:
        """
        A link repairs a loss, which holds up what it carries.
        """
        if self._lossesAt and now - self._lossesAt[-1] < LOSSES_APART_SECONDS:
            return
        self._lossesAt = [*self._lossesAt[1 - MANY_LOSSES :], now]
        isMuch = len(self._lossesAt) == MANY_LOSSES and now - self._lossesAt[0] < MANY_LOSSES_SECONDS
        self.wantsAtLeast(HEAVY_LINKS if isMuch else LOSSY_LINKS, now)

    def review(self, size: int, now: float) -> None:
        """
        Find out whether the session is quiet.  Call this each few seconds.

        @param size: payload that the session has carried so far, both ways together.
        """
        if size - self._quietBytes > QUIET_BYTES:
            self.wantsAtLeast(LIGHT_LINKS, now)
        elif now - self._quietSince < WANTED_SECONDS:
            return
        self._quietBytes, self._quietSince = size, now


class Flow:
    """
    Follows one direction, as a bucket that leaks what a rested connection may send in each round
    trip, and that overflows when as much is in it.

    @ivar askAt: the amount of payload from which on L{weigh} is to be called.
    @ivar heavyUntil: until when the flow counts as heavy, and what comes is not counted.
    """

    __slots__ = ("_isSkipping", "_level", "_since", "_size", "askAt", "heavyUntil")

    def __init__(self, now: float) -> None:
        """
        @param now: monotonic seconds.
        """
        self._since = now
        self._size = self._level = 0.0
        self.askAt = WEIGH_BYTES
        self.heavyUntil = -math.inf
        self._isSkipping = False

    def weigh(self, size: int, roundTrip: float, now: float) -> bool:
        """
        Find out whether it is heavy, unless it counts as heavy.

        @param size: payload so far.
        @param roundTrip: of the path, in seconds; a very short one counts as L{SHORTEST_PATH_SECONDS}.
        @return: whether it is heavy, and counts as such from now on for a while.
        """
        if now < self.heavyUntil:
            self._isSkipping, self.askAt = True, size + HEAVY_WEIGH_BYTES
            return False
        isHeavy = self._isHeavy(size, max(roundTrip, SHORTEST_PATH_SECONDS), now)
        if isHeavy:
            self.heavyUntil = now + HEAVY_WEIGH_SECONDS
        return isHeavy

    def _isHeavy(self, size: int, roundTrip: float, now: float) -> bool:
        """
        @param size: payload so far.
        @param roundTrip: of the path, in seconds.
        @return: whether more flows in a round trip than a rested connection may send.
        """
        if size < self.askAt:
            return False
        if self._isSkipping:  # nobody knows in what time that came
            self._isSkipping, self._level = False, 0.0
            self._size, self._since, self.askAt = size, now, size + WEIGH_BYTES
            return False
        leaked = FIRST_WINDOW_BYTES * (now - self._since) / roundTrip
        level = max(self._level - leaked, 0.0) + size - self._size
        self._level = min(level, FIRST_WINDOW_BYTES)
        self._size, self._since, self.askAt = size, now, size + WEIGH_BYTES
        return level >= FIRST_WINDOW_BYTES
