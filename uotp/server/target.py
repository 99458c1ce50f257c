"""
The server's way to the target: for each session a UDP socket of its own, so that the target
sees each session as a different source.

Which of its addresses gets what is sent is decided by L{AddressSearch}.

An address that has answered is left when it refuses, or when the name does not have it any
more.  To find that out the name is looked up again when nothing comes back.  Silence alone is
no reason: the target may have nothing to say.

Whatever goes wrong here, a name that does not resolve or no socket to be had, is tried again in
a second, and meanwhile datagrams wait for a short time.  A socket that is opened anew has the
same port, of its family of addresses, where that is free.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from uotp.boundaries import Address, Allowance
from uotp.errors import LookupFailed
from uotp.process import Unlimited
from uotp.server.finder import TargetFinder
from uotp.server.search import OPEN_UNITS, RETRY_SECONDS, AddressSearch
from uotp.server.silence import TargetSilence
from uotp.server.targetsocket import SocketMaker, ignoreTrains
from uotp.session import MAX_BACKLOG_BYTES, Backlog
from uotp.telemetry import Drops, Logger, orLog
from uotp.train import MAX_TRAIN_BYTES, TakeTrains, Train, bytesOf

MOST_MOVES = 6
"""
A target that moves is looked for again as soon as at first.  But one that is silent wherever it is may have
another address each time: after so many moves it is looked for more and more seldom.
"""


class Target:
    """
    Talks with the target for one session, and keeps for a short time what comes while there is
    no way to it.

    @ivar send: sends trains to the target.  It is another one now and then, and whoever has
        called L{open} is told of it.
    @ivar refusedAt: when the network last said that what was sent has not arrived, by the clock that was handed
        in; L{None} for never.
    """

    _log = Logger()

    def __init__(self, finder: TargetFinder, makeSocket: SocketMaker, clock: Any, drops: Drops) -> None:
        """
        @param finder: finds the target's addresses.
        @param makeSocket: makes a socket to one of them.
        @param clock: C{IReactorTime}.
        @param drops: where what is dropped is counted.
        """
        self._finder = finder
        self._clock = clock
        self._drops = drops
        self._search = AddressSearch(self, finder, makeSocket, clock)
        self.actFor(Unlimited())
        self._sendBy: Callable[[TakeTrains], None] = tellNobody
        self.send: TakeTrains = self._wait
        self._silence = TargetSilence()
        self._askedAt = float("-inf")
        self.refusedAt: float | None = None
        self._isLooking = False
        self._retry: IDelayedCall | None = None
        self._waited = self._flushed = 0
        self._closed = False

    def actFor(self, allowance: Allowance) -> None:
        """
        Know whose session this is.  Call this before anything is sent.
        """
        self._allowance = allowance
        self._waiting = Backlog(self._drops, allowance.room(MAX_BACKLOG_BYTES))
        self._search.actFor(allowance)

    @property
    def hasWay(self) -> bool:
        """
        Whether there is a socket towards the target.
        """
        return self._search.main is not None

    @property
    def unsentBytes(self) -> int:
        """
        Payload that was to be sent, and could not be.
        """
        return self._waited - self._flushed + self._search.unsentBytes

    def countKernelDrops(self) -> None:
        """
        See L{uotp.udp.TrainProtocol.countKernelDrops}.
        """
        if self._search.main is not None:
            self._search.main.countKernelDrops()

    def open(self, receive: TakeTrains, sendBy: Callable[[TakeTrains], None]) -> None:
        """
        Find the target and open the socket, at once when no name has to be
        looked up.

        @param receive: who gets the target's trains.
        @param sendBy: told by what trains are sent from now on, each time that changes.
        """
        self._search.receive = receive
        self._sendBy = sendBy
        if not self._closed:
            self._find()

    def _find(self) -> None:
        self._retry = None
        self._isLooking = True
        looking = self._inTurn(maybeDeferred(self._finder.find), self._found)
        orLog(looking.addErrback(self._notFound), self._log, "a session has lost its way to the target")

    def _inTurn(self, looking: Deferred[list[Address]], use: Callable[[list[Address]], None]) -> Deferred[None]:
        """
        Use the answer of a lookup: one may come for thousands of sessions.
        """
        if looking.called:
            return looking.addCallback(use)
        return looking.addCallback(lambda found: self._allowance.later(partial(self._useInTurn, use, found)))

    def _useInTurn(self, use: Callable[[list[Address]], None], addresses: list[Address]) -> None:
        self._allowance.spend(OPEN_UNITS)
        try:
            use(addresses)
        except Exception:  # noqa: BLE001 - whatever it is, it is tried again
            self._notFound(Failure())

    def _notFound(self, reason: Failure) -> None:
        self._isLooking = False
        if not self._closed:
            wrong = "" if reason.check(LookupFailed) else f"{type(reason.value).__name__}: "
            self._tryLater(f"{wrong}{reason.value}")

    def _found(self, addresses: list[Address]) -> None:
        self._isLooking = False
        if not self._closed:
            self._begin(addresses)

    def _begin(self, addresses: list[Address]) -> None:
        """
        Open a socket to the first address that can be had, and send what waits.
        """
        reason = self._search.begin(addresses)
        if reason is not None:
            self._tryLater(reason)

    def _sendOn(self) -> None:
        """
        Send by what there is: straight to the socket, unless another address may have to get
        copies, or there is no socket.
        """
        main = self._search.main
        if main is None:
            self._use(self._wait)
            return
        mayNeedCopies = self._search.mayNeedCopies or self._isLooking
        send = self._search.send if mayNeedCopies else main.send
        while waiting := self._waiting.take(self._clock.seconds(), MAX_TRAIN_BYTES):
            self._flushed += bytesOf(waiting)
            send(waiting)
        if not mayNeedCopies:
            self._search.forget()
        self._use(send)

    def _use(self, send: TakeTrains) -> None:
        if send != self.send:
            self.send = send
            self._sendBy(send)

    def _tryLater(self, reason: str) -> None:
        self._search.end()
        self._use(self._wait)
        self._finder.sayNoWay(reason)
        if self._retry is None:
            self._retry = self._clock.callLater(RETRY_SECONDS, self._find)

    def _wait(self, trains: list[Train]) -> None:
        """
        Keep trains until there is a socket.
        """
        if not self._closed:
            self._waited += bytesOf(trains)
            self._waiting.put(trains, self._clock.seconds())

    # What the search tells; see SearchOwner.

    def searchTurned(self) -> None:
        """
        Send what waits, and what comes, by what there is now.
        """
        self._sendOn()

    def searchPaused(self) -> None:
        """
        Let trains wait.
        """
        self._use(self._wait)

    def searchRefused(self) -> None:
        """
        Look whether the target has moved.
        """
        self.refusedAt = self._clock.seconds()
        self._lookAgain()

    def searchEnded(self, reason: str) -> None:
        """
        Find the target anew.
        """
        self._tryLater(reason)

    # Whether the target is still where it was.

    def review(self, sentAt: float, heardAt: float) -> None:
        """
        Look for the target if it has been silent for long.  This is called now and then.

        @param sentAt: when something was last sent to it.
        @param heardAt: when something was last heard of it.
        """
        if self._finder.mayMove and self._silence.isLong(sentAt, heardAt, self._clock.seconds()):
            self._lookAgain()

    def _lookAgain(self) -> None:
        now = self._clock.seconds()
        if self._isLooking or not self._finder.mayMove or now - self._askedAt < RETRY_SECONDS:
            return
        self._askedAt = now
        self._isLooking = True
        looking = self._inTurn(maybeDeferred(self._finder.findAgain), self._foundAgain)
        orLog(looking.addErrback(self._notFoundAgain), self._log, "the target was not looked for")
        if self._isLooking:
            self._sendOn()

    def _notFoundAgain(self, reason: Failure) -> None:
        self._isLooking = False
        if not reason.check(LookupFailed):
            self._notFound(reason)
        elif not self._closed:
            self._sendOn()

    def _foundAgain(self, addresses: list[Address]) -> None:
        self._isLooking = False
        main = self._search.main
        if main is None:
            return
        if main.address in addresses:
            self._search.confirm(addresses)
            return
        self._finder.sayMoved(main.address, addresses[0])
        if self._search.moves < MOST_MOVES:
            self._silence = TargetSilence()
        reason = self._search.move(addresses)
        if reason is not None:
            self._tryLater(reason)

    # What the session asks.

    def checkRoute(self) -> None:
        """
        Another address of ours than before may lead to the target.
        """
        if self._search.main is not None:
            self._search.main.checkRoute()

    def readSeldom(self) -> None:
        """
        See L{TargetSocket.readSeldom}.
        """
        if self._search.main is not None:
            self._search.main.readSeldom()

    def readAgain(self) -> None:
        """
        See L{TargetSocket.readAgain}.
        """
        if self._search.main is not None:
            self._search.main.readAgain()

    def close(self) -> None:
        """
        Close what is open; nothing is sent or received any more.
        """
        self._closed = True
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
        self._retry = None
        self._search.close()
        # What leads to the session, and by it back here.
        self.send = ignoreTrains
        self._sendBy = tellNobody


def tellNobody(send: TakeTrains) -> None:
    """
    For a socket that nobody has asked for yet.
    """
