"""
A client, put together: a UDP port, a session for each source, and the way to
the server.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall

from uotp.boundaries import Address, DatagramPort
from uotp.datagram import datagramPortOpener
from uotp.dial import Dialer
from uotp.drops import Drops
from uotp.errors import StartError
from uotp.log import Logger
from uotp.pool import Surroundings
from uotp.repeats import Repeats, again
from uotp.resolve import SharedResolver, backgroundThread, lookUp
from uotp.roll import Roll
from uotp.rounds import Rounds
from uotp.sockets import checkMark
from uotp.sources import Sources, SourceSession
from uotp.tls import ClientCredentials
from uotp.train import Train

STALL_ROUND_SECONDS = 5.0
"""How often tunnels are looked at whose peer may have stopped to read."""

DATES_ROUND_SECONDS = 86400.0
"""How often we look whether our certificate is about to expire."""

DROP_REPORT_SECONDS = 60.0
"""How often the log says what was dropped, if anything was."""

REOPEN_SECONDS = 1.0
"""Until a UDP port that was lost is bound again."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """
    What a client is told.  Times are in seconds.

    @ivar server: host name or address, and port.
    @ivar listen: numeric address and port of the UDP side; port 0 for any.
    @ivar expire: how long a session may be idle.
    @ivar backoff: the longest wait between two attempts for one tunnel.
    @ivar timeout: for connect and handshake together.
    @ivar resolveOnce: look the server's name up at the start only.
    @ivar mark: firewall mark of the connections, or L{None}.
    """

    server: tuple[str, int]
    listen: tuple[str, int]
    poolSize: int
    expire: float
    backoff: float
    timeout: float
    resolveOnce: bool
    mark: int | None


class ServerWatch:
    """
    Tells the log how it goes with the server, in few words.
    """

    _log = Logger()

    def __init__(self, server: tuple[str, int], repeats: Repeats) -> None:
        """
        @param repeats: keeps the log short.
        """
        self._server = server
        self._repeats = repeats
        self._reached = False

    def tunnelUp(self) -> None:
        """
        A tunnel has been opened.
        """
        if not self._reached:
            self._reached = True
            if self._repeats.worthSaying("reached") is not None:
                self._log.info("reached {host} port {port}", host=self._server[0], port=self._server[1])

    def tunnelFailed(self, reason: str) -> None:
        """
        A tunnel could not be opened, or was lost.
        """
        self._reached = False
        unsaid = self._repeats.worthSaying(("server", reason))
        if unsaid is not None:
            self._log.warn(
                "a tunnel to {host} port {port} failed: {reason}{again}",
                host=self._server[0],
                port=self._server[1],
                reason=reason,
                again=again(unsaid),
            )


class ClientSurroundings(Surroundings):
    """
    What all pools of this client share.
    """

    def __init__(self, settings: ClientSettings, reactor: Any, dialer: Dialer, roll: Roll, watch: ServerWatch) -> None:
        """
        See L{Surroundings}.
        """
        self.clock = reactor
        self.dial = dialer.dial
        self.jitter = random.random
        self.roll = roll
        self.watch = watch
        self.timeout = settings.timeout
        self.backoff = settings.backoff


class ClientService(Service):
    """
    A running client.

    @ivar listening: numeric address and port of the UDP side, once it is bound.
    @ivar drops: what was dropped, and why.
    """

    name = "uotp-client"
    _log = Logger()

    def __init__(self, settings: ClientSettings, credentials: ClientCredentials | None, reactor: Any) -> None:
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
        self._port: DatagramPort | None = None
        self._reopening: IDelayedCall | None = None
        self._openPort = datagramPortOpener(reactor, self.drops)
        self._resolver = SharedResolver(backgroundThread(reactor), once=settings.resolveOnce)
        dialer = Dialer(reactor, settings.server, credentials, self._resolver, settings.timeout, settings.mark)
        self._around = ClientSurroundings(
            settings, reactor, dialer, self._roll, ServerWatch(settings.server, self._repeats)
        )
        self._sources = Sources(self._openSession, reactor.seconds, self.drops, settings.expire)

    def privilegedStartService(self) -> None:
        """
        Bind the port, while we may still be root.

        @raise StartError: when the port or the mark cannot be had.
        """
        if self._settings.mark is not None:
            checkMark(self._settings.mark)
        self._bind(self._settings.listen)
        super().privilegedStartService()

    def _bind(self, address: Address) -> None:
        try:
            self._port = self._openPort(address, self)
        except OSError as error:
            reason = f"cannot listen on {address[0]} port {address[1]} (UDP): {error.strerror or error}"
            raise StartError(reason) from error
        bound = self._port.address()
        self.listening = (bound[0], bound[1])
        self._log.info("uotp-client listening on {host}:{port} (UDP)", host=bracketed(bound[0]), port=bound[1])

    def startService(self) -> None:
        """
        Begin.

        @raise StartError: when the port or the mark cannot be had.
        """
        if self._port is None:
            self.privilegedStartService()
        super().startService()
        settings = self._settings
        self._rounds.every(min(1.0, settings.expire / 4), self._sources.endIdle)
        self._rounds.every(STALL_ROUND_SECONDS, self._roll.abortStalled)
        self._rounds.every(DROP_REPORT_SECONDS, self._reportDrops)
        if self._credentials is not None:
            self._rounds.every(DATES_ROUND_SECONDS, self._credentials.warnOfDates)
        if settings.resolveOnce:
            # Now, before a VPN that needs this tunnel has taken the name server away.
            lookUp(self._resolver, *settings.server, "TCP")

    def _reportDrops(self) -> None:
        report = self.drops.report()
        if report is not None:
            self._log.warn("datagrams dropped: {report}", report=report)

    def _openSession(self, source: Address) -> SourceSession:
        return SourceSession(
            self._around, self.drops, lambda train: self._sendTo(source, train), self._settings.poolSize
        )

    def _sendTo(self, source: Address, train: Train) -> None:
        if self._port is not None:
            self._port.send(train, source)

    def trainReceived(self, train: Train, source: Address) -> None:
        """
        A source sent a train.
        """
        self._sources.trainReceived(train, source)

    def portLost(self, reason: str) -> None:
        """
        The UDP port is gone, and we did not close it: bind it again.
        """
        self._port = None
        if not self.running:
            return
        unsaid = self._repeats.worthSaying(("port", reason))
        if unsaid is not None:
            self._log.error("the UDP port is lost: {reason}{again}", reason=reason, again=again(unsaid))
        self._reopening = self._reactor.callLater(REOPEN_SECONDS, self._reopen)

    def _reopen(self) -> None:
        self._reopening = None
        try:
            self._bind(self.listening or self._settings.listen)
        except StartError as error:
            self.portLost(str(error))

    def reload(self) -> None:
        """
        Read the certificate files again; tunnels that are dialled from now on use
        them.

        @raise ConfigurationError: when they cannot be used; the old stay in use.
        """
        if self._credentials is not None:
            self._credentials.reload()

    def stopService(self) -> Deferred[None]:
        """
        End all sessions.

        @return: fires when the last tunnel is gone, in at most about a second.
        """
        super().stopService()
        self._rounds.stop()
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None
        self._sources.endAll()
        if self._port is not None:
            self._port.close()
            self._port = None
        self._reportDrops()
        return self._roll.closeAll() if len(self._roll) else succeed(None)


def bracketed(host: str) -> str:
    """
    @return: an address fit to have a port behind it.
    """
    return f"[{host}]" if ":" in host else host
