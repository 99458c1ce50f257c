"""
One attempt to open one tunnel: the lookup of the server's name, and a race between its
addresses.  It begins when it is its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from uotp.client.context import ClientContext
from uotp.client.dial.contender import Contender
from uotp.client.dial.dialqueue import FIRST_OF_ALL, Place, Urgency
from uotp.client.dial.failures import wordsForFailure, wordsForTimeOut
from uotp.client.dial.outcomes import DialOutcome
from uotp.client.dial.patience import DialStep
from uotp.client.dial.race import Race
from uotp.errors import LookupFailed
from uotp.net import Addresses
from uotp.telemetry import Logger, orLog
from uotp.tunnel import DialledTunnel, DialledTunnelOwner, Tunnel

ANOTHER_SERVER = "another server has answered there than the one that the session is at"


class Attempt:
    """
    Tries once to open a tunnel.  It ends with L{succeed}, with L{cancel}, or by itself with
    a failure.

    @ivar begunAt: when it has begun, by the clock.
    @ivar wasStopped: whether something on the way has made it fail.
    @ivar strayed: the addresses at which another server has answered than the one that is wanted.
    @ivar hasFailed: whether anything has failed besides.
    """

    _log = Logger()

    def __init__(
        self,
        context: ClientContext,
        owner: DialledTunnelOwner[Tunnel],
        sessionId: bytes,
        failed: Callable[[str], None],
        urgency: Urgency = Urgency.FIRST,
        avoided: Collection[Any] = (),
    ) -> None:
        """
        @param owner: who is told when a tunnel is open, or lost.
        @param sessionId: what the tunnel shows.
        @param failed: called with the reason in words, once.
        @param urgency: which attempts it goes before.
        @param avoided: addresses that are tried behind all others.
        """
        self._avoided = avoided
        self.strayed: list[Any] = []
        self.hasFailed = True
        self._context = context
        self._owner = owner
        self._sessionId = sessionId
        self._failed = failed
        self._isUrgent = urgency in FIRST_OF_ALL
        self._isOver = False
        self.begunAt = 0.0
        self.wasStopped = False
        self._lookupTook = 0.0
        self._timer: IDelayedCall | None = None
        self._looking: Deferred[Any] | None = None
        self._race: Race | None = None
        self._place = Place(context.dials, self._begin, urgency)
        self._place.enter()

    # The lookup.

    def _begin(self) -> None:
        context = self._context
        self.begunAt = context.clock.seconds()
        self._timer = context.clock.callLater(context.patience.seconds(DialStep.LOOKUP), self._lookupTimedOut)
        self._looking = looking = context.dialer.lookUp()
        found = looking.addCallbacks(self._found, self._notFound)
        orLog(found.addErrback(self._broken), self._log, "nobody knows what became of an attempt to dial")

    def _lookupTimedOut(self) -> None:
        self._timer = None
        waited = self._context.clock.seconds() - self.begunAt
        if self._isUrgent:
            self._context.patience.timedOut(DialStep.LOOKUP, waited)
        self._context.outcomes[DialOutcome.LOOKUP_FAILED] += 1
        self._fail(wordsForTimeOut(DialStep.LOOKUP, "", waited))

    def _lookupOver(self) -> None:
        self._looking = None
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _notFound(self, reason: Failure) -> None:
        if not self._isOver:
            reason.trap(LookupFailed)
            self._context.outcomes[DialOutcome.LOOKUP_FAILED] += 1
            self._lookupOver()
            self._fail(wordsForFailure(reason))

    def _found(self, addresses: Addresses) -> None:
        if self._isOver:
            return
        self._lookupOver()
        self._lookupTook = self._context.clock.seconds() - self.begunAt
        self._context.patience.succeeded(DialStep.LOOKUP, self._lookupTook)
        ordered = sorted(self._context.addresses.order(addresses), key=lambda address: address in self._avoided)
        urgent = self._isUrgent
        self._race = Race(self._context, ordered, self._makeTunnel, self._fail, self._left, isUrgent=urgent)
        self._race.begin()

    def _broken(self, reason: Failure) -> None:
        """
        An error of ours costs this attempt, and not the slot that waits for it.
        """
        self._log.failure("an attempt to dial failed", reason)
        self._lookupOver()
        self._fail(wordsForFailure(reason))

    # The race.

    def _makeTunnel(self) -> Tunnel:
        context = self._context
        settings = context.settings
        tunnel = DialledTunnel(
            context.clock,
            self._owner,
            self._sessionId,
            settings.wire,
            settings.order,
            context.token(),
            context.dialer.upgrade(),
            pads=settings.pad,
            quickAcks=context.dialer.proxy is not None,
        )
        self._context.liveTunnels.add(tunnel)
        return tunnel

    def _contenderOf(self, tunnel: Tunnel) -> Contender | None:
        return None if self._race is None else self._race.contenderOf(tunnel)

    def has(self, tunnel: Tunnel) -> bool:
        """
        @return: whether a tunnel is one of those that are being opened.
        """
        return self._contenderOf(tunnel) is not None

    def tunnelAdvanced(self, tunnel: Tunnel) -> bool:
        """
        A tunnel is connected, or its handshake is done.

        @return: whether it is one of those that are being opened.
        """
        contender = self._contenderOf(tunnel)
        if contender is not None:
            contender.advanced()
        return contender is not None

    def tunnelLost(self, tunnel: Tunnel, words: str) -> None:
        """
        A tunnel is gone; nothing happens if it is none of those that are being opened.

        @param words: why.
        """
        contender = self._contenderOf(tunnel)
        if contender is not None:
            contender.tunnelLost(words)

    def succeed(self, tunnel: Tunnel) -> Contender:
        """
        A tunnel is open, which is one of those that are being opened.

        @return: who has dialled it.
        """
        contender = self._contenderOf(tunnel)
        assert contender is not None
        assert self._race is not None
        self._race.won(contender)
        self._end()
        return contender

    def elsewhere(self, tunnel: Tunnel) -> None:
        """
        A tunnel leads to another server than the one that is wanted.  What else is tried goes on.
        """
        contender = self._contenderOf(tunnel)
        if contender is not None and self._race is not None:
            self._race.lostTo(contender, ANOTHER_SERVER)

    def _left(self, contender: Contender, words: str) -> None:
        if contender.outcome is not None:
            self._context.outcomes[contender.outcome] += 1
        took = {DialStep.LOOKUP: self._lookupTook, **contender.took}
        self._log.debug(
            "tunnel to {host} port {port}{proxyWords}{segmentsWords}: {words}; {stepsWords}",
            proxyWords="" if self._context.dialer.proxy is None else " (the proxy)",
            host=contender.address.host,
            port=contender.address.port,
            segmentsWords="" if contender.segmentSize is None else f" in segments of {contender.segmentSize} bytes",
            segments=contender.segmentSize,
            words=words,
            **{step.name: seconds for step, seconds in took.items()},
            stepsWords=", ".join(f"{step.value} {seconds * 1e3:.1f} ms" for step, seconds in took.items()),
        )

    # The end.

    def _fail(self, words: str) -> None:
        if not self._isOver:
            if self._race is not None:
                race = self._race
                self.wasStopped, self.strayed, self.hasFailed = race.wasStopped, race.strayed, race.hasFailed
            self.cancel()
            self._failed(words)

    def _end(self) -> None:
        self._isOver = True
        self._race = None
        self._place.leave()

    def cancel(self) -> None:
        """
        Give up.
        """
        race, looking = self._race, self._looking
        self._lookupOver()
        self._end()
        if looking is not None:
            looking.cancel()
        if race is not None:
            race.leave()
