"""
All that runs in C{uotp demo}: a UDP echo target, a server, a client, throw-away certificates
for both, and a sender.  What is sent and how it is judged is not known here, nor what the
user is told.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError, MessageLengthError
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import LoopingCall

from uotp.cli.demo.exchange import Exchange
from uotp.client import ClientFront
from uotp.errors import StartError, UotpError
from uotp.net import enlargeUdpBuffers
from uotp.pki import Pki, makePki
from uotp.server import ServerFront
from uotp.services import clientService, serverService
from uotp.telemetry import Logger, orLog
from uotp.tls import ClientTls, ServerTls

LOOPBACK = "127.0.0.1"

READ_LIMIT_BYTES = 65536
"""No datagram is so long; Twisted cuts longer ones than it is told."""

PROGRESS_SECONDS = 0.1
"""The time between two looks for lost datagrams, with which the progress is shown."""

STOP_SECONDS = 4.0
"""Stopping everything may take so long; then the program ends without waiting."""


class StageError(UotpError):
    """
    Is raised when the demonstration cannot go on.  Its text is one line, fit to be shown.
    """


class EchoTarget(DatagramProtocol):
    """
    Sends back whatever comes.
    """

    transport: Any

    def startProtocol(self) -> None:
        """
        Make room for a burst.
        """
        enlargeUdpBuffers(self.transport.getHandle())

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Send it back.  If that is refused it is lost, and the sender will notice.
        """
        with suppress(OSError, MessageLengthError):
            self.transport.write(datagram, addr)


class Sender(DatagramProtocol):
    """
    Sends the datagrams of one exchange after another to an address, and takes the answers.

    @ivar destination: the address.
    """

    transport: Any

    def __init__(self, destination: tuple[str, int], clock: Any, progress: Callable[[Exchange], None]) -> None:
        """
        @param destination: the client's UDP address.
        @param clock: C{IReactorTime}.
        @param progress: called a few times each second.
        """
        self.destination = destination
        self._clock = clock
        self._progress = progress
        self._exchange: Exchange | None = None
        self._done: Deferred[None] = Deferred()
        self._ticker = LoopingCall(self._tick)
        self._ticker.clock = clock

    def startProtocol(self) -> None:
        """
        Make room for a burst.
        """
        enlargeUdpBuffers(self.transport.getHandle())

    def play(self, exchange: Exchange) -> Deferred[None]:
        """
        Send all of an exchange.

        @return: fires when there is nothing more to send or to wait for; fails with
            L{StageError} when the system does not let us send.  It may be cancelled.
        """
        self._exchange = exchange
        self._done = Deferred(lambda _: self._end())
        orLog(self._ticker.start(PROGRESS_SECONDS), Logger(), "the demo does not tell its progress any more")
        return self._done

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Judge an answer, and send what there is room for now.
        """
        if self._exchange is not None and addr[:2] == self.destination:
            self._exchange.receive(datagram, self._clock.seconds())
            self._send(self._exchange)

    def _tick(self) -> None:
        if self._exchange is not None:
            self._progress(self._exchange)
            self._exchange.expire(self._clock.seconds())
            self._send(self._exchange)

    def _send(self, exchange: Exchange) -> None:
        try:
            while (datagram := exchange.send(self._clock.seconds())) is not None:
                self.transport.write(datagram, self.destination)
        except (OSError, MessageLengthError) as error:
            self._end()
            reason = f"the system does not send a datagram of {len(datagram or b'')} bytes: {error}"
            self._done.errback(StageError(reason))
            return
        if exchange.finished:
            self._end()
            self._done.callback(None)

    def _end(self) -> None:
        self._exchange = None
        if self._ticker.running:
            self._ticker.stop()


@contextmanager
def throwAwayPki() -> Iterator[Pki]:
    """
    Make certificates for this machine's loopback, and delete them at the end.  They are
    deleted by name, which works even when no descriptor is left to list a directory.

    @raise StartError: when there is no place for them.
    """
    try:
        folder = tempfile.mkdtemp(prefix="uotp-demo-")
    except OSError as error:
        reason = f"no place for temporary files: {error.strerror}"
        raise StartError(reason) from error
    try:
        pki = makePki(folder, [LOOPBACK])
        try:
            yield pki
        finally:
            for path in pki.made:
                os.remove(path)
            os.rmdir(pki.issued)
    finally:
        os.rmdir(folder)


class Stage:
    """
    Starts and stops everything, on ports that the system chooses on loopback.
    """

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: the real reactor.
        """
        self._reactor = reactor
        self._closers: list[Callable[[], Any]] = []

    def open(self, progress: Callable[[Exchange], None]) -> Sender:
        """
        Start everything.  The certificates are on disk only while both ends
        read them.

        @param progress: called by the sender a few times each second.
        @return: the sender, which sends through the pool.
        @raise UotpError: when something cannot start; L{close} stops the rest.
        """
        target = self._listen(EchoTarget())
        with throwAwayPki() as pki:
            serverTls = ServerTls(pki.serverCertificate, pki.serverKey, pki.caCertificate, pki.revocationList)
            clientTls = ClientTls(pki.caCertificate, pki.clientCertificate, pki.clientKey)
            server = self._start(serverService(target, tls=serverTls, listen=(LOOPBACK, 0), reactor=self._reactor))
            client = self._start(clientService(server, tls=clientTls, listen=(LOOPBACK, 0), reactor=self._reactor))
        sender = Sender(client, self._reactor, progress)
        self._listen(sender)
        return sender

    def _listen(self, protocol: DatagramProtocol) -> tuple[str, int]:
        try:
            port = self._reactor.listenUDP(0, protocol, interface=LOOPBACK, maxPacketSize=READ_LIMIT_BYTES)
        except CannotListenError as error:
            reason = f"cannot open a UDP port on {LOOPBACK}: {error.socketError}"
            raise StartError(reason) from error
        self._closers.append(port.stopListening)
        return LOOPBACK, port.getHost().port

    def _start(self, service: ServerFront | ClientFront) -> tuple[str, int]:
        service.privilegedStartService()
        self._closers.append(service.stopService)
        service.startService()
        assert service.listening is not None
        return service.listening

    def close(self) -> Deferred[Any]:
        """
        Stop everything that was started, the newest first.

        @return: fires when all has stopped, or after L{STOP_SECONDS}.
        """
        closers, self._closers = self._closers[::-1], []
        ends = [maybeDeferred(closer) for closer in closers]
        for end in ends:
            orLog(end, self._log, "the demo did not end cleanly")
        everything = gatherResults(ends).addTimeout(STOP_SECONDS, self._reactor)
        return everything.addErrback(lambda _: self._log.warn("something of the demo is slow to end"))
