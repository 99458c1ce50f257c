"""
What is spoken on an open tunnel, in each format: trains both ways, and in format 2
pings, and how a tunnel ends with nothing lost.  The connection under it, and its life,
are L{uotp.tunnel}'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from uotp.boundaries import TrainsOfTunnel
from uotp.heartbeat import GIVE_UP_SECONDS, Heartbeat, HeartbeatOwner
from uotp.train import Train
from uotp.wire.format1 import Format1Codec
from uotp.wire.format2 import Format2Codec, Kind, controlFrame
from uotp.wire.hello import WireFormat


class Speaker(HeartbeatOwner, Protocol):
    """
    A tunnel, as its conversation sees it.
    """

    def say(self, frames: bytes) -> None:
        """
        Write frames.
        """

    def isFull(self) -> bool:
        """
        @return: whether the connection holds as much as it wants to.
        """

    def peerDrains(self) -> None:
        """
        The other end sends no more trains.
        """

    def peerLeaves(self) -> None:
        """
        The other end leaves, and its session with it.

        @raise PeerError: when it may not say so.
        """


class Conversation:
    """
    What is spoken on one tunnel.  What a format cannot do, it does not do.

    @ivar roundTrip: to the other end's program and back, smoothed, in seconds; 0 while
        it is not known.
    @ivar encode: trains to what is to be written for them.
    """

    roundTrip = 0.0

    encode: Callable[[list[Train]], bytes]

    def received(self, data: bytes) -> None:
        """
        Bytes came: hand the trains on, and do what is asked for.

        @raise PeerError: for what the format does not allow.
        """
        raise NotImplementedError

    def start(self) -> None:
        """
        The tunnel is open.
        """

    def free(self) -> None:
        """
        The connection takes more.
        """

    def prove(self) -> bool:
        """
        Find out soon whether the other end is still there.

        @return: whether this format can.
        """
        return False

    def drain(self) -> bool:
        """
        Say that no more trains follow, once.

        @return: whether this format can.
        """
        return False

    def bye(self) -> None:
        """
        Say that the session is over.
        """

    def stop(self) -> None:
        """
        The tunnel is open no more.
        """


class Format1Conversation(Conversation):
    """
    Trains, and nothing else.
    """

    def __init__(self, session: TrainsOfTunnel) -> None:
        """
        @param session: whom the tunnel carries for.
        """
        self._session = session
        self._codec = Format1Codec()
        self.encode = self._codec.encode

    def received(self, data: bytes) -> None:
        """
        Hand the trains on.
        """
        trains = self._codec.decode(data)
        if trains:
            self._session.trainsFromTunnel(trains)


class Format2Conversation(Conversation):
    """
    Numbered trains, pings, and a farewell.
    """

    def __init__(self, clock: Any, speaker: Speaker, session: TrainsOfTunnel, giveUpSeconds: float) -> None:
        """
        @param clock: C{IReactorTime}.
        @param session: whom the tunnel carries for.
        @param giveUpSeconds: how long an answer may be overdue.
        """
        self._speaker = speaker
        self._session = session
        self._codec = Format2Codec(session.numbering)
        self._heartbeat = Heartbeat(clock, speaker, self._ping, giveUpSeconds)
        self._owed: bytes | None = None  # by us, for a ping
        self._saidDrain = False
        self.encode = self._encode

    def _encode(self, trains: list[Train]) -> bytes:
        """
        Number trains and make frames of them, with a ping behind them when one is due.
        """
        heartbeat = self._heartbeat
        heartbeat.carried = True
        frames = self._codec.encode(trains)
        if heartbeat.due and (payload := heartbeat.join()) is not None:
            return frames + controlFrame(Kind.PING, payload)
        return frames

    def received(self, data: bytes) -> None:
        """
        Hand the trains on, and do what is asked for.
        """
        self._heartbeat.heard = True
        arrivals, controls = self._codec.decode(data)
        if arrivals:
            self._session.numberedFromTunnel(arrivals)
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
                    self.roundTrip = self._heartbeat.roundTrip
                    self._session.roundTripSeen()
            elif kind is Kind.DRAIN:
                self._speaker.peerDrains()
            elif kind is Kind.BYE:
                self._speaker.peerLeaves()
        if asked is not None:
            self._owed = asked
            self.free()

    def start(self) -> None:
        """
        Find out how far the other end is.
        """
        self._heartbeat.ask()

    def free(self) -> None:
        """
        Answer what was asked, unless the connection is full: so that never more than
        one answer waits in it.
        """
        if self._owed is not None and not self._speaker.isFull():
            payload, self._owed = self._owed, None
            self._speaker.say(controlFrame(Kind.PONG, payload))

    def _ping(self, payload: bytes) -> None:
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
        return True

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


def converse(
    wireFormat: WireFormat,
    clock: Any,
    speaker: Speaker,
    session: TrainsOfTunnel,
    giveUpSeconds: float = GIVE_UP_SECONDS,
) -> Conversation:
    """
    @param giveUpSeconds: how long an answer may be overdue.
    @return: what is spoken in a format.
    """
    if wireFormat is WireFormat.ONE:
        return Format1Conversation(session)
    return Format2Conversation(clock, speaker, session, giveUpSeconds)
