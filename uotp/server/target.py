"""
The server's way to the target: for each session one UDP socket of its own, so
that the target sees each session as a different source.

Nobody but the target can reach that socket.  It is bound to the address of ours that leads to
the target, which is loopback for a target on this machine.  With the target's first answer it is
connected, so that the kernel drops what others send.  Before that we drop and count it, which
shows a target that answers from another address.

Whatever goes wrong here, a name that does not resolve or no socket to be had, is
tried again in a second, and meanwhile datagrams wait for a short time.  When another address
leads to the target, the socket is opened anew, with the same port where that is free.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from uotp.boundaries import Address, Allowance, DatagramPortOpener
from uotp.errors import LookupFailed
from uotp.net import Addresses, SharedResolver
from uotp.session import MAX_BACKLOG_BYTES, Backlog
from uotp.telemetry import Drop, Drops, Logger, RateLimit, logCounted
from uotp.train import MAX_TRAIN_BYTES, TakeTrains, Train, countOf
from uotp.udp import TrainProtocol

RETRY_SECONDS = 1.0
"""How long to wait before another try: a flow resumes within about a second of the trouble's end."""


ROUTE_SECONDS = 1.0
"""
How often we look whether another address leads to the target.  Linux tells a sender over IPv4
that its address is gone, but over IPv6 only as long as no other one is there.
"""

SELDOM_SECONDS = 0.1
"""
The mean time from one read to the next while the session's links are stuck, and what is read is
dropped.  Each time is chosen at random between half and one and a half of it, so that many
sessions that got stuck together are not all read in one turn of the reactor.
"""

MAX_STRANGE = 1000
"""So many datagrams that are not the target's are counted; then the kernel drops the others."""


OPEN_UNITS = 8
"""To open a socket takes as long as to hand on so many lone datagrams."""


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
        resolver: SharedResolver,
        clock: Any,
        drops: Drops,
        rateLimit: RateLimit,
        routeTo: Callable[[Address], Address],
        jitter: Callable[[], float],
    ) -> None:
        """
        @param target: host name or address, and port.
        @param openPort: opens a UDP port.
        @param resolver: looks up the target, once for each socket.
        @param clock: C{IReactorTime}.
        @param drops: where what is dropped is counted.
        @param rateLimit: keeps the log short, for all sessions together.
        @param routeTo: tells which address of ours leads to another; see
            L{uotp.net.Routes.to}.
        @param jitter: random numbers from 0 to 1.
        """
        super().__init__(drops)
        self._target = target
        self._openPort = openPort
        self._resolver = resolver
        self._clock = clock
        self._rateLimit = rateLimit
        self._routeTo = routeTo
        self._jitter = jitter
        self._waiting = Backlog(drops, self.allowance.room(MAX_BACKLOG_BYTES))
        self._receive: TakeTrains = ignoreTrains
        self._sendBy: Callable[[TakeTrains], None] = tellNobody
        self.send: TakeTrains = self._wait
        self._address: Address = ()
        self._local: Address = ()
        self._number = 0  # of the port that is to be bound; 0 for any
        self._strange = 0  # datagrams that came from others since it was bound
        self._mayConnect = False
        self._look: IDelayedCall | None = None
        self._lookedAt = float("-inf")
        self._retry: IDelayedCall | None = None
        self._seldom = False  # the kernel keeps little for now
        self._nextRead: IDelayedCall | None = None
        self._closed = False

    def actFor(self, allowance: Allowance) -> None:
        """
        Know whose session this is.  Call this before anything is sent.
        """
        self.allowance = allowance
        self._waiting = Backlog(self._drops, allowance.room(MAX_BACKLOG_BYTES))

    def open(self, receive: TakeTrains, sendBy: Callable[[TakeTrains], None]) -> None:
        """
        Find the target and open the socket, at once when no name has to be
        looked up.

        @param receive: who gets the target's trains.
        @param sendBy: told by what trains are sent from now on, each time that changes.
        """
        self._receive = receive
        self._sendBy = sendBy
        if not self._closed:
            self._find()

    def _find(self) -> None:
        self._retry = None
        looking = self._resolver.lookUp(*self._target, "UDP")
        if looking.called:  # no name had to be looked up
            looking.addCallback(self._resolved)
        else:  # one answer may come for thousands of sessions
            looking.addCallback(lambda found: self.allowance.later(partial(self._resolvedInTurn, found)))
        looking.addErrback(self._notResolved)

    def _resolvedInTurn(self, addresses: Addresses) -> None:
        self.allowance.spend(OPEN_UNITS)
        self._resolved(addresses)

    def _resolved(self, addresses: Addresses) -> None:
        if self._closed:
            return
        address = numericAddress(addresses[0].host, addresses[0].port)
        if address is None:
            self._tryLater("its address cannot be used")
        else:
            self._openTo(address)

    def _notResolved(self, reason: Failure) -> None:
        reason.trap(LookupFailed)
        if not self._closed:
            self._tryLater(str(reason.value))

    def _openTo(self, address: Address) -> None:
        self._address = address
        try:
            self._local = self._routeTo(address)
            self._openAt(self._local)
        except OSError as error:
            self._tryLater(error.strerror or str(error))
            return
        self._strange = 0
        self._mayConnect = True
        while waiting := self._waiting.take(self._clock.seconds(), MAX_TRAIN_BYTES):
            self.sendTrains(waiting, address)
        self._use(partial(self.sendTrains, destination=address))

    def _openAt(self, local: Address) -> None:
        """
        Bind the socket, to the port that it had before if that can be.
        """
        number, self._number = self._number, 0
        host, _, *scope = local
        if number:
            with suppress(OSError):
                self._openPort((host, number, *scope), self)
                return
        self._openPort(local, self)

    def _connect(self) -> None:
        """
        Hear nobody but the target from now on.  A transport that cannot be connected without
        being lost by it stays as it is.
        """
        self._mayConnect = False
        connect = getattr(self.transport, "connectTo", None)
        if connect is not None:
            with suppress(OSError):
                self._use(connect(self._address))

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
            if self._mayConnect:
                self._connect()
            return
        count = countOf(trains)
        self._drops.count(Drop.SOURCE_UNKNOWN, count)
        self._strange += count
        if self._mayConnect and self._strange >= MAX_STRANGE:
            self._connect()

    def routeFailed(self) -> None:
        """
        Nothing could be sent: look soon whether another address leads to the target.
        """
        now = self._clock.seconds()
        if self._look is None and now - self._lookedAt >= ROUTE_SECONDS and not self._closed:
            self._look = self._clock.callLater(0, self._lookForRoute)

    def _lookForRoute(self) -> None:
        self._look = None
        self._lookedAt = self._clock.seconds()
        self.checkRoute()

    def checkRoute(self) -> None:
        """
        Open the socket anew if another address than before leads to the target.  While none
        does, keep it: the old way may come back.
        """
        if self._closed or self.transport is None:
            return
        try:
            local = self._routeTo(self._address)
        except OSError:
            return
        if local == self._local:
            return
        host, port = self._target
        logCounted(
            self._log,
            LogLevel.info,
            self._rateLimit.suppressedBefore(("route", local[0])),
            "the way to the target {host} port {port} leads from {after} now, and no longer from {before}",
            host=host,
            port=port,
            before=self._local[0],
            after=local[0],
        )
        self._number = int(self.transport.getHost().port)
        self._mayConnect = False
        self._use(self._wait)
        closing = self.stopListening()
        if closing is None:
            self._openTo(self._address)
        else:
            closing.addCallback(self._reopen)

    def _reopen(self, _: object) -> None:
        if not self._closed:
            self._openTo(self._address)

    def readSeldom(self) -> None:
        """
        The session can do nothing with what comes: read a little of it now and then, and let
        the kernel drop the rest, which costs least.
        """
        port: Any = self.transport
        if self._closed or port is None or self._nextRead is not None:
            return
        if not self._seldom:
            self._seldom = True
            setLittle(port, little=True)
        port.pauseProducing()
        self._nextRead = self._clock.callLater(SELDOM_SECONDS * (0.5 + self._jitter()), self._readOn)

    def readAgain(self) -> None:
        """
        The session takes what comes.
        """
        if self._nextRead is not None:
            self._nextRead.cancel()
            self._readOn()
        port: Any = self.transport
        if self._seldom and port is not None:
            setLittle(port, little=False)
        self._seldom = False

    def _readOn(self) -> None:
        self._nextRead = None
        port: Any = self.transport
        if port is not None:
            port.resumeProducing()

    def stopProtocol(self) -> None:
        """
        The port is closed, and another one reads as usual.
        """
        if self._nextRead is not None:
            self._nextRead.cancel()
        self._nextRead = None
        self._seldom = False
        super().stopProtocol()

    def portLost(self, reason: str) -> None:
        """
        The socket is gone, and we did not close it.
        """
        if not self._closed:
            self._mayConnect = False
            self._use(self._wait)
            self._tryLater(reason)

    def close(self) -> None:
        """
        Close the socket; nothing is sent or received any more.
        """
        self._closed = True
        self._mayConnect = False
        for timer in (self._retry, self._look):
            if timer is not None:
                timer.cancel()
        self._retry = self._look = None
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


def setLittle(port: Any, *, little: bool) -> None:
    """
    Let the kernel keep little of what reaches a port, where that is one of ours.
    """
    keepLittle = getattr(port, "keepLittle", None)
    if keepLittle is not None:
        keepLittle(little=little)


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
