"""
A server, put together: TCP ports, an acceptor, and sessions with their ways to
the target.
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import CannotListenError
from twisted.logger import LogLevel

from uotp.net import Routes, SharedResolver, backgroundThread, placesOf
from uotp.process import descriptorLimit
from uotp.server.acceptor import Acceptor, ConnectionLimits
from uotp.server.finder import TargetFinder
from uotp.server.ports import ServerPorts
from uotp.server.registry import Registry, ServedSession
from uotp.server.settings import MAX_CONNECTIONS, ServerSettings
from uotp.server.target import Target
from uotp.server.targetsocket import ROUTE_SECONDS, TargetSocket
from uotp.session import STOPPED_SECONDS, WAIT_SECONDS
from uotp.telemetry import RateLimit, logCounted, spelled
from uotp.tls import ServerCredentials
from uotp.transport import AcceptedTcpStream, AcceptedTlsStream, HandshakeQueue, Listener, listen
from uotp.tunnel import TunnelService
from uotp.udp import datagramPortOpener
from uotp.wire import WireChoice

LISTEN_QUEUE = 511
"""
Connections that the kernel accepts ahead of us: a restart brings all pools back
at once.  The system's own limit, net.core.somaxconn, may make it less.
"""

FEW_CONNECTIONS = 4096
"""
With fewer connections than this a warning says so, also where nobody has asked for more: they
are enough for 512 clients with the usual pool.
"""

REVIEW_SECONDS = 5.0
"""How often we look for sessions that are idle, or to which the target does not answer."""


SILENCE_LOOK_SECONDS = 1.0
"""How often we look for sessions whose target is to be looked for, where it may move."""


class ServerService(TunnelService):
    """
    Runs a server: accepts tunnels, and brings each session to the target.
    """

    commandName = "uotp-server"

    def __init__(self, settings: ServerSettings, credentials: ServerCredentials | None, reactor: Any) -> None:
        """
        See L{TunnelService}.
        """
        self._isPlain = credentials is None
        self._verifiesClients = credentials is not None and credentials.verifiesClients
        super().__init__(settings, credentials, reactor)
        self._settings = settings
        self._ports = ServerPorts(self._listen, self.rateLimit, partial(self.sayListening, transport="TCP"))
        self._descriptors = descriptorLimit()
        self._connections = connectionsWithin(self._descriptors, settings.maxConnections)
        self._sessions = sessionsWithin(self._descriptors, settings.maxSessions)
        self._routes = Routes(reactor.seconds)
        openPort = datagramPortOpener(reactor, self.drops, settings.udpBuffer)
        makeSocket = partial(TargetSocket, openPort, reactor, self.drops, self._routes.to, random.random)
        self._resolver = SharedResolver(backgroundThread(reactor))
        self._finder = TargetFinder(settings.target, self._resolver, reactor, self.rateLimit)
        self._registry = Registry(
            partial(Target, self._finder, makeSocket, reactor, self.drops),
            reactor,
            self.turns,
            self.drops,
            settings.linger,
            self._sessions,
            reorder=settings.reorder,
            duplicate=settings.duplicate,
            ownerShare=settings.ownerShare,
        )
        self._handshakes = HandshakeQueue(reactor)
        choices = (self._handshakes, settings.tuning)
        self._acceptor = Acceptor(
            self._registry,
            self.liveTunnels,
            reactor,
            RateLimit(reactor.seconds),
            partial(AcceptedTcpStream, *choices)
            if credentials is None
            else partial(AcceptedTlsStream, credentials.connection, *choices),
            ConnectionLimits.of(self._connections, settings.ownerShare),
            settings.wire,
        )

    def lookUpAhead(self) -> None:
        """
        See L{TunnelService}.
        """
        self._rememberAhead(self._resolver, *self._settings.target, "UDP")

    def privilegedStartService(self) -> None:
        """
        Bind the ports, while we may still be root.

        @raise StartError: when one cannot be had.
        """
        self._acceptor.open()
        self._ports.bind(placesOf(self._settings.listen))
        self.nowListening(self._ports.listening, "TCP")
        super().privilegedStartService()

    def _listen(self, host: str, port: int) -> Listener:
        try:
            mss = self._settings.mss
            return listen((host, port), self._acceptor, self._handshakes, LISTEN_QUEUE, self.reactor, mss)
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
        if not self._ports.listening:
            self.privilegedStartService()
        super().startService()
        if self._settings.wire is WireChoice.ONE:
            self.warnOfFormat1()
        self.periodicCalls.every(REVIEW_SECONDS, self._review)
        self.periodicCalls.every(ROUTE_SECONDS, self._followRoutes)
        if self._finder.mayMove:
            self.periodicCalls.every(SILENCE_LOOK_SECONDS, self._registry.reviewTargets)
        asked = self._settings.maxConnections
        if self._connections < min(asked, FEW_CONNECTIONS) or self._connections < asked != MAX_CONNECTIONS:
            self._sayDescriptorsAreShort("connections", self._connections, asked, "half")
        if self._sessions < self._settings.maxSessions:
            self._sayDescriptorsAreShort("sessions", self._sessions, self._settings.maxSessions, "three eighths")
        if not self._verifiesClients:
            cause = "there is no certificate in plain TCP" if self._isPlain else f"no {spelled('cafile')} names who may"
            self._log.warn("whoever reaches this port can reach the target: {cause}", cause=cause)

    def _sayDescriptorsAreShort(self, what: str, number: int, asked: int, share: str) -> None:
        self._log.warn(
            "there may be {number} {what} and not {asked}, since this process may have {descriptors} descriptors, "
            "of which they get {share}: raise that limit (ulimit -n, or LimitNOFILE of systemd)",
            number=number,
            what=what,
            asked=asked,
            descriptors=self._descriptors,
            share=share,
        )

    def _followRoutes(self) -> None:
        self._ports.followLinks()
        if self._routes.refresh():
            self._registry.checkRoutes()

    def _review(self) -> None:
        self._registry.review(self._sayIsSilent, self._sayHasStopped)

    def _sayIsSilent(self, served: ServedSession) -> None:
        host, port = self._settings.target
        logCounted(
            self._log,
            LogLevel.warn,
            self.rateLimit.suppressedBefore("silent"),
            "nothing comes back to session {session}{client} from the target, {host} port {port}: is it there?",
            session=served.name,
            client=served.client,
            host=host,
            port=port,
        )

    def _sayHasStopped(self, served: ServedSession) -> None:
        host, port = self._settings.target
        logCounted(
            self._log,
            LogLevel.warn,
            self.rateLimit.suppressedBefore("stopped"),
            "for {seconds:.0f} s nothing has come back to session {session}{client} from the target, "
            "{host} port {port}: is it still there?",
            seconds=STOPPED_SECONDS,
            session=served.name,
            client=served.client,
            host=host,
            port=port,
        )

    def stopService(self) -> Deferred[Any]:
        """
        Accept nothing more, let what is under way arrive, and end all sessions.

        @return: fires when the last tunnel is gone, in less than 5 s.
        """
        closed = self._ports.stop()
        self._acceptor.close()
        self._finder.stop()
        drained = self.whenSent(self._registry.waits, WAIT_SECONDS).addCallback(self._drain)
        super().stopService()
        return gatherResults([closed, drained])

    def _drain(self, _: object) -> Deferred[None]:
        self.liveTunnels.drainAll()
        return self.liveTunnels.whenEmpty().addCallback(lambda _: self._registry.endAll())


def connectionsWithin(descriptors: int | None, asked: int) -> int:
    """
    @param descriptors: how many this process may have, or L{None} for no limit.
    @param asked: how many connections there may be.
    @return: how many there may be so that half of the descriptors are left for everything
        else.
    """
    return asked if descriptors is None else max(1, min(asked, descriptors // 2))


def sessionsWithin(descriptors: int | None, asked: int) -> int:
    """
    @param descriptors: see L{connectionsWithin}.
    @param asked: how many sessions there may be.
    @return: how many there may be, each with a socket, so that an eighth of the descriptors is
        left beside the connections.
    """
    return asked if descriptors is None else max(1, min(asked, descriptors * 3 // 8))
