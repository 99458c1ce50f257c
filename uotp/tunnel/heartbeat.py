"""
Pings tell whether the program at the other end of a tunnel is alive, and how long its
answers take.  Never more than one ping of a tunnel is on its way.

The life of a heartbeat is a table, L{HEARTBEAT_STATES}.  A link that carries trains pings every
L{BUSY_SECONDS}.  One that hears nothing pings now and then; a ping that is due goes with the
next train, if one comes soon.  A pong that does not come in a few round trips is overdue, and the link carries
nothing until it comes.  When it does not come, the tunnel is given up.

How long that is follows the path.  The kernel's round trip is known before the first pong, and
has in it whatever waits in queues on the way, also what we have sent ourselves.  And a ping may
wait behind much that was written before it.  As long as the other kernel has not acknowledged
the ping, but acknowledges what goes before it, the path is slow and not dead: we wait.  What
decides then is the ping itself:

 - It is not acknowledged, nor is anything before it: the path is dead, or the other program has
   not read for so long that its kernel takes nothing more.
 - It is acknowledged, and no pong comes: the other program stands still.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Protocol

from uotp.path import LONGEST_ROUND_TRIP_SECONDS
from uotp.process import StateMachine
from uotp.wire import PING_BYTES

BUSY_SECONDS = 2.0
"""The time between two pings of a tunnel that carries, or a little less (L{JOIN_SECONDS})."""

JOIN_SECONDS = 0.125
"""
For so long before it has to be sent a ping waits for a train to go with.  Alone it is a record and a turn of
the reactor more at both ends, and a light flow sends few trains in L{BUSY_SECONDS}.
"""

IDLE_SECONDS = 40.0
"""
A ping is sent when a tunnel has carried nothing for so long and the other end has not asked, whatever else has come:
so it is never silent for longer.  Relays are often set to close a connection that was silent for 50 s.  The kernel
finds out sooner when the path is gone.  With a thousand idle tunnels this is most of what a server has to do.
"""

ACCEPTED_IDLE_SECONDS = 45.0
"""
The same for a tunnel that was accepted.  It is longer by more than a ping takes, so that of two ends that are well
only one pings.
"""

PATIENCE_ROUND_TRIPS = 4.0
LEAST_PATIENCE_SECONDS = 0.5
MOST_PATIENCE_SECONDS = 4.0
"""
A pong is overdue after so many round trips, within these bounds.  The least is the time to
repair a segment that was lost twice; in the most, a new connection could be made where the
round trip is not longer than a second.
"""

LONG_PATIENCE_ROUND_TRIPS = 2.5
"""
Where so many round trips are more than L{MOST_PATIENCE_SECONDS}, they are the most: in them a
segment that was lost is repaired.
"""

WAY_SHARE = 2.0
"""
A ping that was under way for long may have as long until its pong comes: a relay on the way, which
acknowledges what it has not yet passed on, may have a queue as well.
"""

MOST_HEARD_SECONDS = 10.0
"""
While anything else comes, the pong may take so long: it waits behind that.  What comes may also
have been under way when the other program stopped, so there is a bound.
"""

FIRST_PATIENCE_SECONDS = 2.0
"""
The first pong is overdue after so long at least, since nothing is known then of how soon the other
program answers.
"""

GIVE_UP_SECONDS = 1.5
"""
A pong may be overdue for so long, or for a round trip where that is longer, before the tunnel is
given up: the path may be broken for a moment.
"""

ACCEPTED_GIVE_UP_SECONDS = 9.0
"""
The same for a tunnel that was accepted.  Whoever dialled it makes another before it closes
this one, and trains that are on their way may still arrive.  A peer that reads nothing is gone
after 10 s where the path is short.
"""

LEAST_WAIT_SECONDS = 0.001
"""A shorter wait is not worth a timer."""

LEAST_ROUND_TRIP_SECONDS = 1e-6
"""No round trip is shorter; 0 stands for one that is not known."""

FRESH_SHARE = 0.25
"""
A longer round trip has this share in the smoothed one.  A shorter one replaces it at once: if
others were longer, that was not because of the path.
"""


class HeartbeatState(Enum):
    """
    Names what is known of the other end.
    """

    QUIET = auto()
    ASKED = auto()
    OVERDUE = auto()
    GIVEN_UP = auto()
    STOPPED = auto()


class HeartbeatEvent(Enum):
    """
    Names what can happen to a heartbeat.
    """

    ASK = auto()
    ANSWER = auto()
    LATE = auto()
    STOP = auto()


HEARTBEAT_STATES: dict[tuple[HeartbeatState, HeartbeatEvent], HeartbeatState] = {
    (HeartbeatState.QUIET, HeartbeatEvent.ASK): HeartbeatState.ASKED,
    (HeartbeatState.QUIET, HeartbeatEvent.STOP): HeartbeatState.STOPPED,
    (HeartbeatState.ASKED, HeartbeatEvent.ANSWER): HeartbeatState.QUIET,
    (HeartbeatState.ASKED, HeartbeatEvent.LATE): HeartbeatState.OVERDUE,
    (HeartbeatState.ASKED, HeartbeatEvent.STOP): HeartbeatState.STOPPED,
    (HeartbeatState.OVERDUE, HeartbeatEvent.ANSWER): HeartbeatState.QUIET,
    (HeartbeatState.OVERDUE, HeartbeatEvent.LATE): HeartbeatState.GIVEN_UP,
    (HeartbeatState.OVERDUE, HeartbeatEvent.STOP): HeartbeatState.STOPPED,
    (HeartbeatState.GIVEN_UP, HeartbeatEvent.ANSWER): HeartbeatState.QUIET,
    (HeartbeatState.GIVEN_UP, HeartbeatEvent.STOP): HeartbeatState.STOPPED,
}
"""The state that each event leads to.  A pair that is not here changes nothing."""


class HeartbeatOwner(Protocol):
    """
    Is told what a heartbeat finds out.  A link is such an owner.
    """

    def pathRoundTrip(self) -> float:
        """
        @return: the round trip that the kernel sees, here or where the session's load passes the
            same queue, in seconds; 0 where it does not tell.
        """

    def delivery(self) -> tuple[int, int] | None:
        """
        @return: how many bytes the other kernel has acknowledged so far, and how many more
            have been written; L{None} where the kernel does not tell.
        """

    def pongOverdue(self) -> None:
        """
        The other end has not answered in time.
        """

    def pongCame(self) -> None:
        """
        The other end answers again, after L{pongOverdue}.
        """

    def pongGivenUp(self) -> None:
        """
        The other end has not answered for so long that the tunnel had better be
        replaced.
        """


class Heartbeat(StateMachine[HeartbeatState, HeartbeatEvent]):
    """
    Decides when one link pings, and judges by the pongs whether the other end is alive.

    @ivar roundTrip: the round trip, smoothed, in seconds; 0 while it is not known.
    @ivar carried: the link sets this when it sends trains.
    @ivar heard: the link sets this when anything has come.
    @ivar due: whether a ping is to go with the next train.
    @ivar isProving: whether the tunnel is given up as soon as the pong is overdue.
    """

    def __init__(
        self,
        clock: Any,
        owner: HeartbeatOwner,
        ping: Callable[[bytes], None],
        giveUpSeconds: float = GIVE_UP_SECONDS,
        idleSeconds: float = IDLE_SECONDS,
    ) -> None:
        """
        @param clock: C{IReactorTime}.
        @param owner: is told what is found out.
        @param ping: sends a ping that carries these bytes.
        @param giveUpSeconds: how long an answer may be overdue.
        @param idleSeconds: how long a tunnel may be silent.
        """
        super().__init__(clock, HEARTBEAT_STATES, HeartbeatState.QUIET)
        self._ping = ping
        self._giveUpSeconds = giveUpSeconds
        self._idleSeconds = idleSeconds
        self._owner = owner
        self._asked = 0
        self._askedAt = 0.0
        self.isProving = False
        self._pingEndsAt: int | None = None  # in the bytes of the connection, where that is known
        self._acknowledged = 0  # of them, when we looked last
        self._wayTook = 0.0  # for so long at least the ping was under way
        self.roundTrip = 0.0
        self._isIdle = False  # it was asked last since it was silent
        self.carried = self.heard = self.due = False

    def _wait(self, seconds: float) -> None:
        self._setTimer(seconds, self._waited)

    def _waited(self) -> None:
        self._timer = None
        if self.state is HeartbeatState.QUIET:
            self._wasQuiet()
        elif self.state is HeartbeatState.ASKED:
            self._wasAsked()
        elif self._advance(HeartbeatEvent.LATE):
            self._owner.pongGivenUp()

    # Asking.

    def ask(self) -> None:
        """
        Send a ping now, unless one is on its way.
        """
        payload = self.join()
        if payload is not None:
            self._ping(payload)
            self.written()

    def join(self) -> bytes | None:
        """
        Begin a ping that the caller sends together with trains, and tells then that it is
        L{written}.

        @return: what the ping is to carry, or L{None} when one is on its way.
        """
        self.due = False
        if not self._advance(HeartbeatEvent.ASK):
            return None
        self._asked += 1
        self._askedAt = self._clock.seconds()
        self.carried = self.heard = False
        self._pingEndsAt = None
        self._wayTook = 0.0
        self._isIdle = False
        self._wait(self._patience())
        return self._asked.to_bytes(PING_BYTES, "big")

    def written(self) -> None:
        """
        The ping has been written, with all that goes before it.
        """
        delivery = self._owner.delivery()
        if delivery is not None:
            self._acknowledged = delivery[0]
            self._pingEndsAt = sum(delivery)

    def _longestRoundTrip(self) -> float:
        return max(self.roundTrip, self._owner.pathRoundTrip())

    def _patience(self) -> float:
        roundTrip = self._longestRoundTrip()
        most = max(MOST_PATIENCE_SECONDS, LONG_PATIENCE_ROUND_TRIPS * roundTrip)
        least = LEAST_PATIENCE_SECONDS if self.roundTrip else FIRST_PATIENCE_SECONDS
        return min(max(PATIENCE_ROUND_TRIPS * roundTrip, least), most)

    def _isUnderWay(self) -> bool:
        """
        @return: whether the ping waits behind what the other kernel has acknowledged more of
            since this was asked last.
        """
        delivery = None if self._pingEndsAt is None else self._owner.delivery()
        if delivery is None or self._pingEndsAt is None:
            return False
        before, self._acknowledged = self._acknowledged, delivery[0]
        return before < self._acknowledged < self._pingEndsAt

    def _wasQuiet(self) -> None:
        if self.due:
            isIdle = not self.carried
            self.ask()
            self._isIdle = isIdle
            return
        if self.carried:
            self.due = True
            self._wait(max(BUSY_SECONDS - (self._clock.seconds() - self._askedAt), 0))
        else:
            self._rest()

    def _rest(self) -> None:
        """
        Ask with the next train, or else when the other end has not asked for a while.
        """
        self.due = True
        self._wait(self._idleSeconds)

    def pinged(self) -> None:
        """
        The other end has asked.  So it is there, and the silence begins anew.
        """
        isResting = self.state is HeartbeatState.QUIET and self.due and not self.carried
        if isResting and self._timer is not None:
            self._timer.reset(self._idleSeconds)

    def prove(self) -> None:
        """
        Find out soon whether the other end can still be reached: ping now, and give it up
        as soon as the pong is overdue.
        """
        self.isProving = True
        self.heard = False
        self.ask()
        if self.state is HeartbeatState.ASKED:  # now, or before this call
            assert self._timer is not None
            self._timer.reset(self._patience())
        elif self._advance(HeartbeatEvent.LATE):
            self._owner.pongGivenUp()

    # Answers.

    def answered(self, payload: bytes) -> bool:
        """
        A pong came.  One that answers no ping of ours is ignored.

        @param payload: what the pong carried.
        @return: whether it answers the last ping, and so tells the round trip.
        """
        wasAsked = self.state is HeartbeatState.ASKED
        if payload != self._asked.to_bytes(PING_BYTES, "big") or not self._advance(HeartbeatEvent.ANSWER):
            return False
        took = min(max(self._clock.seconds() - self._askedAt, LEAST_ROUND_TRIP_SECONDS), LONGEST_ROUND_TRIP_SECONDS)
        isShorter = not 0 < self.roundTrip <= took
        self.roundTrip += (took - self.roundTrip) * (1 if isShorter else FRESH_SHARE)
        self.isProving = False
        if self._isIdle and not self.carried:
            self._rest()
        else:
            self._wait(max(BUSY_SECONDS - JOIN_SECONDS - took, 0))
        if not wasAsked:
            self._owner.pongCame()
        return True

    def _wasAsked(self) -> None:
        """
        The pong has not come in time.  Wait longer if the ping is still under way; if anything
        else has come, since an end that sends much may answer late; or if the round trip has
        grown since.  Otherwise the pong is overdue.
        """
        took, patience = self._clock.seconds() - self._askedAt, self._patience()
        isUnderWay = self._isUnderWay()
        if self._pingEndsAt is not None and self._acknowledged >= self._pingEndsAt:
            patience = max(patience, WAY_SHARE * self._wayTook)
        more = patience - took
        if isUnderWay:
            self._wayTook = min(took, LONGEST_ROUND_TRIP_SECONDS)
            more = patience
        elif self.heard:
            more = max(more, min(patience, MOST_HEARD_SECONDS - took))
        if more > LEAST_WAIT_SECONDS:
            self.heard = False
            self._wait(more)
        elif self._advance(HeartbeatEvent.LATE):
            self._wait(max(self._giveUpSeconds, self._longestRoundTrip()))
            self._owner.pongOverdue()
            if self.isProving and self._advance(HeartbeatEvent.LATE):
                self._owner.pongGivenUp()

    def stop(self) -> None:
        """
        Ping no more.
        """
        self._advance(HeartbeatEvent.STOP)
        self.due = False

    def release(self) -> None:
        """
        Let go of the link, after a stop: in that state nobody is pinged and nobody told.
        """
        del self._owner, self._ping
