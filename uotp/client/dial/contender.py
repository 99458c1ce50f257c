"""
One try to open a tunnel to one address: TCP, the proxy if there is one, the handshake of TLS, the
hello.  Each step has a time of its own, which begins when the step before is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from uotp.client.context import ClientContext
from uotp.client.dial.failures import wordsForFailure, wordsForLoss, wordsForTimeOut
from uotp.client.dial.outcomes import DialOutcome, outcomeOf
from uotp.client.dial.patience import DialStep
from uotp.client.dial.segmentwatch import lostSegments
from uotp.telemetry import Logger, orLog
from uotp.tunnel import DialledTunnel, Tunnel, TunnelState

DOUBT_SECONDS = 1.0
DOUBT_ROUND_TRIPS = 2.0
"""
After so long, and not before so many round trips, a handshake stalls if segments of it were lost.
Without that it stalls after L{SURE_TIMES} as long: the server may just be slow.
"""

SURE_TIMES = 3

DIAL_STEPS = {
    TunnelState.HANDSHAKE: DialStep.TLS,
    TunnelState.UPGRADING: DialStep.UPGRADE,
    TunnelState.HELLO: DialStep.HELLO,
}
"""What a tunnel waits for in a state."""


NOT_LET_THROUGH = (error.ConnectionRefusedError, error.ConnectionLost, error.ConnectionDone)
"""What a connection fails with that is not let through, besides a time-out."""


class ContenderOwner(Protocol):
    """
    Is told how a contender gets on.

    @ivar isUrgent: whether nothing is carried before somebody gets through.
    """

    isUrgent: bool

    def contenderProgressed(self, contender: Contender) -> None:
        """
        A step is done.
        """

    def contenderStalls(self, contender: Contender, smaller: int) -> None:
        """
        The handshake gets no further, though TCP is connected.

        @param smaller: a size of segments that may get through.
        """

    def contenderFailed(self, contender: Contender, words: str) -> None:
        """
        It has ended, and has left nothing behind.

        @param words: why.
        """


class Contender:
    """
    Tries one address.  It ends with L{leave}, or by itself with a failure.

    @ivar address: which one.
    @ivar segmentSize: the size of its TCP segments, or L{None} for as large as the system likes.
    @ivar step: what is being done.
    @ivar stepBegunAt: since when.
    @ivar limit: how long that may take, in seconds.
    @ivar took: how long each step took that is done, in seconds.
    @ivar isOver: whether it has ended.
    @ivar tunnel: its tunnel, once TCP is connected.
    @ivar stalls: whether its handshake gets no further.
    @ivar wasStopped: whether it has failed because something on the way, or the other end, did not let
        it through, and neither said why.
    @ivar outcome: how it has ended; L{None} before, and when it was given up for another.
    @ivar sawLoss: whether segments of that were lost, as the kernel knows.
    """

    _log = Logger()

    def __init__(
        self,
        context: ClientContext,
        owner: ContenderOwner,
        address: Any,
        makeTunnel: Callable[[], Tunnel],
        segmentSize: int | None,
    ) -> None:
        """
        @param owner: is told how it gets on.
        @param makeTunnel: makes the tunnel when TCP is connected.
        @param segmentSize: the size of its TCP segments.
        """
        self._context = context
        self._owner = owner
        self._makeTunnel = makeTunnel
        self._connecting: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None
        self._doubt: IDelayedCall | None = None
        self.isOver = False
        self.address = address
        self.segmentSize = segmentSize
        self.step = DialStep.CONNECT
        self.stepBegunAt = 0.0
        self.limit = 0.0
        self.took: dict[DialStep, float] = {}
        self.tunnel: Tunnel | None = None
        self.stalls = self.sawLoss = self.wasStopped = False
        self.outcome: DialOutcome | None = None

    def begin(self) -> None:
        """
        Connect.  This may fail at once.
        """
        self._beginStep(DialStep.CONNECT)
        self._connecting = connecting = self._context.dialer.connect(
            self.address, self._connected, self.segmentSize, self._reachedProxy
        )
        orLog(connecting.addErrback(self._notConnected), self._log, "nobody knows what became of an attempt to connect")

    def _beginStep(self, step: DialStep) -> None:
        self.step = step
        self.stepBegunAt = self._context.clock.seconds()
        self.limit = self._context.patience.seconds(step, self._roundTrip())
        stop(self._timer)
        self._timer = self._context.clock.callLater(self.limit, self._timedOut)

    def _roundTrip(self) -> float:
        """
        @return: what it has taken to the other end and back, in seconds, as far as that is known; behind a proxy
            that is the way to it and from it to the server.
        """
        return self.took.get(DialStep.CONNECT, 0.0) + self.took.get(DialStep.PROXY, 0.0)

    def _stepDone(self) -> None:
        stop(self._doubt)
        self._doubt = None
        took = self.took[self.step] = self._context.clock.seconds() - self.stepBegunAt
        self._context.patience.succeeded(self.step, took)
        if self.step is DialStep.TLS:
            self._context.segments.handshakeDone(self.segmentSize)

    def _reachedProxy(self) -> None:
        """
        TCP is connected to the proxy.
        """
        if not self.isOver:
            self._stepDone()
            self._beginStep(DialStep.PROXY)
            self._owner.contenderProgressed(self)

    def _connected(self) -> Tunnel:
        self._connecting = None
        self.tunnel = self._makeTunnel()
        return self.tunnel

    def _notConnected(self, reason: Failure) -> None:
        self._connecting = None
        if self.isOver:
            return
        if reason.check(error.TCPTimedOutError):  # by the kernel's own clock
            self._giveUp(self._context.clock.seconds() - self.stepBegunAt)
        else:
            self.wasStopped = reason.check(*NOT_LET_THROUGH) is not None
            words = wordsForLoss(self.step, wordsForFailure(reason), self._context.dialer.proxy)
            self._fail(outcomeOf(reason), words)

    def advanced(self) -> None:
        """
        The tunnel has gone on in its life.
        """
        step = self.step if self.tunnel is None else DIAL_STEPS.get(self.tunnel.state, self.step)
        if self.isOver or step is self.step:
            return
        self._stepDone()
        self._beginStep(step)
        smaller = self._context.segments.smallerThan(self.segmentSize)
        if step is DialStep.TLS and smaller is not None:
            wait = max(DOUBT_SECONDS, DOUBT_ROUND_TRIPS * self._roundTrip())
            self._doubt = self._context.clock.callLater(wait, self._doubted, smaller, wait)
        self._owner.contenderProgressed(self)

    def _doubted(self, smaller: int, waited: float) -> None:
        """
        The handshake takes long.

        @param smaller: a size of segments that may get through.
        @param waited: how long it takes already, at this first look; 0 at the second.
        """
        self._doubt = None
        tunnel = self.tunnel
        if tunnel is None or tunnel.refusal is not None:
            return
        self.sawLoss = lostSegments(tunnel)
        if self.sawLoss or not waited:
            self.stalls = True
            self._owner.contenderStalls(self, smaller)
        else:
            self._doubt = self._context.clock.callLater((SURE_TIMES - 1) * waited, self._doubted, smaller, 0.0)

    def opened(self) -> None:
        """
        The tunnel is open.
        """
        self.outcome = DialOutcome.DONE
        self._stepDone()

    def strayed(self) -> None:
        """
        The tunnel is open, and leads to another server than the one that is wanted.
        """
        self.opened()
        self.outcome = DialOutcome.ELSEWHERE
        self.end()

    def tunnelLost(self, words: str) -> None:
        """
        The tunnel is gone.

        @param words: why.
        """
        tunnel, self.tunnel = self.tunnel, None
        if not self.isOver:
            isDialled = isinstance(tunnel, DialledTunnel)
            isAnswered = isinstance(tunnel, DialledTunnel) and (tunnel.answer is not None or tunnel.wasTurnedAway)
            self.wasStopped = isDialled and tunnel is not None and tunnel.refusal is None and not isAnswered
            outcome = DialOutcome.TURNED_AWAY if isAnswered else DialOutcome.LOST
            isRefused = tunnel is not None and tunnel.refusal is not None
            self._fail(DialOutcome.TLS_REFUSED if isRefused else outcome, wordsForLoss(self.step, words))

    def _timedOut(self) -> None:
        self._timer = None
        self._giveUp(self.limit)

    def _giveUp(self, waited: float) -> None:
        """
        The step was not done in time.
        """
        tunnel = self.tunnel
        if tunnel is not None and tunnel.refusal is not None:  # and we have waited for the other end to read it
            self._fail(DialOutcome.TLS_REFUSED, tunnel.refusal)
            return
        if self._owner.isUrgent:  # or the path is known, since other tunnels carry
            self._context.patience.timedOut(self.step, waited)
        self.wasStopped = True
        self._fail(DialOutcome.TIMED_OUT, self._wordsForTimeOut(waited))

    def _wordsForTimeOut(self, waited: float) -> str:
        return wordsForTimeOut(self.step, self.address.host, waited, self._context.dialer.proxy)

    def _fail(self, outcome: DialOutcome, words: str) -> None:
        self.outcome = outcome
        self.leave()
        self._owner.contenderFailed(self, words)

    def leave(self) -> None:
        """
        Give up.
        """
        tunnel, self.tunnel = self.tunnel, None
        connecting, self._connecting = self._connecting, None
        self.end()
        if connecting is not None:
            connecting.cancel()
        if tunnel is not None:
            tunnel.abort()

    def end(self) -> None:
        """
        Do nothing any more; the tunnel stays as it is.
        """
        self.isOver = True
        self.tunnel = None  # which knows by its factory who has made it
        for timer in (self._timer, self._doubt):
            stop(timer)
        self._timer = self._doubt = None  # they know us, also after they were called


def stop(timer: IDelayedCall | None) -> None:
    """
    Cancel a timer, if there is one that runs.
    """
    if timer is not None and timer.active():
        timer.cancel()
