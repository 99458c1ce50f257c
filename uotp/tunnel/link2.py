"""
What is spoken on an open tunnel in format 2: numbered trains, pings, and a farewell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uotp.boundaries import TrainsOfTunnel
from uotp.train import Arrival, Train
from uotp.tunnel.heartbeat import Heartbeat
from uotp.tunnel.link import Link, Speaker
from uotp.tunnel.readiness import Readiness
from uotp.tunnel.unacked import Unacked
from uotp.wire import Format2Codec, Kind, controlFrame, frameAgain


class Format2Link(Link):
    """
    Numbered trains, pings, and a farewell.
    """

    def __init__(self, speaker: Speaker, session: TrainsOfTunnel, readiness: Readiness, clock: Any) -> None:
        """
        See L{Link}.

        @param clock: C{IReactorTime}.
        """
        super().__init__(speaker, session, readiness)
        self._seconds: Callable[[], float] = clock.seconds
        self._numbering = session.numbering
        self._codec = Format2Codec(session.numbering)
        self._unconfirmed = Unacked()
        self._askedBehind = 0  # so much payload was sent before the last ping
        self._heartbeat = Heartbeat(clock, self, self._ping, speaker.giveUpSeconds)
        self._owed: bytes | None = None  # by us, for a ping
        self._saidDrain = False
        self.encode = self._encode

    def _encode(self, trains: list[Train]) -> bytes:
        """
        Number trains and make frames of them, with a ping behind them when one is due.
        """
        heartbeat = self._heartbeat
        heartbeat.carried = True
        self._keep(trains)
        frames = self._codec.encode(trains)
        if heartbeat.due and (payload := heartbeat.join()) is not None:
            self._askedBehind = self._unconfirmed.position
            return frames + controlFrame(Kind.PING, payload)
        return frames

    def _keep(self, trains: list[Train]) -> None:
        """
        Keep trains that are about to be numbered and written.  What is not acknowledged
        is more on the wire than in payload, so that we never take too much for confirmed.
        """
        unconfirmed = self._unconfirmed
        if unconfirmed.isLong:
            unacknowledged = self._speaker.unacknowledged()
            if unacknowledged is None:
                unconfirmed.nobodyTells()
            else:
                unconfirmed.confirm(unconfirmed.position - unacknowledged)
        unconfirmed.add(self._numbering.next, trains, self._seconds())

    def encodeAgain(self, arrivals: list[Arrival]) -> bytes:
        """
        Make frames of trains with the numbers that they have.  They are not kept: what is
        lost twice is lost.
        """
        self._heartbeat.carried = True
        return b"".join([frameAgain(number, train) for number, train in arrivals])

    def holdsUnconfirmed(self) -> bool:
        """
        Tell whether another tunnel might have to carry something.
        """
        return self._unconfirmed.kept > 0

    def unconfirmed(self) -> list[Arrival]:
        """
        What another tunnel had better carry; what was drained arrives.
        """
        return [] if self._saidDrain else self._unconfirmed.take(self._seconds())

    def received(self, data: bytes) -> None:
        """
        Hand the trains on, and do what is asked for.
        """
        self._heartbeat.heard = True
        arrivals, controls, again = self._codec.decode(data)
        if arrivals:
            self._session.numberedFromTunnel(arrivals)
        if again:
            self._session.againFromTunnel(again)
        if controls:
            self._obey(controls)

    def _obey(self, controls: list[tuple[Kind, bytes]]) -> None:
        """
        Of several pings that came at once the last is answered: an honest peer has but
        one on its way, and another shall not make us write for each.
        """
        asked: bytes | None = None
        for kind, payload in controls:
            if kind is Kind.PING:
                asked = payload
            elif kind is Kind.PONG:
                if self._heartbeat.answered(payload):
                    self._unconfirmed.confirm(self._askedBehind)
                    self.roundTrip = self._heartbeat.roundTrip
                    self._session.roundTripSeen()
            elif kind is Kind.DRAIN:
                self._speaker.peerDrained()
            elif kind is Kind.BYE:
                self._speaker.peerLeft()
        if asked is not None:
            self._owed = asked
            self._answer()

    def start(self) -> None:
        """
        Find out how far the other end is.
        """
        self._heartbeat.ask()
        super().start()

    def free(self) -> None:
        """
        Answer what was asked, first.
        """
        self._answer()
        if not self._speaker.isFull():  # by that
            super().free()

    def _answer(self) -> None:
        """
        Answer what was asked, unless the connection is full: so that never more than
        one answer waits in it.
        """
        if self._owed is not None and not self._speaker.isFull():
            payload, self._owed = self._owed, None
            self._speaker.say(controlFrame(Kind.PONG, payload))

    def _ping(self, payload: bytes) -> None:
        self._askedBehind = self._unconfirmed.position
        self._speaker.say(controlFrame(Kind.PING, payload))

    def prove(self) -> bool:
        """
        Ask, and give the other end up if the answer is overdue.
        """
        self._heartbeat.prove()
        return True

    def drain(self) -> bool:
        """
        Say that no more trains follow, once.
        """
        self._heartbeat.stop()
        if not self._saidDrain:
            self._saidDrain = True
            self._speaker.say(controlFrame(Kind.DRAIN))
            self._readiness.end()
        return True

    def pathRoundTrip(self) -> float:
        """
        See L{uotp.tunnel.heartbeat.HeartbeatOwner}.
        """
        return self._speaker.pathRoundTrip()

    def pongOverdue(self) -> None:
        """
        See L{uotp.tunnel.heartbeat.HeartbeatOwner}: carry nothing until the answer comes.
        """
        self._readiness.pongOverdue()

    def pongCame(self) -> None:
        """
        See L{uotp.tunnel.heartbeat.HeartbeatOwner}: carry again.
        """
        self._readiness.pongCame()

    def pongGivenUp(self) -> None:
        """
        See L{uotp.tunnel.heartbeat.HeartbeatOwner}.
        """
        self._speaker.pongGivenUp()

    def bye(self) -> None:
        """
        Say that the session is over.
        """
        self._speaker.say(controlFrame(Kind.BYE))

    def stop(self) -> None:
        """
        Ask no more.
        """
        self._heartbeat.stop()
        super().stop()
