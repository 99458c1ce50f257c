"""
The server's way to the target: for each session one UDP socket of its own, so
that the target sees each session as a different source.

Whatever goes wrong here, a name that does not resolve or no socket to be had, is
tried again in a second, and meanwhile datagrams wait for a short time.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IHostnameResolver
from twisted.logger import LogLevel

from uotp.boundaries import Address, DatagramPortOpener
from uotp.net import lookUp
from uotp.session import MAX_BACKLOG_BYTES, Backlog
from uotp.telemetry import Drop, Drops, Logger, RateLimit, logCounted
from uotp.train import MAX_TRAIN_BYTES, TakeTrains, Train, countOf
from uotp.udp import TrainProtocol

RETRY_SECONDS = 1.0
"""How long to wait before another try: a flow resumes within about a second of the trouble's end."""


class TargetProtocol(TrainProtocol):
    """
    Talks with the target on one session's socket, and keeps for a short time what comes
    while there is none.

    @ivar send: sends trains to the target.  It is another one with each socket, and
        whoever has called L{open} is told of it.
    """

    _log = Logger()

    def __init__(
        self,
        target: tuple[str, int],
        openPort: DatagramPortOpener,
        resolver: IHostnameResolver,
        clock: Any,
        drops: Drops,
        rateLimit: RateLimit,
    ) -> None:
        """
        @param target: host name or address, and port.
        @param openPort: opens a UDP port.
        @param resolver: looks up the target, once for each socket.
        @param clock: C{IReactorTime}.
        @param drops: where what is dropped is counted.
        @param rateLimit: keeps the log short, for all sessions together.
        """
        super().__init__(drops)
        self._target = target
        self._openPort = openPort
        self._resolver = resolver
        self._clock = clock
        self._rateLimit = rateLimit
        self._waiting = Backlog(drops, self.allowance.room(MAX_BACKLOG_BYTES))
        self._receive: TakeTrains = ignoreTrains
        self._sendBy: Callable[[TakeTrains], None] = tellNobody
        self.send: TakeTrains = self._wait
        self._address: Address = ()
        self._retry: IDelayedCall | None = None
        self._closed = False

    def open(self, receive: TakeTrains, sendBy: Callable[[TakeTrains], None]) -> None:
        """
        Find the target and open the socket, at once when no name has to be
        looked up.

        @param receive: who gets the target's trains.
        @param sendBy: told by what trains are sent from now on, each time that changes.
        """
        self._receive = receive
        self._sendBy = sendBy
        self._waiting = Backlog(self._drops, self.allowance.room(MAX_BACKLOG_BYTES))
        self._find()

    def _find(self) -> None:
        self._retry = None
        lookUp(self._resolver, *self._target, "UDP").addCallback(self._resolved)

    def _resolved(self, addresses: list[Any]) -> None:
        if self._closed:
            return
        address = numericAddress(addresses[0].host, addresses[0].port) if addresses else None
        if address is None:
            self._tryLater("host name not found")
        else:
            self._openTo(address)

    def _openTo(self, address: Address) -> None:
        anywhere = "::" if ":" in address[0] else "0.0.0.0"  # noqa: S104 - answers may come in by any interface
        self._address = address
        try:
            self._openPort((anywhere, 0), self)
        except OSError as error:
            self._tryLater(error.strerror or str(error))
            return
        while waiting := self._waiting.take(self._clock.seconds(), MAX_TRAIN_BYTES):
            self.sendTrains(waiting, address)
        self._use(partial(self.sendTrains, destination=address))

    def _use(self, send: TakeTrains) -> None:
        self.send = send
        self._sendBy(send)

    def _tryLater(self, reason: str) -> None:
        host, port = self._target
        logCounted(
            self._log,
            LogLevel.error,
            self._rateLimit.suppressedBefore(("target", reason)),
            "no way to the target {host} port {port}: {reason}",
            host=host,
            port=port,
            reason=reason,
        )
        self._retry = self._clock.callLater(RETRY_SECONDS, self._find)

    def _wait(self, trains: list[Train]) -> None:
        """
        Keep trains until there is a socket.
        """
        if not self._closed:
            self._waiting.put(trains, self._clock.seconds())

    def trainsReceived(self, trains: list[Train], source: Address) -> None:
        """
        Whatever reaches the socket; only the target's is handed on.
        """
        if source == self._address:
            self._receive(trains)
        else:
            self._drops.count(Drop.SOURCE_UNKNOWN, countOf(trains))

    def portLost(self, reason: str) -> None:
        """
        The socket is gone, and we did not close it.
        """
        if not self._closed:
            self._use(self._wait)
            self._tryLater(reason)

    def close(self) -> None:
        """
        Close the socket; nothing is sent or received any more.
        """
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self.stopListening()
        # What leads to the session, and by it back here.
        self.send = self._receive = ignoreTrains
        self._sendBy = tellNobody


def ignoreTrains(trains: list[Train]) -> None:
    """
    For a socket that is not open, and so receives nothing.
    """


def tellNobody(send: TakeTrains) -> None:
    """
    For a socket that nobody has asked for yet.
    """


def numericAddress(host: str, port: int) -> Address | None:
    """
    @return: what the socket module calls this address, in the form in which it
        names the sender of a datagram; L{None} when C{host} is a name.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        return None
    return found[0][4]
