"""
What is spoken on an open tunnel, whatever the format: trains both ways, and maybe pings,
and how a tunnel ends with nothing lost.  The connection under it, and its life, are
L{uotp.tunnel.tunnel}'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from uotp.boundaries import TrainsOfTunnel
from uotp.train import Arrival, Train
from uotp.tunnel.readiness import Readiness


class Speaker(Protocol):
    """
    A tunnel, as its conversation sees it.

    @ivar giveUpSeconds: how long an answer may be overdue.
    """

    giveUpSeconds: float

    def say(self, frames: bytes) -> None:
        """
        Write frames.
        """

    def isFull(self) -> bool:
        """
        @return: whether the connection holds as much as it wants to.
        """

    def unacknowledged(self) -> int | None:
        """
        @return: how many bytes of what was written the other kernel has not acknowledged;
            L{None} where the system does not tell.
        """

    def pathRoundTrip(self) -> float:
        """
        @return: the round trip that the kernel sees, in seconds; 0 where it does not
            tell.
        """

    def pongGivenUp(self) -> None:
        """
        The other end has not answered for so long that the tunnel had better be replaced.
        """

    def peerDrained(self) -> None:
        """
        The other end sends no more trains.
        """

    def peerLeft(self) -> None:
        """
        The other end leaves, and its session with it.

        @raise PeerError: when it may not say so.
        """


class Link:
    """
    What is spoken on one tunnel, and whether it takes trains.  What a format cannot do,
    it does not do.

    @ivar roundTrip: to the other end's program and back, smoothed, in seconds; 0 while
        it is not known.
    @ivar encode: trains to what is to be written for them.
    """

    roundTrip = 0.0

    encode: Callable[[list[Train]], bytes]

    def __init__(self, speaker: Speaker, session: TrainsOfTunnel, readiness: Readiness) -> None:
        """
        @param session: whom the tunnel carries for.
        @param readiness: of the tunnel, for that session.
        """
        self._speaker = speaker
        self._session = session
        self._readiness = readiness

    def received(self, data: bytes) -> None:
        """
        Bytes came: hand the trains on, and do what is asked for.

        @raise PeerError: for what the format does not allow.
        """
        raise NotImplementedError

    def encodeAgain(self, arrivals: list[Arrival]) -> bytes:
        """
        @param arrivals: trains that have their numbers.
        @return: what is to be written for them: nothing, where nobody could tell what
            comes twice.
        """
        return b""

    def holdsUnconfirmed(self) -> bool:
        """
        @return: whether anything is kept for L{unconfirmed}.
        """
        return False

    def unconfirmed(self) -> list[Arrival]:
        """
        @return: what was sent of late and is not known to have arrived, once.
        """
        return []

    def start(self) -> None:
        """
        The tunnel is open.
        """
        self._readiness.begin()

    def full(self) -> None:
        """
        The connection holds as much as it wants to.
        """
        self._readiness.full()

    def free(self) -> None:
        """
        The connection takes more.
        """
        self._readiness.free()

    def prove(self) -> bool:
        """
        Find out soon whether the other end is still there.

        @return: whether this format can.
        """
        return False

    def drain(self) -> bool:
        """
        Say that no more trains follow, once, and send none.

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
        self._readiness.end()
