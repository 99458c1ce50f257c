"""
One UDP socket of a session, that talks with the target at one of its addresses.

Nobody but the target can reach that socket.  It is bound to the address of ours that leads to
the target, which is loopback for a target on this machine.  With the target's first answer it is
connected, so that the kernel drops what others send.  Before that we drop and count it, which
shows a target that answers from another address.

When another address of ours leads to the target, the socket is opened anew, with the same port
where that is free.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall

from uotp.boundaries import Address, Allowance, DatagramPortOpener
from uotp.telemetry import Drop, Drops, Logger, orLog
from uotp.train import TakeTrains, Train, countOf
from uotp.udp import TrainProtocol

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


class SocketUser(Protocol):
    """
    Hears of what becomes of a socket.
    """

    def socketAnswered(self, socket: TargetSocket, trains: list[Train]) -> None:
        """
        The first trains of the target have come, or the first since L{TargetSocket.awaitAnswer}.
        What comes next goes to L{TargetSocket.receive}.
        """

    def socketRefused(self, socket: TargetSocket, number: int) -> None:
        """
        What was sent did not arrive.

        @param number: of the error, see C{errno}.
        """

    def socketMoves(self, socket: TargetSocket, before: Address, after: Address) -> None:
        """
        The socket is opened anew at another address of ours.  Until L{socketOpened} nothing can
        be sent.
        """

    def socketOpened(self, socket: TargetSocket) -> None:
        """
        The socket is open, and is sent to by its L{TargetSocket.send}, which may be another one
        than before.
        """

    def socketLost(self, socket: TargetSocket, reason: str) -> None:
        """
        The socket is gone, and cannot be had again at once.
        """


SocketMaker = Callable[[SocketUser, Allowance, Address], "TargetSocket"]
"""Makes a socket to one address of the target, which is not open yet."""


class TargetSocket(TrainProtocol):
    """
    Talks with the target at one address.

    @ivar address: where the target is.
    @ivar receive: who gets the target's trains, after its first answer.
    @ivar send: sends trains to it while the socket is open.
    """

    _log = Logger()

    def __init__(
        self,
        openPort: DatagramPortOpener,
        clock: Any,
        drops: Drops,
        routeTo: Callable[[Address], Address],
        jitter: Callable[[], float],
        user: SocketUser,
        allowance: Allowance,
        address: Address,
    ) -> None:
        """
        @param openPort: opens a UDP port.
        @param clock: C{IReactorTime}.
        @param drops: where what is dropped is counted.
        @param routeTo: tells which address of ours leads to another; see
            L{uotp.net.Routes.to}.
        @param jitter: random numbers from 0 to 1.
        @param user: hears of what becomes of the socket.
        @param allowance: of whom the session is.
        @param address: where the target is.
        """
        super().__init__(drops)
        self.allowance = allowance
        self._openPort = openPort
        self._clock = clock
        self._routeTo = routeTo
        self._jitter = jitter
        self._user: SocketUser | None = user
        self.address = address
        self.receive: TakeTrains = ignoreTrains
        self.send: TakeTrains = ignoreTrains
        self._take: TakeTrains = self._firstTrains
        self._local: Address = ()
        self._strange = 0  # datagrams that came from others since it was bound
        self._mayConnect = False
        self._look: IDelayedCall | None = None
        self._lookedAt = float("-inf")
        self._complaint: IDelayedCall | None = None
        self._seldom = False  # the kernel keeps little for now
        self._nextRead: IDelayedCall | None = None

    def open(self, number: int = 0) -> None:
        """
        Bind the socket to the address of ours that leads to the target.

        @param number: the port that it is bound to, if that is free; 0 for any.
        @raise OSError: when there is no such address, or no socket can be had.
        """
        self._local = self._routeTo(self.address)
        self._openAt(self._local, number)
        self._strange = 0
        self._mayConnect = True
        self.send = partial(self.sendTrains, destination=self.address)

    def _openAt(self, local: Address, number: int) -> None:
        host, _, *scope = local
        if number:
            with suppress(OSError):
                self._openPort((host, number, *scope), self)
                return
        self._openPort(local, self)

    @property
    def number(self) -> int:
        """
        The port that the socket is bound to, or 0.
        """
        return 0 if self.transport is None else int(self.transport.getHost().port)

    def awaitAnswer(self) -> None:
        """
        Tell the user when the target is heard the next time.
        """
        self._take = self._firstTrains

    def _firstTrains(self, trains: list[Train]) -> None:
        self._take = self.receive
        if self._mayConnect:
            self._connect()
        if self._user is not None:
            self._user.socketAnswered(self, trains)

    def _connect(self) -> None:
        """
        Hear nobody but the target from now on.  A transport that cannot be connected without
        being lost by it stays as it is.
        """
        self._mayConnect = False
        connect = getattr(self.transport, "connectTo", None)
        if connect is not None:
            with suppress(OSError):
                self.send = connect(self.address)
                self._tellOpened()

    def _tellOpened(self) -> None:
        if self._user is not None:
            self._user.socketOpened(self)

    def trainsReceived(self, trains: list[Train], source: Address) -> None:
        """
        Whatever reaches the socket; only the target's is handed on.
        """
        if source == self.address:
            self._take(trains)
            return
        count = countOf(trains)
        self._drops.count(Drop.SOURCE_UNKNOWN, count)
        self._strange += count
        if self._mayConnect and self._strange >= MAX_STRANGE:
            self._connect()

    def refused(self, destination: Address, number: int) -> None:
        """
        What was sent to the target has not arrived.  The user is told in another turn, since
        something may be being sent in this one.
        """
        if destination == self.address and number != errno.EMSGSIZE and self._complaint is None:
            self._complain(number)

    def _complain(self, number: int) -> None:
        if self._complaint is None and self._user is not None:
            self._complaint = self._clock.callLater(0, self._tellRefused, number)

    def _tellRefused(self, number: int) -> None:
        self._complaint = None
        if self._user is not None:
            self._user.socketRefused(self, number)

    def routeFailed(self) -> None:
        """
        Nothing could be sent: look soon whether another address leads to the target.
        """
        now = self._clock.seconds()
        if self._look is None and now - self._lookedAt >= ROUTE_SECONDS and self._user is not None:
            self._look = self._clock.callLater(0, self._lookForRoute)

    def _lookForRoute(self) -> None:
        self._look = None
        self._lookedAt = self._clock.seconds()
        error = self.checkRoute()
        if error is not None:
            self._complain(error.errno or errno.ENETUNREACH)

    def checkRoute(self) -> OSError | None:
        """
        Open the socket anew if another address than before leads to the target.  While none
        does, keep it: the old way may come back.

        @return: why none does.
        """
        if self._user is None or self.transport is None:
            return None
        try:
            local = self._routeTo(self.address)
        except OSError as error:
            return error
        if local == self._local:
            return None
        number = self.number
        self._mayConnect = False
        self._user.socketMoves(self, self._local, local)
        closing = self.stopListening()
        if closing is None:
            self._reopen(number)
        else:
            orLog(closing.addCallback(lambda _: self._reopen(number)), self._log, "a socket to the target was lost")
        return None

    def _reopen(self, number: int) -> None:
        if self._user is None:
            return
        try:
            self.open(number)
        except OSError as error:
            self._user.socketLost(self, error.strerror or str(error))
            return
        self.awaitAnswer()
        self._tellOpened()

    def readSeldom(self) -> None:
        """
        The session can do nothing with what comes: read a little of it now and then, and let
        the kernel drop the rest, which costs least.
        """
        port: Any = self.transport
        if self._user is None or port is None or self._nextRead is not None:
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
        if self._user is not None:
            self._mayConnect = False
            self._user.socketLost(self, reason)

    def close(self) -> None:
        """
        Close the socket; nothing is sent or received any more.
        """
        self._user = None
        self._mayConnect = False
        for timer in (self._look, self._complaint):
            if timer is not None:
                timer.cancel()
        self._look = self._complaint = None
        closing = self.stopListening()
        if closing is not None:
            orLog(closing, self._log, "a socket to the target could not be closed")
        # What leads to the session, and by it back here.
        self.send = self.receive = self._take = ignoreTrains


def ignoreTrains(trains: list[Train]) -> None:
    """
    For a socket that is not open, and so receives nothing.
    """


def setLittle(port: Any, *, little: bool) -> None:
    """
    Let the kernel keep little of what reaches a port, where that is one of ours.
    """
    keepLittle = getattr(port, "keepLittle", None)
    if keepLittle is not None:
        keepLittle(little=little)
