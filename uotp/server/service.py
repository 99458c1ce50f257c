"""
A server, put together: TCP ports, an acceptor, and sessions with their ways to
the target.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import CannotListenError
from twisted.logger import LogLevel

from uotp.net import Networks, Routes, SharedResolver, backgroundThread, setSegmentSize
from uotp.server.acceptor import Acceptor
from uotp.server.door.fallback import Fallback
from uotp.server.door.visitors import Door
from uotp.server.finder import TargetFinder
from uotp.server.front import LISTEN_QUEUE, ServerFront
from uotp.server.joining import Coordination
from uotp.server.limits import ConnectionLimits
from uotp.server.registry import Registry, ServedSession
from uotp.server.settings import PERCENT, ServerSettings
from uotp.server.statistics import ServerStatistics
from uotp.server.target import Target
from uotp.server.targetsocket import ROUTE_SECONDS, TargetSocket
from uotp.session import STOPPED_SECONDS, WAIT_SECONDS
from uotp.telemetry import RateLimit, logCounted
from uotp.tls import ServerCredentials
from uotp.transport import AcceptedTcpStream, AcceptedTlsStream, HandshakeQueue, Listener, listen, listenOn
from uotp.tunnel import shortStatus
from uotp.udp import datagramPortOpener
from uotp.wire import newInstance

if TYPE_CHECKING:
    from uotp.monitoring import Reporter

REVIEW_SECONDS = 5.0
"""How often we look for sessions that are idle, or to which the target does not answer."""


VISITORS = "visitors"
"""Whose share of a turn all visitors use together: it is no client's."""

SILENCE_LOOK_SECONDS = 1.0
"""How often we look for sessions whose target is to be looked for, where it may move."""


class ServerService(ServerFront):
    """
    Runs a server: accepts tunnels, and brings each session to the target.
    """

    def __init__(
        self,
        settings: ServerSettings,
        credentials: ServerCredentials | None,
        reactor: Any,
        coordination: Coordination | None = None,
        instance: bytes | None = None,
    ) -> None:
        """
        See L{TunnelService}.

        @param coordination: what a worker needs beside others; L{None} where there is only one process.
        @param instance: what names this start of the server, where there are several workers.
        """
        super().__init__(settings, credentials, reactor)
        share = settings.ownerShare if coordination is None else PERCENT
        self._routes = Routes(reactor.seconds)
        openPort = datagramPortOpener(reactor, self.drops, settings.udpBuffer)
        makeSocket = partial(TargetSocket, openPort, reactor, self.drops, self._routes.to, random.random)
        self._resolver = SharedResolver(backgroundThread(reactor))
        self._finder = TargetFinder(settings.target, self._resolver, reactor, self.rateLimit)
        self.registry = Registry(
            partial(Target, self._finder, makeSocket, reactor, self.drops),
            reactor,
            self.turns,
            self.drops,
            settings.linger,
            self.mostSessions,
            reorder=settings.reorder,
            duplicate=settings.duplicate,
            ownerShare=share,
            watcher=coordination,
        )
        self.handshakes = HandshakeQueue(reactor)
        choices = (self.handshakes, settings.tuning)
        isPlain = credentials is None or credentials.isPlain
        self.acceptor = Acceptor(
            self.registry,
            self.liveTunnels,
            reactor,
            RateLimit(reactor.seconds),
            partial(AcceptedTcpStream, *choices)
            if credentials is None or isPlain
            else partial(AcceptedTlsStream, credentials.connection, *choices),
            ConnectionLimits.of(self.mostConnections, share),
            settings.wire,
            coordination,
            tokens=lambda: None if credentials is None else credentials.tokens,
            objection=self.objection,
            instance=instance or newInstance(),
            pads=settings.pad,
            announcers=Networks(settings.proxyProtocol).has,
            door=self._newDoor(isPlain=isPlain),
            visitorAllowance=partial(self.turns.allowanceOf, VISITORS),
        )

    def _newDoor(self, *, isPlain: bool) -> Door:
        path, fallback = self.settings.httpPath, self.settings.fallback
        return Door(
            None if path is None else path.encode("ascii"),
            needsPath=path is not None and self._letsEverybodyIn,
            fallback=None if fallback is None else Fallback(fallback, self._resolver, self.reactor, self.rateLimit),
            isPlain=isPlain,
        )

    def lookUpAhead(self) -> None:
        """
        See L{TunnelService}.
        """
        self._rememberAhead(self._resolver, *self.settings.target, "UDP")
        if self.settings.fallback is not None:
            self._rememberAhead(self._resolver, *self.settings.fallback, "TCP")

    def privilegedStartService(self) -> None:
        """
        Bind the ports, while we may still be root.

        @raise StartError: when one cannot be had.
        """
        self.acceptor.open()
        super().privilegedStartService()

    def listen(self, host: str, port: int) -> Listener:
        """
        See L{ServerFront}.
        """
        given = self.given.at(host, port)
        if given is not None:
            (only,) = given.sockets
            if self.settings.mss is not None:
                setSegmentSize(only, self.settings.mss)
            return listenOn(only, self.acceptor, self.handshakes, self.reactor)
        try:
            return listen((host, port), self.acceptor, self.handshakes, LISTEN_QUEUE, self.reactor, self.settings.mss)
        except CannotListenError as error:
            raise error.socketError from error
        except FileNotFoundError as error:
            remedy = "a chroot needs it: mknod -m 666 dev/null c 1 3"
            reason = f"{error.filename} cannot be opened: {error.strerror} ({remedy})"
            raise OSError(error.errno, reason) from error

    def startService(self) -> None:
        """
        Begin.

        @raise StartError: when a port cannot be had.
        """
        super().startService()
        self.beginToServe()

    def beginToServe(self) -> None:
        """
        Do from now on what is done again and again for sessions.
        """
        self.periodicCalls.every(REVIEW_SECONDS, self._review)
        self.periodicCalls.every(ROUTE_SECONDS, self._followRoutes)
        if self._finder.mayMove:
            self.periodicCalls.every(SILENCE_LOOK_SECONDS, self.registry.reviewTargets)

    def newReporter(self) -> Reporter:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        from uotp.server.reporting import ServerReporter  # noqa: PLC0415 - of no use to whom nobody looks at

        return ServerReporter(self)

    def statusWords(self) -> str:
        """
        See L{TunnelService}.
        """
        return shortStatus(len(self.registry), len(self.liveTunnels))

    def statistics(self) -> ServerStatistics:
        """
        @return: what it has done, and how it is.
        """
        return ServerStatistics(
            self.registry.statistics(),
            self.acceptor.statistics(),
            self.liveTunnels.statistics(),
            {drop.name: number for drop, number in self.drops.totals.items()},
            dict(self.reloads),
        )

    def disconnect(self, session: str) -> Deferred[int]:
        """
        See L{uotp.monitoring.Reporter}.
        """
        return self.registry.disconnect(session)

    def _followRoutes(self) -> None:
        if self._routes.refresh():
            self.registry.checkRoutes()

    def _review(self) -> None:
        self.registry.review(self._sayIsSilent, self._sayHasStopped)

    def _sayIsSilent(self, served: ServedSession) -> None:
        host, port = self.settings.target
        logCounted(
            self._log,
            LogLevel.warn,
            self.rateLimit.suppressedBefore("silent"),
            "nothing comes back to session {session}{clientWords} from the target, {host} port {port}: is it there?",
            session=served.name,
            **served.client,
            host=host,
            port=port,
        )

    def _sayHasStopped(self, served: ServedSession) -> None:
        host, port = self.settings.target
        logCounted(
            self._log,
            LogLevel.warn,
            self.rateLimit.suppressedBefore("stopped"),
            "for {seconds:.0f} s nothing has come back to session {session}{clientWords} from the target, "
            "{host} port {port}: is it still there?",
            seconds=STOPPED_SECONDS,
            session=served.name,
            **served.client,
            host=host,
            port=port,
        )

    def stopService(self) -> Deferred[Any]:
        """
        Accept nothing more, let what is under way arrive, and end all sessions.

        @return: fires when the last tunnel is gone, in less than 5 s.
        """
        closed = self.ports.stop()
        self.acceptor.close()
        self._finder.stop()
        drained = self.whenSent(self.registry.waits, WAIT_SECONDS).addCallback(self._drain)
        super().stopService()
        return self.afterwards(gatherResults([closed, drained]))

    def _drain(self, _: object) -> Deferred[None]:
        self.liveTunnels.drainAll()
        return self.liveTunnels.whenEmpty().addCallback(lambda _: self.registry.endAll())
