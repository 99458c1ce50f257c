"""
A client, put together: UDP ports, a session for each source, and the way to
the server.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from uotp.boundaries import Address
from uotp.client.context import ClientContext, noToken
from uotp.client.dial.outcomes import DialOutcome
from uotp.client.dial.segmentsize import SegmentSizes
from uotp.client.dial.segmentwatch import WATCH_SECONDS
from uotp.client.dial.upgrades import upgradeTo
from uotp.client.front import ClientFront
from uotp.client.lookup.lastgood import WRITE_SECONDS, LastGood, WriteElsewhere
from uotp.client.lookup.serverlookup import ServerLookup
from uotp.client.reachability import Reachability
from uotp.client.settings import ClientSettings
from uotp.client.sources.admission import AdmissionLimits
from uotp.client.sources.sessions import SessionsBySource
from uotp.client.sources.source import SourceSession
from uotp.client.sources.sourceport import SourcePort
from uotp.client.statistics import ClientStatistics
from uotp.net import SharedResolver, backgroundThread
from uotp.process import SleepClocks, SleepDetector, StoppedError, sleepClocks
from uotp.session import WAIT_SECONDS
from uotp.telemetry import logCounted, spelled
from uotp.tls import ClientCredentials
from uotp.transport import Dialer
from uotp.tunnel import shortStatus
from uotp.udp import MAX_INTAKE_BYTES, datagramPortOpener, givenSocketPreparer, groupMemberOpener

if TYPE_CHECKING:
    from uotp.monitoring import Reporter

INTAKE_SHARE = 4
"""What is read from all UDP ports while they are crowded takes one part in so many of the memory at the most."""

WAKE_CHECK_SECONDS = 1.0
"""How often we look whether this machine has slept."""

SILENCE_CHECK_SECONDS = 2.0
"""How often we look for sources to which nothing comes back."""

DOWN_FAILURES = 3
"""When so many attempts have failed, one after the other, and there is no tunnel, the client cannot do its work."""

RENEW_CHECK_SECONDS = 0.25
"""How often we look for tunnels that are old, where they may become so: a second or so apart."""


class ClientService(ClientFront):
    """
    Runs a client: binds its UDP ports, and opens a session for each source that sends.
    """

    def __init__(
        self,
        settings: ClientSettings,
        credentials: ClientCredentials | None,
        reactor: Any,
        clocks: SleepClocks | None = None,
        processes: int = 1,
        writeElsewhere: WriteElsewhere | None = None,
    ) -> None:
        """
        See L{ClientFront}.

        @param clocks: tell whether the machine has slept; the system's own when left out.
        @param writeElsewhere: see L{LastGood}.
        @raise ConfigurationError: for a server that no certificate could name.
        """
        super().__init__(settings, credentials, reactor, processes)
        self._clientCredentials = credentials
        self.intakeBytes = min(MAX_INTAKE_BYTES, settings.memory // INTAKE_SHARE // len(self._places) // processes)
        self.turns.memory.reserve(self.intakeBytes * len(self._places))
        self._reachability = reachability = Reachability(settings.server, reactor.seconds, self.rateLimit)
        self._resolver = SharedResolver(backgroundThread(reactor))
        self._lastGood = LastGood(settings.server, settings.stateDirectory, reactor.seconds, writeElsewhere)
        self._lookup = ServerLookup(
            settings.server,
            self._resolver,
            self._lastGood,
            reactor,
            self.rateLimit,
            lambda: reachability.failingSince,
            once=settings.resolveOnce,
            retrySeconds=settings.backoff,
        )
        dialer = Dialer(
            reactor,
            settings.server,
            None if credentials is None else credentials.creatorFor(settings.server[0]),
            self._lookup,
            settings.mark,
            settings.tuning,
            upgradeTo(settings.servers[0], isPlain=credentials is None),
        )
        self._context = ClientContext(
            settings,
            reactor,
            dialer,
            random.random,
            self.liveTunnels,
            reachability,
            self.turns,
            SegmentSizes(settings.mss, self._warnOfSegments),
            self._lookup.opened,
            processes,
            noToken if credentials is None else credentials.token,
        )
        self._sleep = SleepDetector(clocks or sleepClocks())
        self._sessions = SessionsBySource(
            partial(SourceSession, self._context, self.drops),
            reactor,
            self.drops,
            settings.expire,
            allow=settings.allow,
            admission=AdmissionLimits.of(processes),
        )
        self._openPort = datagramPortOpener(
            reactor, self.drops, settings.udpBuffer, shared=True, intakeBytes=self.intakeBytes
        )

    def openPort(self, bindAddress: Address, protocol: Any) -> Any:
        """
        See L{ClientFront}.
        """
        given = self.given.at(*bindAddress[:2])
        if given is None:
            return self._openPort(bindAddress, protocol)
        (only,) = given.sockets
        choices = (self.reactor, self.drops, self.settings.udpBuffer)
        givenSocketPreparer(*choices)(only)
        return groupMemberOpener(*choices, self.intakeBytes)(only, protocol)

    def newPort(self, whenLost: Callable[[str], None]) -> SourcePort:
        """
        See L{ClientFront}.
        """
        return self._sessions.newPort(whenLost)

    def startService(self) -> None:
        """
        Begin.

        @raise StartError: when a port or the mark cannot be had.
        """
        super().startService()
        self.beginToCarry()

    def beginToCarry(self) -> None:
        """
        Look the server up, and do from now on what is done again and again for sources.
        """
        self.periodicCalls.every(min(1.0, self.settings.expire / 4), self._sessions.endIdle)
        self.periodicCalls.every(SILENCE_CHECK_SECONDS, self._sessions.review)
        self.periodicCalls.every(WAKE_CHECK_SECONDS, self._noticeSleep)
        if self.settings.mss is None:
            self.periodicCalls.every(WATCH_SECONDS, self._context.segmentWatch.look)
        self.periodicCalls.every(RENEW_CHECK_SECONDS, self._renewOld)
        self.periodicCalls.every(WRITE_SECONDS, self._lastGood.save)
        self._lookup.start()

    @property
    def sessions(self) -> SessionsBySource:
        """
        The sessions of its sources.
        """
        return self._sessions

    @property
    def trouble(self) -> str:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        if super().trouble:
            return super().trouble
        if not self._lookup.first.isOver:
            return self.unready
        reachability = self._reachability
        if reachability.failures >= DOWN_FAILURES and not reachability.tunnels:
            return f"no tunnel can be opened: {reachability.lastFailure}"
        return ""

    def whenReady(self) -> Deferred[None]:
        """
        See L{uotp.tunnel.TunnelService}.  A client is ready when it knows where to dial.
        """
        return self._lookup.first.whenOver()

    def newReporter(self) -> Reporter:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        from uotp.client.reporting import ClientReporter  # noqa: PLC0415 - of no use to whom nobody looks at

        return ClientReporter(self)

    def statusWords(self) -> str:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        since = self._reachability.failingSince
        trouble = "" if since is None else f"no tunnel could be opened for {self.reactor.seconds() - since:.0f} s"
        return shortStatus(len(self._sessions), len(self.liveTunnels), trouble)

    def statistics(self) -> ClientStatistics:
        """
        @return: what it has done, and how it is.
        """
        return ClientStatistics(
            self._sessions.statistics(),
            self.liveTunnels.statistics(),
            {drop.name: number for drop, number in self.drops.totals.items()},
            {outcome.name: self._context.outcomes[outcome] for outcome in DialOutcome},
            dict(self.reloads),
        )

    def disconnect(self, session: str) -> Deferred[int]:
        """
        See L{uotp.monitoring.Reporter}.
        """
        return self._sessions.disconnect(session)

    def _warnOfSegments(self, size: int) -> None:
        host, port = self.settings.server
        self._log.warn(
            "large packets seem to be lost on the way to {host} port {port}: tunnels have TCP segments of {size} bytes "
            "from now on; let ICMP (fragmentation needed, packet too big) pass, or set {setting} {size} or the MTU",
            host=host,
            port=port,
            size=size,
            setting=spelled("mss"),
        )

    def _renewOld(self) -> None:
        """
        Replace tunnels that are old, where they may become so.
        """
        allowed = self._context.volumeLimit.most(self.reactor.seconds())
        if any(bound is not None for bound in (self.settings.maxAge, self.settings.maxBytes, allowed)):
            self._sessions.renewOld()

    def _noticeSleep(self) -> None:
        if self._sleep.isOver():
            doubt = self._sleep.doubt
            suppressed = self.rateLimit.suppressedBefore(("clock", doubt)) if doubt else 0
            words = "this machine has slept{doubtWords}: every tunnel has to show that it is good"
            logCounted(self._log, LogLevel.info, suppressed, words, doubtWords=doubt, isCertain=not doubt)
            self._context.pathChanged()
            self._sessions.prove()

    def lookUpAhead(self) -> None:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        self._rememberAhead(self._resolver, *self.settings.server, "TCP")

    def _readAgain(self, onlyNew: bool) -> Deferred[bool]:  # noqa: FBT001 - as L{Readings} tells it
        """
        Read the certificate files again.  Where that was asked for, look the server's name up again besides, and find
        out whether the tunnels are still good, since the network may have changed: what does not answer is dialled
        again.
        """
        before = self.ownPin()
        return super()._readAgain(onlyNew).addBoth(self._wasRead, before, onlyNew)

    def _wasRead(self, outcome: Any, before: bytes | None, onlyNew: bool) -> Any:  # noqa: FBT001 - a callback
        if isinstance(outcome, Failure) and outcome.check(StoppedError):
            return outcome
        keyChanged = self.ownPin() != before
        if not onlyNew:
            self.pathMayHaveChanged(keyChanged=keyChanged)
        elif keyChanged:
            self._sessions.keyChanged()
        return outcome

    def pathMayHaveChanged(self, *, keyChanged: bool) -> None:
        """
        Forget what was learned of the path, look the server's name up again, and find out whether the
        tunnels are still good.

        @param keyChanged: whether we show another key to the server from now on.
        """
        self._context.pathChanged()
        self._lookup.lookAgain()
        if keyChanged:
            self._sessions.keyChanged()
        else:
            self._sessions.prove()

    def ownPin(self) -> bytes | None:
        """
        @return: what identifies the key that we show to the server; L{None} without one.
        """
        return None if self._clientCredentials is None else self._clientCredentials.ownPin

    def stopService(self) -> Deferred[None]:
        """
        Take nothing more from sources, let what is under way arrive, and end all
        sessions.

        @return: fires when the last tunnel is gone, in less than 5 s.
        """
        self._lookup.stop()
        self.ignoreSources()
        drained = self.whenSent(self._sessions.waits, WAIT_SECONDS).addCallback(self._drain)
        super().stopService()
        return self.afterwards(drained)

    def _drain(self, _: object) -> Deferred[None]:
        return self._sessions.drainAll().addCallback(self._drainBegun)

    def _drainBegun(self, _: object) -> Deferred[None]:
        return self.liveTunnels.whenEmpty().addCallback(self._drained)

    def _drained(self, _: object) -> Deferred[None]:
        return self._sessions.endAll().addCallback(lambda _: self.closePorts())

    def countKernelDrops(self) -> None:
        """
        Count what the kernel has dropped at the ports, because too much waited to be read.
        """
        self.ports.countKernelDrops()

    def ignoreSources(self) -> None:
        """
        Take nothing more from sources.
        """
        self.ports.ignoreSources()

    def closePorts(self) -> Deferred[Any]:
        """
        @return: fires when all are closed.
        """
        return self.ports.stop()
