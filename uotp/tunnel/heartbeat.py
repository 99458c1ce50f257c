"""
Whether the program at the other end of a tunnel lives, and how long it takes to get an
answer from it: pings, of which never more than one is on its way.

The life of a heartbeat is a table, L{HEARTBEAT_STATES}.  A tunnel that carries is asked every
L{BUSY_SECONDS}, with the next train or without; one that hears nothing, now and then.
An answer that does not come in a few round trips is overdue: the tunnel is not to be
relied on until it comes.  When it stays away, the tunnel is given up.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Protocol

from uotp.process import StateMachine
from uotp.wire import PING_BYTES

BUSY_SECONDS = 2.0
"""Between two pings of a tunnel that carries."""

IDLE_SECONDS = 15.0
"""
How long a tunnel may be silent before it is asked, at least, and twice that at most.
That the path is gone the kernel finds sooner.
"""

PATIENCE_ROUND_TRIPS = 4.0
LEAST_PATIENCE_SECONDS = 0.5
MOST_PATIENCE_SECONDS = 4.0
"""
An answer is overdue after so many round trips, but not before a segment that was lost
twice has been repaired, and when a connection would be made anew in the same time.
"""

FIRST_PATIENCE_SECONDS = 2.0
"""While nothing is known of the round trip."""

GIVE_UP_SECONDS = 1.5
"""After an answer has become overdue.  Until then, it may be a short break of the path."""

ACCEPTED_GIVE_UP_SECONDS = 10.0
"""
The same where the tunnel was accepted: who has dialled it makes another before it lets
this one go, and what is under way may yet arrive.
"""

LEAST_WAIT_SECONDS = 0.001
"""Less is not worth a timer."""

LEAST_ROUND_TRIP_SECONDS = 1e-6
"""Shorter than any: 0 is for one that is not known."""

FRESH_SHARE = 0.25
"""
Of a new round trip in the smoothed one, if it is longer.  One that is shorter counts at
once: what made the others longer was no matter of the path.
"""


class HeartbeatState(Enum):
    """
    What is known of the other end.
    """

    QUIET = auto()
    ASKED = auto()
    OVERDUE = auto()
    GIVEN_UP = auto()
    STOPPED = auto()


class HeartbeatEvent(Enum):
    """
    What can happen.
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
"""What each event leads to.  A pair that is not here changes nothing."""


class HeartbeatOwner(Protocol):
    """
    A tunnel, as its heartbeat sees it.
    """

    def pathRoundTrip(self) -> float:
        """
        @return: the round trip that the kernel sees, in seconds; 0 where it does not
            tell.
        """

    def pongOverdue(self) -> None:
        """
        The other end does not answer in time.
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
    The pings of one tunnel.

    @ivar roundTrip: smoothed, in seconds; 0 while it is not known.
    @ivar carried: set by the tunnel when it sends trains.
    @ivar heard: set by the tunnel when anything has come.
    @ivar due: whether the next train is to take a ping along.
    """

    def __init__(
        self,
        clock: Any,
        owner: HeartbeatOwner,
        ping: Callable[[bytes], None],
        giveUpSeconds: float = GIVE_UP_SECONDS,
    ) -> None:
        """
        @param clock: C{IReactorTime}.
        @param ping: sends a ping that carries this.
        @param giveUpSeconds: how long an answer may be overdue.
        """
        super().__init__(clock, HEARTBEAT_STATES, HeartbeatState.QUIET)
        self._ping = ping
        self._giveUpSeconds = giveUpSeconds
        self._owner = owner
        self._asked = 0
        self._askedAt = 0.0
        self._proving = False
        self.roundTrip = 0.0
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

    def join(self) -> bytes | None:
        """
        @return: what a ping is to carry that the caller sends now, or L{None} when
            one is on its way.
        """
        self.due = False
        if not self._advance(HeartbeatEvent.ASK):
            return None
        self._asked += 1
        self._askedAt = self._clock.seconds()
        self.carried = self.heard = False
        self._wait(self._patience())
        return self._asked.to_bytes(PING_BYTES, "big")

    def _patience(self) -> float:
        if not self.roundTrip:
            return FIRST_PATIENCE_SECONDS
        roundTrip = max(self.roundTrip, self._owner.pathRoundTrip())
        return min(max(PATIENCE_ROUND_TRIPS * roundTrip, LEAST_PATIENCE_SECONDS), MOST_PATIENCE_SECONDS)

    def _wasQuiet(self) -> None:
        if self.carried or (self.due and not self.heard):
            self.ask()
            return
        self.heard = False
        self.due = True
        self._wait(IDLE_SECONDS)

    def prove(self) -> None:
        """
        The other end may be out of reach since a moment ago: ask now, and give it up
        when the answer is overdue.
        """
        self._proving = True
        self.heard = False
        self.ask()
        if self.state is HeartbeatState.ASKED:  # maybe before
            assert self._timer is not None
            self._timer.reset(self._patience())
        elif self._advance(HeartbeatEvent.LATE):
            self._owner.pongGivenUp()

    # Answers.

    def answered(self, payload: bytes) -> bool:
        """
        A pong came.  One that nobody has asked for is nothing.

        @param payload: what it carried.
        @return: whether it was asked for, and tells the round trip.
        """
        wasAsked = self.state is HeartbeatState.ASKED
        if payload != self._asked.to_bytes(PING_BYTES, "big") or not self._advance(HeartbeatEvent.ANSWER):
            return False
        took = max(self._clock.seconds() - self._askedAt, LEAST_ROUND_TRIP_SECONDS)
        isShorter = not 0 < self.roundTrip <= took
        self.roundTrip += (took - self.roundTrip) * (1 if isShorter else FRESH_SHARE)
        self._proving = False
        self._wait(max(BUSY_SECONDS - took, 0))
        if not wasAsked:
            self._owner.pongCame()
        return True

    def _wasAsked(self) -> None:
        """
        Whoever sends much may answer late: what comes says that the path is there.  And
        a queue that has grown since may have made the path longer.
        """
        now = self._clock.seconds()
        left = self._askedAt + MOST_PATIENCE_SECONDS - now
        more = self._patience() if self.heard else self._askedAt + self._patience() - now
        if left > 0 and more > LEAST_WAIT_SECONDS:
            self.heard = False
            self._wait(min(more, left))
        elif self._advance(HeartbeatEvent.LATE):
            self._wait(self._giveUpSeconds)
            self._owner.pongOverdue()
            if self._proving and self._advance(HeartbeatEvent.LATE):
                self._owner.pongGivenUp()

    def stop(self) -> None:
        """
        Ask no more.
        """
        self._advance(HeartbeatEvent.STOP)
        self.due = False
