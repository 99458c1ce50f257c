"""
The client's tunnels for one session.  Each has a slot, which dials, waits, and
dials again, for as long as the session lives.

A slot is a table too, L{NEXT_STATE}.  It counts the attempts that failed in a
row, and forgets them only for a tunnel that has proved itself: that brought
bytes from the server, or stayed for some seconds.  With TLS 1.3 a handshake that
is complete proves nothing: a server that wants another certificate says so later.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from uotp.backoff import backoffSeconds
from uotp.boundaries import TrainsOfTunnel
from uotp.dial import wordsForFailure
from uotp.roll import Roll
from uotp.tunnel import Tunnel
from uotp.tunnelends import DialledTunnel
from uotp.wire import FrameCodec

PROVED_SECONDS = 5.0
"""A tunnel that stays so long is a success even when the target is silent."""


class State(Enum):
    """
    What a slot is doing.
    """

    IDLE = auto()
    DIALLING = auto()
    UP = auto()
    WAITING = auto()
    STOPPED = auto()


class Event(Enum):
    """
    What can happen to a slot.
    """

    DIAL = auto()
    OPENED = auto()
    LOST = auto()
    STOP = auto()


NEXT_STATE: dict[tuple[State, Event], State] = {
    (State.IDLE, Event.DIAL): State.DIALLING,
    (State.IDLE, Event.STOP): State.STOPPED,
    (State.DIALLING, Event.OPENED): State.UP,
    (State.DIALLING, Event.LOST): State.WAITING,
    (State.DIALLING, Event.STOP): State.STOPPED,
    (State.UP, Event.LOST): State.WAITING,
    (State.UP, Event.STOP): State.STOPPED,
    (State.WAITING, Event.DIAL): State.DIALLING,
    (State.WAITING, Event.STOP): State.STOPPED,
}
"""What each event leads to.  A pair that is not here changes nothing."""


class Watch(Protocol):
    """
    Who follows, for the log, how the dialling goes.
    """

    def tunnelUp(self) -> None:
        """
        A tunnel has been opened.
        """

    def reached(self) -> None:
        """
        The server has let us in: a tunnel has proved itself.
        """

    def tunnelDown(self) -> None:
        """
        A tunnel that was open is no more.
        """

    def tunnelFailed(self, reason: str) -> None:
        """
        A tunnel could not be opened, or was lost; we did not close it.
        """


class Surroundings(Protocol):
    """
    What all pools of a client share.
    """

    clock: Any
    dial: Callable[[Callable[[], Tunnel]], Deferred[Any]]
    jitter: Callable[[], float]
    roll: Roll
    watch: Watch
    timeout: float
    backoff: float


class Slot:
    """
    The place of one tunnel in a pool.
    """

    def __init__(self, around: Surroundings, session: TrainsOfTunnel, hello: bytes) -> None:
        """
        @param around: what all pools of the client share.
        @param session: whom the tunnel carries for.
        @param hello: what the tunnel says first.
        """
        self._around = around
        self._session = session
        self._hello = hello
        self._state = State.IDLE
        self._failures = 0
        self._tunnel: Tunnel | None = None
        self._connecting: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None

    def _advance(self, event: Event) -> bool:
        after = NEXT_STATE.get((self._state, event))
        if after is None:
            return False
        if self._state is State.UP:
            self._around.watch.tunnelDown()
        self._state = after
        self._cancelTimer()  # a timer belongs to the state that set it
        return True

    def _cancelTimer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def dial(self) -> None:
        """
        Open the tunnel; a slot that has one or is at it already does nothing.
        """
        if not self._advance(Event.DIAL):
            return
        self._timer = self._around.clock.callLater(self._around.timeout, self._timedOut)
        self._connecting = self._around.dial(self._makeTunnel)
        self._connecting.addCallbacks(self._connected, self._notConnected)

    def _makeTunnel(self) -> Tunnel:
        tunnel = DialledTunnel(self._around.clock, FrameCodec(), self, self._hello)
        self._around.roll.add(tunnel)
        if self._tunnel is None:
            self._tunnel = tunnel
        return tunnel

    def _connected(self, protocol: Any) -> None:
        self._connecting = None

    def _notConnected(self, reason: Failure) -> None:
        self._connecting = None
        self._lost(wordsForFailure(reason))

    def _timedOut(self) -> None:
        self._timer = None
        tunnel, self._tunnel = self._tunnel, None
        stage = "connection" if self._connecting is not None else "TLS handshake"
        refusal = None if tunnel is None else refusalOf(tunnel)
        self._lost(refusal or f"no {stage} after {self._around.timeout:g} s")
        if self._connecting is not None:
            self._connecting.cancel()
        if tunnel is not None:
            tunnel.abort()

    def tunnelOpened(self, tunnel: Tunnel) -> None:
        """
        The handshake is done and the hello is sent.
        """
        if tunnel is not self._tunnel or not self._advance(Event.OPENED):
            tunnel.abort()  # a second address answered at the same moment, or we have given up
            return
        self._around.watch.tunnelUp()
        self._timer = self._around.clock.callLater(PROVED_SECONDS, self._proved)
        tunnel.carryFor(self._session)

    def _proved(self) -> None:
        self._timer = None
        self._failures = 0
        self._around.watch.reached()

    def helloReceived(self, tunnel: Tunnel, sessionId: bytes) -> None:
        """
        Only accepted tunnels say so.
        """

    def tunnelLost(self, tunnel: Tunnel, reason: Failure) -> None:
        """
        The tunnel is gone.
        """
        self._around.roll.discard(tunnel)
        if tunnel is not self._tunnel:
            return
        self._tunnel = None
        if tunnel.heard:
            self._failures = 0
        self._lost(tunnel.fault or wordsForFailure(reason, tunnel.tlsConnection()))

    def _lost(self, words: str) -> None:
        if not self._advance(Event.LOST):
            return
        self._around.watch.tunnelFailed(words)
        self._failures += 1
        wait = backoffSeconds(self._failures, self._around.backoff, self._around.jitter())
        self._timer = self._around.clock.callLater(wait, self.dial)

    def stop(self) -> None:
        """
        Close the tunnel in good order, and dial no more.
        """
        self._advance(Event.STOP)
        if self._connecting is not None:
            self._connecting.cancel()
        if self._tunnel is not None:
            self._tunnel.close()


def refusalOf(tunnel: Tunnel) -> str | None:
    """
    @return: what we have against the other end of a tunnel that has not gone yet, if
        anything.
    """
    refusal: str | None = getattr(tunnel.tlsConnection(), "refusal", None)
    return refusal


class Pool:
    """
    The slots of one session.
    """

    def __init__(self, around: Surroundings, session: TrainsOfTunnel, sessionId: bytes, size: int) -> None:
        """
        @param size: how many tunnels there shall be when the pool is wide.
        """
        self._slots = [Slot(around, session, sessionId) for _ in range(size)]

    def start(self) -> None:
        """
        Open one tunnel.  A source costs no more than that before it has shown that
        it is worth a pool: its address may be forged.
        """
        self._slots[0].dial()

    def widen(self) -> None:
        """
        Open the others.
        """
        for slot in self._slots[1:]:
            slot.dial()

    def stop(self) -> None:
        """
        Close all, for good.
        """
        for slot in self._slots:
            slot.stop()
