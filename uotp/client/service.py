"""
A client, put together: UDP ports, a session for each source, and the way to
the server.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from uotp.boundaries import Address
from uotp.client.dial.outcomes import DialOutcome
from uotp.client.dial.segmentwatch import WATCH_SECONDS
from uotp.client.front import ClientFront
from uotp.client.lookup.lastgood import WRITE_SECONDS, LastGood
from uotp.client.serverway import ServerWay
from uotp.client.settings import ClientSettings
from uotp.client.sources.admission import AdmissionLimits
from uotp.client.sources.sessions import SessionsBySource
from uotp.client.sources.source import SourceSession
from uotp.client.sources.sourceport import SourcePort
from uotp.client.standby.servers import ClientServers
from uotp.client.statistics import ClientStatistics
from uotp.net import SharedResolver, backgroundThread
from uotp.process import SleepClocks, SleepDetector, StoppedError, sleepClocks
from uotp.session import WAIT_SECONDS
from uotp.telemetry import logCounted, orLog
from uotp.tls import ClientCredentials
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

SERVER_CHECK_SECONDS = 0.2
"""How often we look whether sessions had better be at another server, where there are several."""

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
        writeElsewhere: Callable[[int, tuple[str, ...]], None] | None = None,
    ) -> None:
        """
        See L{ClientFront}.

        @param clocks: tell whether the machine has slept; the system's own when left out.
        @param writeElsewhere: is told the rank of a server, and what is to be written of it, see L{LastGood}.
        @raise ConfigurationError: for a server that no certificate could name.
        """
        super().__init__(settings, credentials, reactor, processes)
        self._clientCredentials = credentials
        self.intakeBytes = min(MAX_INTAKE_BYTES, settings.memory // INTAKE_SHARE // len(self._places) // processes)
        self.turns.memory.reserve(self.intakeBytes * len(self._places))
        self._resolver = SharedResolver(backgroundThread(reactor))
        lastGood: dict[tuple[str, int], LastGood] = {}  # servers behind one proxy have its addresses together
        for rank, dialled in enumerate(map(settings.dialledFor, settings.servers)):
            if dialled not in lastGood:
                elsewhere = None if writeElsewhere is None else partial(writeElsewhere, rank)
                lastGood[dialled] = LastGood(dialled, settings.stateDirectory, reactor.seconds, elsewhere)
        self._ways = [
            ServerWay(
                place,
                settings,
                credentials,
                reactor,
                self._resolver,
                self.liveTunnels,
                self.turns,
                self.rateLimit,
                processes,
                lastGood[settings.dialledFor(place)],
            )
            for place in settings.servers
        ]
        self.servers = ClientServers([way.server for way in self._ways], self.rateLimit)
        self._sleep = SleepDetector(clocks or sleepClocks())
        self._sessions = SessionsBySource(
            partial(SourceSession, self.servers, self.drops),
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
        self.periodicCalls.every(SERVER_CHECK_SECONDS, self._reviewServers)
        self.periodicCalls.every(RENEW_CHECK_SECONDS, self._renewOld)
        for way in self._ways:
            if self.settings.mss is None:
                self.periodicCalls.every(WATCH_SECONDS, way.server.context.segmentWatch.look)
            self.periodicCalls.every(WRITE_SECONDS, way.lastGood.save)
            way.lookup.start()

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
        if not any(way.lookup.first.isOver for way in self._ways):
            return self.unready
        each = [way.reachability for way in self._ways]
        failing = [one for one in each if one.failures >= DOWN_FAILURES]
        if failing and not any(one.tunnels for one in each):
            return f"no tunnel can be opened: {failing[0].lastFailure}"
        return ""

    def whenReady(self) -> Deferred[None]:
        """
        See L{uotp.tunnel.TunnelService}.  A client is ready when it knows where to dial.
        """
        first: Deferred[None] = Deferred()

        def found(_: None) -> None:
            if not first.called:
                first.callback(None)

        for way in self._ways:
            orLog(way.lookup.first.whenOver().addCallback(found), self._log, "nobody was told that a server is found")
        return first

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
        failing = [way.reachability.failingSince for way in self._ways]
        isAway = not any(way.reachability.tunnels for way in self._ways)
        since = min((each for each in failing if each is not None), default=None) if isAway else None
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
            {outcome.name: sum(way.server.context.outcomes[outcome] for way in self._ways) for outcome in DialOutcome},
            dict(self.reloads),
        )

    def disconnect(self, session: str) -> Deferred[int]:
        """
        See L{uotp.monitoring.Reporter}.
        """
        return self._sessions.disconnect(session)

    def _renewOld(self) -> None:
        """
        Replace tunnels that are old, where they may become so.
        """
        now = self.reactor.seconds()
        allowed = [way.server.context.volumeLimit.most(now) for way in self._ways]
        if any(bound is not None for bound in (self.settings.maxAge, self.settings.maxBytes, *allowed)):
            self._sessions.renewOld()

    def _reviewServers(self) -> None:
        """
        Let a tunnel of each session stand by at another server, where there is one.
        """
        if self.servers.areSeveral:
            self._sessions.reviewServers()

    def _noticeSleep(self) -> None:
        if self._sleep.isOver():
            doubt = self._sleep.doubt
            suppressed = self.rateLimit.suppressedBefore(("clock", doubt)) if doubt else 0
            words = "this machine has slept{doubtWords}: every tunnel has to show that it is good"
            logCounted(self._log, LogLevel.info, suppressed, words, doubtWords=doubt, isCertain=not doubt)
            self.servers.pathChanged()
            self._sessions.prove()

    def lookUpAhead(self) -> None:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        for address in set(map(self.settings.dialledFor, self.settings.servers)):
            self._rememberAhead(self._resolver, *address, "TCP")

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

    def followPath(self) -> None:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        self.pathMayHaveChanged(keyChanged=False)

    def pathMayHaveChanged(self, *, keyChanged: bool) -> None:
        """
        Forget what was learned of the path, look the server's name up again, and find out whether the
        tunnels are still good.

        @param keyChanged: whether we show another key to the server from now on.
        """
        self.servers.pathChanged()
        for way in self._ways:
            way.lookup.lookAgain()
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
        for way in self._ways:
            way.lookup.stop()
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
