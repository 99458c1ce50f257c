"""
The link in format 2: numbered trains, pings, and a farewell.  The steps of a train's way out:

1. It gets the next numbers of its session, and becomes a frame.
2. The frame is written, with a ping behind it when one is due
   (L{uotp.tunnel.heartbeat}).
3. The train is kept until it is known to have arrived (L{uotp.tunnel.unacked}).

The steps of what comes in:

1. A read that is one whole train is handed to the session at once.  Any other is decoded
   into trains, trains that were sent before, and control frames, as far as the allowance of
   the session's owner reaches; the rest in the owner's next turns.
2. Trains go to the session, with their numbers.
3. A ping is answered.  A pong tells the round trip, and what has arrived.  The tunnel is
   told of a drain or a bye.
"""

from __future__ import annotations

from typing import Any

from uotp.boundaries import CarriedSession, Stream
from uotp.errors import PeerError
from uotp.path import TROUBLED
from uotp.train import Arrival, Missing, Train
from uotp.tunnel.firstwrites import FirstWrites
from uotp.tunnel.heartbeat import Heartbeat
from uotp.tunnel.link import PORTION_UNITS, LinkOwner, TunnelLink
from uotp.tunnel.unacked import MAX_KEPT_BYTES, Unacked
from uotp.wire import Format2Codec, Kind, controlFrame, encodeStatus, frameAgain, missingFrame, missingOf

MUCH_BYTES = 4096
"""
What comes at one go and is so much, the kernel acknowledges at once, without being told, but for a last segment
perhaps; and more is on its way then.
"""

NUDGE = controlFrame(Kind.PADDING)
"""What is written to have the other kernel acknowledge something."""


class Format2Link(TunnelLink):
    """
    Speaks format 2 on an open tunnel.
    """

    def __init__(
        self,
        stream: Stream,
        owner: LinkOwner,
        session: CarriedSession,
        clock: Any,
        *,
        pads: bool = False,
        quickAcks: bool = False,
    ) -> None:
        """
        See L{TunnelLink}.

        @param clock: C{IReactorTime}.
        @param pads: whether the first writes are padded.
        @param quickAcks: whether the kernel is to acknowledge at once what comes: a proxy between may hold back what
            follows until then, as TCP does by itself (Nagle).
        """
        super().__init__(stream, owner, session, clock.seconds)
        self._numbering = session.outbound.numbering
        self._codec = Format2Codec(self._numbering)
        self._unacked = Unacked(session.allowance.room(MAX_KEPT_BYTES))
        self._pingedBehind = 0  # the position in the payload before the last ping
        self._heartbeat = Heartbeat(clock, self, self._ping, owner.giveUpSeconds, owner.idleSeconds)
        self._owedPong: bytes | None = None  # what the ping carried that is not answered yet
        self._owesStatus = False
        self._saidDrain = False
        self._quickAcks = quickAcks
        self._write = FirstWrites(stream.write, self._padNoMore).write if pads else stream.write

    def _padNoMore(self) -> None:
        self._write = self._stream.write

    # Trains.

    def send(self, trains: list[Train], now: float) -> None:
        """
        See L{uotp.boundaries.Link.send}.
        """
        if not self._carries:
            return
        heartbeat = self._heartbeat
        heartbeat.carried = True  # a ping that goes with them makes it forget that
        number = self._numbering.next
        frames = self._codec.encode(trains)
        payload = heartbeat.join() if heartbeat.due else None
        if payload is not None:
            self._pingedBehind = self._unacked.position + len(frames)
            self._write(frames + controlFrame(Kind.PING, payload))
        else:
            self._write(frames)
        if payload is not None:
            heartbeat.written()
        # The train is on its way, so what follows does not delay it.
        unacked = self._unacked
        if unacked.kept >= unacked.askAt:
            self._askKernel()
        unacked.add(number, trains, len(frames), now)
        self.sentAt = now
        self.bytesOut += len(frames)

    def _askKernel(self) -> None:
        """
        Forget what the other kernel has acknowledged.  Bytes on the wire are more than the
        frames in them, so never too much is taken for acknowledged.
        """
        unacknowledged = self._stream.unacknowledged()
        if unacknowledged is None:
            self._unacked.nobodyTells()
        else:
            self._unacked.confirm(self._unacked.position - unacknowledged)

    def forgetAcknowledged(self) -> None:
        """
        See L{TunnelLink.forgetAcknowledged}.
        """
        self._askKernel()
        self._unacked.dropStale(self._seconds())

    def sendAgain(self, arrivals: list[Arrival]) -> None:
        """
        See L{uotp.boundaries.Link.sendAgain}.  The trains are not kept, so they are not sent
        a third time.
        """
        if not self._carries:
            return
        self._heartbeat.carried = True
        frames = b"".join([frameAgain(number, train) for number, train in arrivals])
        if frames:
            self.bytesOut += len(frames)
            self._outbound.sentAgain += sum([train.datagrams for _, train in arrivals])
            self._write(frames)

    @property
    def numbers(self) -> bool:
        """
        See L{uotp.boundaries.Link.numbers}.
        """
        return True

    def report(self, missing: list[Missing]) -> None:
        """
        See L{uotp.boundaries.Link.report}.
        """
        if self._carries and not self._owner.isFull():
            self._write(missingFrame(missing))

    def unackedWithin(self, begin: int, count: int, most: int, by: float) -> list[Arrival]:
        """
        See L{uotp.boundaries.Link.unackedWithin}.
        """
        return [] if self._saidDrain else self._unacked.within(begin, count, most, by)

    def holdsUnacked(self) -> bool:
        """
        See L{uotp.boundaries.Link.holdsUnacked}.
        """
        return self._unacked.kept > 0

    def takeUnacked(self) -> list[Arrival]:
        """
        See L{uotp.boundaries.Link.takeUnacked}.
        """
        return [] if self._saidDrain else self._unacked.take(self._seconds())

    def takeUnsent(self) -> list[Arrival]:
        """
        See L{uotp.boundaries.Link.takeUnsent}.  Bytes on the wire are more than the payload in
        them, so never too little is taken for unsent.
        """
        unsent = self.cost() % TROUBLED
        return [] if self._saidDrain else self._unacked.takeBehind(self._unacked.position - unsent, self._seconds())

    @property
    def unackedBytes(self) -> int:
        """
        Payload and overhead of trains that are kept because they may have to be sent again.
        """
        return self._unacked.kept

    def received(self, data: bytes) -> None:
        """
        Hand on the trains that have come, and obey the other frames.
        """
        if self._isOver:
            return
        self.bytesIn += len(data)
        self._heartbeat.heard = True
        if len(data) < MUCH_BYTES and (self._quickAcks or self._inbound.acknowledgesSoon):
            self._stream.acknowledge()
        lone = self._codec.decodeLone(data)
        if lone is None:
            self._handOn(data)
            return
        allowance = self._allowance
        allowance.left -= 1
        if allowance.left < 0:
            allowance.overdraw()
        self._inbound.lone(lone[0], lone[1], self._seconds())

    def _handOn(self, data: bytes) -> None:
        codec, allowance = self._codec, self._allowance
        try:
            self._handOnPortion(data)
            while codec.rest and not self._isOver:
                if allowance.isSpent:
                    self._takeTurn()
                    break
                self._handOnPortion(b"")
            self._keepUndecoded(codec.inPart + len(codec.rest))
        except PeerError as error:
            self._owner.misbehaved(error)

    def _handOnPortion(self, data: bytes) -> None:
        arrivals, controls, again = self._codec.decode(data, PORTION_UNITS)
        self._allowance.spend(self._codec.spent or 1)  # what brings nothing whole takes its time as well
        if arrivals:
            self._inbound.numbered(arrivals, self._seconds())
        if again:
            self._inbound.again(again, self._seconds())
        if controls:
            self._obey(controls)

    # Pings.

    def _obey(self, controls: list[tuple[Kind, bytes]]) -> None:
        """
        Do what control frames ask for.  Of several pings that came at once only the last is
        answered: an honest peer has one on its way, and a dishonest one cannot make us write
        an answer for each.

        @raise PeerError: for a frame that the other end may not send.
        """
        pinged: bytes | None = None
        for kind, payload in controls:
            if kind is Kind.PING:
                pinged = payload
            elif kind is Kind.PONG:
                if self._heartbeat.answered(payload):
                    self._unacked.confirm(self._pingedBehind)
                    self.roundTrip = self._heartbeat.roundTrip
                    self.allowSilence(self.roundTrip)
                    self._outbound.roundTripChanged()
            elif kind is Kind.MISSING:
                self._outbound.missed(missingOf(payload))
            elif kind is Kind.DRAIN:
                self._owner.peerDrained()
            elif kind is Kind.BYE:
                self._owner.peerLeft()
            elif kind is Kind.QUERY:
                self._owesStatus = True
        self._tellStatus()  # before the pong, by which a client knows that no answer to its query comes
        if pinged is not None:
            self._owedPong = pinged
            self._pong()
            self._heartbeat.pinged()

    def start(self) -> None:
        """
        Send the first ping, and let the session use the link.
        """
        self._heartbeat.ask()
        super().start()

    def free(self) -> None:
        """
        Answer a ping first, then let the session send.
        """
        if self._owesStatus:
            self._tellStatus()
        self._pong()
        if not self._owner.isFull():  # the answer may have filled it
            super().free()

    def _pong(self) -> None:
        """
        Answer the last ping, unless the stream is full.  So no more than one answer ever
        waits in the stream.
        """
        if self._owedPong is not None and not self._owner.isFull():
            payload, self._owedPong = self._owedPong, None
            self._say(Kind.PONG, payload)

    def _tellStatus(self) -> None:
        """
        Tell how we stand, once for all that have asked, unless the stream is full.
        """
        if self._owesStatus and not self._owner.isFull():
            self._owesStatus = False
            status = self._owner.status()
            if status is not None:
                self._say(Kind.STATUS, encodeStatus(status))

    def _ping(self, payload: bytes) -> None:
        self._pingedBehind = self._unacked.position
        self._say(Kind.PING, payload)

    def _say(self, kind: Kind, payload: bytes = b"") -> None:
        if not self._isOver:
            self._write(controlFrame(kind, payload))

    def ask(self) -> None:
        """
        See L{uotp.boundaries.Link.ask}.
        """
        if self._carries:
            self._heartbeat.ask()

    def nudge(self) -> None:
        """
        See L{uotp.boundaries.Link.nudge}.
        """
        if self._carries and not self._owner.isFull():
            self._write(NUDGE)

    def prove(self) -> bool:
        """
        Ping, and give the other end up if the pong is overdue.
        """
        self._heartbeat.prove()
        return True

    @property
    def isInDoubt(self) -> bool:
        """
        Whether the other end has yet to L{prove} that it is there.
        """
        return self._heartbeat.isProving

    def pathRoundTrip(self) -> float:
        """
        See L{uotp.tunnel.heartbeat.HeartbeatOwner}.
        """
        path = self.pathStats()
        return max(0.0 if path is None else path.roundTrip, self._outbound.loadedRoundTrip)

    def delivery(self) -> tuple[int, int] | None:
        """
        See L{uotp.tunnel.heartbeat.HeartbeatOwner}.
        """
        path, left = self.pathStats(), self._stream.unacknowledged()
        return None if path is None or left is None else (path.acknowledged, left)

    def pongOverdue(self) -> None:
        """
        See L{uotp.tunnel.heartbeat.HeartbeatOwner}.  The link carries nothing until the pong
        comes.
        """
        self._readiness.pongOverdue()
        self._owner.pongOverdue()

    def pongCame(self) -> None:
        """
        See L{uotp.tunnel.heartbeat.HeartbeatOwner}.  The link carries again.
        """
        self._readiness.pongCame()
        self._owner.pongCame()

    def pongGivenUp(self) -> None:
        """
        See L{uotp.tunnel.heartbeat.HeartbeatOwner}.
        """
        self._owner.pongGivenUp()

    # The end.

    def drain(self) -> bool:
        """
        Say once that no more trains follow.
        """
        self._heartbeat.stop()
        if not self._saidDrain:
            self._saidDrain = True
            self._carries = False
            self._say(Kind.DRAIN)
            self._readiness.end()
        return True

    def bye(self) -> None:
        """
        Say that the session is over.
        """
        self._say(Kind.BYE)

    def release(self) -> None:
        """
        Let go of the heartbeat too.
        """
        super().release()
        self._padNoMore()
        self._heartbeat.release()

    def end(self, *, isLost: bool) -> None:
        """
        Ping no more, and carry nothing any more.  What was written before a close arrives.
        """
        self._heartbeat.stop()
        self._saidDrain = self._saidDrain or not isLost
        super().end(isLost=isLost)
        self._unacked.take(self._seconds())
