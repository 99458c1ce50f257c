"""
One attempt to open one tunnel: the connection, the handshake and the hello, within
one deadline.  It begins when it is its turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from uotp.client.context import ClientContext
from uotp.client.dialqueue import Place, Urgency
from uotp.client.failures import wordsForFailure
from uotp.telemetry import Logger, orLog
from uotp.tunnel import DialledTunnel, DialledTunnelOwner, Tunnel, TunnelState


class Attempt:
    """
    Tries once to open a tunnel.  It ends with L{succeed}, with L{cancel}, or by itself with
    a failure.

    @ivar tunnel: the one that is being opened, once TCP is connected.
    """

    _log = Logger()

    def __init__(
        self,
        context: ClientContext,
        owner: DialledTunnelOwner[Tunnel],
        sessionId: bytes,
        failed: Callable[[str], None],
        urgency: Urgency = Urgency.FIRST,
    ) -> None:
        """
        @param owner: who is told when the tunnel is open, or lost.
        @param sessionId: what the tunnel shows.
        @param failed: called with the reason in words, once, and not for a tunnel that
            was lost.
        @param urgency: which attempts it goes before.
        """
        self._context = context
        self._owner = owner
        self._sessionId = sessionId
        self._failed = failed
        self._isOver = False
        self.tunnel: Tunnel | None = None
        self._deadline: IDelayedCall | None = None
        self._connecting: Deferred[Any] | None = None
        self._place = Place(context.dials, self._begin, urgency)
        self._place.enter()

    def _begin(self) -> None:
        context = self._context
        self._deadline = context.clock.callLater(context.settings.timeout, self._timedOut)
        connecting = context.dial(self._makeTunnel)
        self._connecting = connecting
        connected = connecting.addCallbacks(self._connected, self._notConnected)
        orLog(connected, self._log, "nobody knows what became of an attempt to connect")

    def _makeTunnel(self) -> Tunnel:
        tunnel = DialledTunnel(self._context.clock, self._owner, self._sessionId, self._context.settings.wire)
        self._context.liveTunnels.add(tunnel)
        if self.tunnel is None and not self._isOver:
            self.tunnel = tunnel
        return tunnel

    def _connected(self, protocol: Any) -> None:
        self._connecting = None

    def _notConnected(self, reason: Failure) -> None:
        self._connecting = None
        self._fail(wordsForFailure(reason))

    def _timedOut(self) -> None:
        tunnel = self.tunnel
        if tunnel is None:
            stage = "connection"
        else:
            stage = "answer to the hello" if tunnel.state is TunnelState.HELLO else "TLS handshake"
        refusal = None if tunnel is None else tunnel.refusal
        self._fail(refusal or f"no {stage} after {self._context.settings.timeout:g} s")

    def _fail(self, words: str) -> None:
        if not self._isOver:
            self.cancel()
            self._failed(words)

    def succeed(self) -> None:
        """
        The tunnel is open, or lost: its owner knows.
        """
        self._isOver = True
        self.tunnel = None  # which knows by its factory who has made it
        deadline, self._deadline = self._deadline, None  # it knows us, also after it was called
        if deadline is not None and deadline.active():
            deadline.cancel()
        self._place.leave()

    def cancel(self) -> None:
        """
        Give up.
        """
        tunnel = self.tunnel
        connecting, self._connecting = self._connecting, None
        self.succeed()
        if connecting is not None:
            connecting.cancel()
        if tunnel is not None:
            tunnel.abort()
