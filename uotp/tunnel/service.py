"""
What the services of both ends have in common: counters, their live tunnels,
what is done again and again, and certificates that can be read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from uotp.boundaries import Credentials, Security
from uotp.errors import ConfigurationError, PeerError, StartError
from uotp.net import GivenSockets, Host, Semantics, SharedResolver, checkCongestion
from uotp.process import Aside, Lateness, Memory, NotDoneError, Pausing, PeriodicCalls, Readings, Turns, noPause
from uotp.telemetry import Drops, Logger, RateLimit, spelled
from uotp.tunnel.filewatch import FILES_LOOK_SECONDS, FileWatch
from uotp.tunnel.live import STALL_CHECK_SECONDS, LiveTunnels
from uotp.tunnel.settings import CommonSettings
from uotp.tunnel.tunnel import Tunnel
from uotp.tunnel.tunnellog import MINUTE
from uotp.wire import HTTP_2_NAME

DROP_REPORT_SECONDS = 60.0
"""How often the log says what was dropped, if anything was."""

DATES_CHECK_SECONDS = 86400.0
"""How often we look whether our certificate is about to expire."""

READING_WORDS = "reading certificates, keys and lists"
"""What the log calls it when it takes long."""

RELOADED, NOT_RELOADED = "taken", "refused"
"""What becomes of files that were read again: all are used, or none is."""

RELOADS = tuple(f"reloads.{each}" for each in (RELOADED, NOT_RELOADED))
"""The names of what counts that, in statistics."""


class Companion(Protocol):
    """
    Starts and stops with a service, such as what tells an operator of it.
    """

    def open(self) -> None:
        """
        Take what cannot be had any more with another root directory.

        @raise StartError: when it is needed and cannot be had.
        """

    def privilegedStartService(self) -> None:
        """
        Do what we may still be root for.  The service listens.

        @raise StartError: when it is needed and cannot be done.
        """

    def startService(self) -> None:
        """
        Begin.

        @raise StartError: when that cannot be done.
        """

    def stopService(self) -> object:
        """
        Do it no more.

        @return: fires when all is done, or something else.
        """


class TunnelService(Service):
    """
    Runs one end of tunnels, as far as both ends do it alike.

    @cvar commandName: what the end is called in the log.
    @cvar speaks: whether it says what concerns the whole program.  A worker's parent does that.
    @cvar preparing: what it does until it is ready.
    @cvar unready: what is not so until then.
    @cvar tellTrouble: told why files that have changed cannot be used, and nothing when they are; L{None} for nobody.
    @ivar listening: numeric address and port, once they are bound; the first of several.
    @ivar listeningAll: all of them.
    @ivar isPlain: whether there is no TLS.
    @ivar drops: what was dropped, and why.
    @ivar processes: how many do the work.
    @ivar given: sockets that a service manager has handed in.
    @ivar reloads: how often files were read again, by what became of it.
    @ivar configurationTrouble: why the configuration file could not be used when files were read again; empty when it
        could.
    @ivar startedAt: when it was started, in monotonic seconds.
    @ivar lateness: knows how late calls were.
    """

    _log = Logger()
    commandName = ""
    speaks = True
    preparing = "looking up the server's name"
    unready = "the server's name is not found yet"
    reloadProgram: Callable[[], Deferred[tuple[str, ...]]] | None = None
    tellTrouble: Callable[[str], None] | None = None

    def __init__(
        self, settings: CommonSettings, credentials: Credentials | None, reactor: Any, processes: int = 1
    ) -> None:
        """
        @param settings: what the end was told.
        @param credentials: who we are and whom we trust; L{None} for plain TCP where everybody may join.
        @param reactor: C{IReactorTCP}, C{IReactorTime}, C{IReactorFDSet}.
        @param processes: how many share what there may be, each with descriptors of its own.
        """
        self.reactor = reactor
        self.processes = processes
        self.given = GivenSockets()
        self.drops = Drops()
        self._warnings: list[tuple[str, dict[str, object]]] = []
        self._companions: list[Companion] = []
        self.listening: tuple[str, int] | None = None
        self.listeningAll: tuple[tuple[str, int], ...] = ()
        self.rateLimit = RateLimit(reactor.seconds)
        self.liveTunnels = LiveTunnels(reactor)
        self.lateness = Lateness()
        self.aside = Aside(reactor)
        self._readings = Readings(self._readAgain)
        self.periodicCalls = PeriodicCalls(reactor, self.lateness.note)
        self.turns = Turns(reactor, Memory(settings.memory))
        self.reloads = dict.fromkeys((RELOADED, NOT_RELOADED), 0)
        self._credentialsTrouble = ""
        self.configurationTrouble = ""
        self._credentials = credentials
        self.startedAt: float = reactor.seconds()
        self._reporter: Any = None
        self.isPlain = credentials is None or credentials.isPlain
        self._congestion = settings.congestion
        self._onlyInFormat2 = settings.onlyInFormat2
        self._namesHttp2 = HTTP_2_NAME in (settings.alpn or ())

    def useGiven(self, given: GivenSockets) -> None:
        """
        Take what comes in at sockets that a service manager has bound.  The settings name their addresses.

        @raise ConfigurationError: when there are not as many as there are processes.
        """
        given.requireEach(self.processes)
        self.given = given

    def nowListening(self, pairs: Sequence[tuple[str, int]], transport: str) -> None:
        """
        Note, and tell the log, where we listen.

        @param pairs: each address with its port, at least one.
        @param transport: C{"TCP"} or C{"UDP"}.
        """
        self.listening, self.listeningAll = pairs[0], tuple(pairs)
        for host, port in pairs:
            self.sayListening(host, port, transport)

    def sayListening(self, host: str, port: int, transport: str) -> None:
        """
        Tell the log that we listen there.
        """
        self._log.info(
            "{service} listening on {host}:{port} ({transport})",
            service=self.commandName,
            host=Host.parse(host).besidePort,
            port=port,
            transport=transport,
        )

    def warnAtStart(self, words: str, **fields: object) -> None:
        """
        Have something said when the service starts.
        """
        self._warnings.append((words, fields))

    def accompany(self, companion: Companion) -> None:
        """
        Have something else start and stop with this service.
        """
        self._companions.append(companion)

    def openAhead(self) -> None:
        """
        Have what accompanies the service take what cannot be had any more in a chroot.

        @raise StartError: when it is needed and cannot be had.
        """
        for each in self._companions:
            each.open()

    def reporter(self) -> Any:
        """
        Be told of from now on.  Call this before the start: what is needed for it is imported.

        @return: L{uotp.monitoring.Reporter}, the same each time.
        """
        if self._reporter is None:
            self._reporter = self.newReporter()
        return self._reporter

    def newReporter(self) -> Any:
        """
        @return: what tells of this service.
        """
        raise NotImplementedError

    def statusWords(self) -> str:
        """
        @return: how the service is, in few words, for whoever looks at it among others.
        """
        raise NotImplementedError

    def isAlive(self) -> bool:
        """
        @return: whether the service does its work, as far as this process can tell.  One that has no workers does
            when this is called.
        """
        return True

    def lookUpAhead(self) -> None:
        """
        Look up at once, and wait for it, what has a name.  Call this before names cannot be looked
        up any more: in a chroot there are no files of the system's resolver.
        """
        raise NotImplementedError

    def _rememberAhead(self, resolver: SharedResolver, host: str, port: int, semantics: Semantics) -> None:
        trouble = resolver.lookUpAhead(host, port, semantics)
        if trouble is not None:
            self._log.warn(
                "{host} could not be looked up before the chroot, and cannot be in it without the files of the "
                "system's resolver (etc/resolv.conf, etc/hosts): {reason}",
                host=host,
                reason=str(trouble),
            )

    def privilegedStartService(self) -> None:
        """
        Do what we may still be root for.  Call this when the ports are bound.

        @raise StartError: when it is needed and cannot be done.
        """
        super().privilegedStartService()
        for each in self._companions:
            each.privilegedStartService()

    def startService(self) -> None:
        """
        Begin with what is done again and again.

        @raise StartError: when the congestion control cannot be had any more.
        """
        super().startService()
        self.startedAt = self.reactor.seconds()
        if self._congestion is not None:
            requireCongestion(self._congestion)  # once more, as the user that we have become
        for words, fields in self._warnings:
            self._log.warn(words, **fields)
        if self.isPlain and self.speaks:
            self._log.warn("plain TCP: everybody on the way can read and change what is carried")
        self.periodicCalls.every(STALL_CHECK_SECONDS, self.liveTunnels.abortStalled)
        if self.speaks:
            self.periodicCalls.every(DROP_REPORT_SECONDS, self.reportDrops)
        self.periodicCalls.every(MINUTE, self.liveTunnels.tellPaths)
        if self._credentials is not None and self.speaks:
            self.periodicCalls.every(DATES_CHECK_SECONDS, self._credentials.warnOfDates)
            known = lambda: self._credentialsTrouble  # noqa: E731 - it is used once
            watch = FileWatch(self._credentials, self.takeUp, self._takeUpTried, known, self.aside)
            self.periodicCalls.every(FILES_LOOK_SECONDS, watch.look)
        for each in self._companions:
            each.startService()
        if self._namesHttp2 and self.speaks:
            self._log.warn(
                "{setting} names {name}, and nothing here speaks HTTP/2: who takes it for that waits in vain",
                setting=spelled("alpn"),
                name=HTTP_2_NAME,
            )

    def warnOfFormat1(self) -> None:
        """
        No other format is spoken: warn of settings that have no effect then.
        """
        for name in self._onlyInFormat2:
            self._log.warn(
                "{setting} has no effect: only format 1 is spoken here; for format 2 the client needs {wire} 2, and "
                "the server {wire} 2 or auto",
                setting=spelled(name),
                wire=spelled("wire"),
            )

    @property
    def credentials(self) -> Credentials | None:
        """
        Knows who it is, and whom it trusts; L{None} for plain TCP.
        """
        return self._credentials

    @property
    def filesTrouble(self) -> str:
        """
        Why the files on disk cannot be used, in words, so that the old ones stay in use; empty when they can, as far as
        they were read.
        """
        return self._credentialsTrouble or self.configurationTrouble

    @property
    def trouble(self) -> str:
        """
        Why the service cannot do its work, in words; empty when it can.
        """
        return "" if self.running else "it stops, or has not started yet"

    def whenReady(self) -> Deferred[None]:
        """
        @return: fires when the service, which has started, can do its work; fails with L{StartError} when it finds
            out that it never can.
        """
        return succeed(None)

    def stopService(self) -> Any:
        """
        Do it no more.
        """
        self.periodicCalls.stop()
        self._readings.stop()
        self.aside.stop()
        if self.speaks:
            self.reportDrops()
        return super().stopService()

    def afterwards(self, stopped: Deferred[Any]) -> Deferred[Any]:
        """
        @param stopped: fires when the service has ended.
        @return: fires when what accompanies it has ended too.  Until then that tells that the service stops.
        """
        return stopped.addBoth(self._dismiss)

    def _dismiss(self, outcome: Any) -> Deferred[Any]:
        ended = [maybeDeferred(each.stopService).addErrback(self._didNotEndWell) for each in self._companions]
        return gatherResults(ended).addCallback(lambda _: outcome)

    def _didNotEndWell(self, reason: Failure) -> None:
        self._log.failure("what accompanies this service did not end well", reason)

    def whenSent(self, waits: Callable[[], bool], seconds: float) -> Deferred[None]:
        """
        @param waits: tells whether something waits that a tunnel will take.
        @param seconds: how long to wait if something does.
        @return: fires at once when nothing waits, and after so many seconds otherwise.
        """
        return deferLater(self.reactor, seconds) if waits() else succeed(None)

    def reportDrops(self) -> None:
        """
        Say what was dropped since this was said last, if anything was.
        """
        report = self.drops.report()
        if report is not None:
            self._log.warn("datagrams dropped: {reportWords}", **report)

    def reload(self) -> Deferred[None]:
        """
        Read the certificate files again, in another thread; connections that are made from then on use them.  One
        that is wanted while another is under way follows it.

        @return: fires when they are in use; fails with L{ConfigurationError} when they cannot be used, and the old
            stay in use.
        """
        return self.countReload(self._readings.ask(onlyNew=False).addCallback(lambda _: None))

    def followPath(self) -> None:
        """
        Find out what has become of the path to the other end, as a reload does, where we are the one who dials.
        """

    def takeUp(self) -> Deferred[bool]:
        """
        Files have changed: use what they say, if that is anything new.

        @return: fires with whether it is; fails with L{ConfigurationError} when they cannot be used, and the old
            stay in use.
        """
        return self._readings.ask(onlyNew=True)

    def _readAgain(self, onlyNew: bool) -> Deferred[bool]:  # noqa: FBT001 - as L{Readings} tells it
        """
        Read the files, and use what they say.

        @param onlyNew: whether what is not new need not be used.
        @return: whether it is new.
        """
        reading = self.aside.run(lambda pause: self.prepare(pause=pause), READING_WORDS)
        return reading.addCallback(self._useRead, onlyNew)

    def _useRead(self, prepared: Any, onlyNew: bool) -> bool:  # noqa: FBT001 - a callback
        isNew = prepared is not None and not prepared.isInUse
        if isNew or not onlyNew:
            self.renew(prepared)
        return isNew

    def _takeUpTried(self, trouble: str, isCounted: bool) -> None:  # noqa: FBT001 - as L{FileWatch} tells it
        self._credentialsTrouble = trouble
        self.reloads[NOT_RELOADED if trouble else RELOADED] += isCounted
        if self.tellTrouble is not None:
            self.tellTrouble(self.filesTrouble)

    def countReload(self, reading: Deferred[None]) -> Deferred[None]:
        """
        Files are read again.  Those that are not, since we stop for example, do not count.

        @param reading: fires when all use them; fails when one cannot.
        @return: the same.
        """

        def count(outcome: Any) -> Any:
            isFailure = isinstance(outcome, Failure)
            if not (isFailure and outcome.check(NotDoneError)):
                self._credentialsTrouble = str(outcome.value) if isFailure else ""
                self.reloads[NOT_RELOADED if isFailure else RELOADED] += 1
            return outcome

        return reading.addBoth(count)

    def prepare(self, contents: Mapping[str, bytes] | None = None, pause: Pausing = noPause) -> Any:
        """
        Read the certificate files again, and do not use them yet.

        @param contents: what they hold, by their paths, where another process has read them.
        @param pause: called again and again meanwhile.
        @return: what L{renew} takes.
        @raise ConfigurationError: when they cannot be used.
        """
        return None if self._credentials is None else self._credentials.prepare(contents, pause)

    def renew(self, prepared: Any) -> None:
        """
        Use for connections that are made from now on what was prepared.
        """
        if self._credentials is not None:
            self._credentials.adopt(prepared)
            self.liveTunnels.endEach(self._objection)

    def _objection(self, tunnel: Tunnel) -> PeerError | None:
        return self.objection(tunnel.security, tunnel.token)

    def objection(self, security: Security | None, token: bytes | None = None) -> PeerError | None:
        """
        @param security: what TLS has found out of a peer that was let in.
        @param token: what identifies the token that it has shown.
        @return: why it may not go on, by what the files say now, or L{None}.
        """
        if self._credentials is None:
            return None
        known = security or Security()
        return self._credentials.objection(known.peerKey, known.peerChain, token)


def shortStatus(sessions: int, tunnels: int, *more: str) -> str:
    """
    @param more: what else there is to say; what is empty is left out.
    @return: how a service is, in few words.
    """
    counts = [f"{sessions} session{'s' * (sessions != 1)}", f"{tunnels} tunnel{'s' * (tunnels != 1)}"]
    return "; ".join([", ".join(counts), *filter(None, more)])


def requireCongestion(name: str) -> None:
    """
    @raise StartError: when this congestion control cannot be had.
    """
    try:
        checkCongestion(name)
    except ConfigurationError as error:
        raise StartError(str(error)) from error
