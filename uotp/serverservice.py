"""
A server, put together: a TCP port, a reception, and sessions with their ways to
the target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.protocols.tls import TLSMemoryBIOFactory

from uotp.clientservice import DATES_ROUND_SECONDS, DROP_REPORT_SECONDS, STALL_ROUND_SECONDS, bracketed
from uotp.datagram import datagramPortOpener
from uotp.drops import Drops
from uotp.errors import StartError
from uotp.log import Logger
from uotp.reception import Reception
from uotp.registry import Registry
from uotp.repeats import Repeats
from uotp.resolve import SharedResolver, backgroundThread
from uotp.roll import Roll
from uotp.rounds import Rounds
from uotp.target import TargetLeg
from uotp.tls import ServerCredentials, publicKeyPin, refusalReason

LISTEN_QUEUE = 511
"""
Connections that the kernel accepts ahead of us: a restart brings all pools back
at once.  The system's own limit, net.core.somaxconn, may make it less.
"""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """
    What a server is told.

    @ivar target: host name or address, and port, to forward to.
    @ivar listen: numeric address and port of the TCP side; port 0 for any.
    @ivar linger: seconds that a session lives on without a tunnel.
    """

    target: tuple[str, int]
    listen: tuple[str, int]
    linger: float


class ServerService(Service):
    """
    A running server.

    @ivar listening: numeric address and port of the TCP side, once it is bound.
    @ivar drops: what was dropped, and why.
    """

    name = "uotp-server"
    _log = Logger()

    def __init__(self, settings: ServerSettings, credentials: ServerCredentials | None, reactor: Any) -> None:
        """
        @param credentials: L{None} for plain TCP.
        @param reactor: C{IReactorTCP}, C{IReactorTime}, C{IReactorFDSet}.
        """
        self._settings = settings
        self._credentials = credentials
        self._reactor = reactor
        self.drops = Drops()
        self.listening: tuple[str, int] | None = None
        self._repeats = Repeats(reactor.seconds)
        self._roll = Roll(reactor)
        self._rounds = Rounds(reactor)
        self._port: Any = None
        self._openPort = datagramPortOpener(reactor, self.drops)
        self._resolver = SharedResolver(backgroundThread(reactor))
        self._registry = Registry(self._makeLeg, reactor, self.drops, settings.linger)
        self._reception = Reception(
            self._registry, self._roll, reactor, self._repeats, refusalReason, certificateIdentity
        )

    def _makeLeg(self) -> TargetLeg:
        return TargetLeg(
            self._settings.target, self._openPort, self._resolver, self._reactor, self.drops, self._repeats
        )

    def privilegedStartService(self) -> None:
        """
        Bind the port, while we may still be root.

        @raise StartError: when it cannot be had.
        """
        factory: Any = self._reception
        if self._credentials is not None:
            factory = TLSMemoryBIOFactory(self._credentials, False, factory, clock=self._reactor)
        host, port = self._settings.listen
        try:
            self._port = self._reactor.listenTCP(port, factory, backlog=LISTEN_QUEUE, interface=host)
        except CannotListenError as error:
            cause = error.socketError
            reason = f"cannot listen on {host} port {port} (TCP): {getattr(cause, 'strerror', None) or cause}"
            raise StartError(reason) from error
        bound = self._port.getHost()
        self.listening = (bound.host, bound.port)
        self._log.info("uotp-server listening on {host}:{port} (TCP)", host=bracketed(bound.host), port=bound.port)
        super().privilegedStartService()

    def startService(self) -> None:
        """
        Begin.

        @raise StartError: when the port cannot be had.
        """
        if self._port is None:
            self.privilegedStartService()
        super().startService()
        self._rounds.every(STALL_ROUND_SECONDS, self._roll.abortStalled)
        self._rounds.every(DROP_REPORT_SECONDS, self._reportDrops)
        if self._credentials is not None:
            self._rounds.every(DATES_ROUND_SECONDS, self._credentials.warnOfDates)

    def _reportDrops(self) -> None:
        report = self.drops.report()
        if report is not None:
            self._log.warn("datagrams dropped: {report}", report=report)

    def reload(self) -> None:
        """
        Read the certificate files again; connections that are accepted from now on
        use them.

        @raise ConfigurationError: when they cannot be used; the old stay in use.
        """
        if self._credentials is not None:
            self._credentials.reload()

    def stopService(self) -> Deferred[Any]:
        """
        Accept nothing more, and end all sessions.

        @return: fires when the last tunnel is gone, in at most about a second.
        """
        super().stopService()
        self._rounds.stop()
        port, self._port = self._port, None
        closed = succeed(None) if port is None else maybeDeferred(port.stopListening)
        self._registry.endAll()
        self._reportDrops()
        return closed.addCallback(lambda _: self._roll.closeAll())


def certificateIdentity(connection: Any) -> bytes | None:
    """
    @param connection: OpenSSL's connection, or L{None} without TLS.
    @return: the digest of the client's public key, which stays the same when the
        certificate is renewed; L{None} when there is no certificate.
    """
    certificate = connection.get_peer_certificate(as_cryptography=True) if connection is not None else None
    return None if certificate is None else publicKeyPin(certificate)
