"""
The server's way to the target: for each session a UDP socket of its own, so that the target
sees each session as a different source.

A name may have several addresses, of which not all need lead to the target.  They are tried in
the order of the system's resolver, and whichever answers first is kept.  When one refuses what
it is sent, the next one gets it at once.  One that is only silent goes on getting everything,
since it may be right: but after L{RACE_SECONDS} copies go to the others too, to one after the
other for a time.  So nothing is lost if it was right, and a target never gets a copy twice at
one address.

An address that has answered is left when it refuses, or when the name does not have it any
more.  To find that out the name is looked up again when nothing comes back.  TargetSilence alone is
no reason: the target may have nothing to say.

Whatever goes wrong here, a name that does not resolve or no socket to be had, is tried again in
a second, and meanwhile datagrams wait for a short time.  A socket that is opened anew has the
same port, of its family of addresses, where that is free.
"""

from __future__ import annotations

from collections import deque
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
from uotp.server.silence import TargetSilence
from uotp.server.targetsocket import SocketMaker, TargetSocket, ignoreTrains
from uotp.session import MAX_BACKLOG_BYTES, Backlog
from uotp.telemetry import Drops, Logger, orLog
from uotp.train import MAX_TRAIN_BYTES, TakeTrains, Train, bytesOf

RETRY_SECONDS = 1.0
"""How long to wait before another try: a flow resumes within about a second of the trouble's end."""

RACE_SECONDS = 0.25
"""
A silent address has so long before the next one gets copies.  It is about as long as browsers
give it (RFC 8305), and longer than the way to most targets and back.
"""

BESIDE_SECONDS = 1.0
"""So long each of the other addresses gets copies in the first round, and twice as long in the next one."""

MOST_BESIDE_SECONDS = 4.0
"""But never longer."""

MOST_PAUSE_SECONDS = 60.0
"""
Between two rounds there is a pause, of L{RETRY_SECONDS} first and then twice as long each time,
up to this.
"""

MOST_ROUNDS = 6
"""So many rounds without an answer are counted: then the pause is as long as it gets."""

MOST_MOVES = 6
"""
A target that moves is looked for again as soon as at first.  But one that is silent wherever it is may have
another address each time: after so many moves it is looked for more and more seldom.
"""

COPIES_BYTES = 32 * 1024
"""So much of what an address was sent is kept for the next one, in case that it does not answer."""

OPEN_UNITS = 8
"""To open a socket takes as long as to hand on so many lone datagrams."""


class Target:
    """
    Talks with the target for one session, and keeps for a short time what comes while there is
    no way to it.

    @ivar send: sends trains to the target.  It is another one now and then, and whoever has
        called L{open} is told of it.
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
        self._makeSocket = makeSocket
        self._clock = clock
        self._drops = drops
        self.actFor(Unlimited())
        self._receive: TakeTrains = ignoreTrains
        self._sendBy: Callable[[TakeTrains], None] = tellNobody
        self.send: TakeTrains = self._wait
        self._addresses: list[Address] = []
        self._numbers: dict[int, int] = {}  # of the ports that we had, by the length of addresses
        self._main: TargetSocket | None = None  # gets everything
        self._beside: TargetSocket | None = None  # gets copies
        self._rest: deque[Address] = deque()  # those that are still to be tried in this round
        self._refused: set[Address] = set()  # those that have refused in this round
        self._rounds = 0  # without an answer
        self._silence = TargetSilence()
        self._moves = 0  # since it answered
        self._askedAt = float("-inf")
        self._isLooking = False
        self._retry: IDelayedCall | None = None
        self._step: IDelayedCall | None = None  # in a round
        self._pause: IDelayedCall | None = None  # between two
        self._waited = self._flushed = self._notSent = 0
        self._closed = False

    def actFor(self, allowance: Allowance) -> None:
        """
        Know whose session this is.  Call this before anything is sent.
        """
        self._allowance = allowance
        self._waiting = Backlog(self._drops, allowance.room(MAX_BACKLOG_BYTES))
        self._kept = Backlog(Drops(), allowance.room(COPIES_BYTES))  # these are copies, and no loss
        self._kept.maxBytes = COPIES_BYTES

    @property
    def unsentBytes(self) -> int:
        """
        Payload that was to be sent, and could not be.
        """
        refused = 0 if self._main is None else self._main.unsentBytes
        return self._waited - self._flushed + self._notSent + refused

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
        self._stopPause()
        self._refused.clear()
        self._addresses = addresses
        self._rest = deque(addresses)
        reason = self._openNext()
        if reason is not None:
            self._tryLater(reason)

    def _openNext(self) -> str | None:
        """
        Send to the next of the addresses from now on, in place of the one before.

        @return: why none of them can be had, if so.
        """
        reason = "no address is left"
        while self._rest:
            address = self._rest.popleft()
            if self._main is not None and len(self._main.address) == len(address):
                self._closeMain()  # so that its port is free
            try:
                socket = self._openTo(address)
            except OSError as error:
                reason = error.strerror or str(error)
                continue
            self._makeMain(socket)
            self._sendKept()
            self._sendOn()
            return None
        return reason

    def _openTo(self, address: Address) -> TargetSocket:
        if self._numbers:  # a new session is counted otherwise, see Registry
            self._allowance.spend(OPEN_UNITS)
        socket = self._makeSocket(self, self._allowance, address)
        socket.receive = self._receive
        try:
            socket.open(self._numbers.get(len(address), 0))
        except OSError:
            socket.close()
            raise
        return socket

    def _promote(self, beside: TargetSocket) -> None:
        """
        Send to an address from now on that has had copies.
        """
        self._beside = None
        self._makeMain(beside)
        self._sendOn()

    def _makeMain(self, socket: TargetSocket) -> None:
        self._closeMain()
        self._main = socket
        self._numbers[len(socket.address)] = socket.number

    def _closeMain(self) -> None:
        main, self._main = self._main, None
        if main is not None:
            self._notSent += main.unsentBytes
            main.close()

    def _sendOn(self) -> None:
        """
        Send by what there is: straight to the socket, unless another address may have to get
        copies, or there is no socket.
        """
        main = self._main
        if main is None:
            self._use(self._wait)
            return
        mayNeedCopies = bool(self._rest) or self._beside is not None or self._isLooking
        send = self._sendInRound if mayNeedCopies else main.send
        while waiting := self._waiting.take(self._clock.seconds(), MAX_TRAIN_BYTES):
            self._flushed += bytesOf(waiting)
            send(waiting)
        if not mayNeedCopies:
            self._takeKept()
        self._use(send)

    def _use(self, send: TakeTrains) -> None:
        if send != self.send:
            self.send = send
            self._sendBy(send)

    def _tryLater(self, reason: str) -> None:
        self._endRound()
        self._stopPause()
        self._takeKept()
        self._closeMain()
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

    # A round: each address has its turn, until one answers.

    def _sendInRound(self, trains: list[Train]) -> None:
        """
        Send trains while it is not known which address is right.
        """
        main, beside = self._main, self._beside
        assert main is not None
        main.send(trains)
        if beside is not None:
            beside.send(trains)
        self._kept.put(trains, self._clock.seconds())
        if self._step is None:
            self._raceOn()

    def _raceOn(self) -> None:
        """
        Give the address that gets everything a short time to answer before others get copies.
        """
        if len(self._addresses) > 1:
            self._stopStep()
            self._step = self._clock.callLater(RACE_SECONDS, self._tryBeside)

    def _sendKept(self) -> None:
        """
        Send to the newest address what those before were sent in this round, and keep it for
        those that come after it.
        """
        socket = self._beside or self._main
        kept = self._takeKept()
        if kept and socket is not None:
            socket.send(kept)
            if self._rest:
                self._kept.put(kept, self._clock.seconds())

    def _takeKept(self) -> list[Train]:
        kept: list[Train] = []
        while some := self._kept.take(self._clock.seconds(), MAX_TRAIN_BYTES):
            kept += some
        return kept

    def _tryBeside(self) -> None:
        """
        Nothing has answered yet: let the next address have copies.
        """
        self._stopStep()
        self._closeBeside()
        while self._rest and self._beside is None:
            try:
                self._beside = self._openTo(self._rest.popleft())
            except OSError:
                continue
        if self._beside is None:
            self._roundIsOver()
            return
        self._sendKept()
        self._waitForAnswer()

    def _waitForAnswer(self) -> None:
        seconds = min(BESIDE_SECONDS * 2**self._rounds, MOST_BESIDE_SECONDS)
        self._step = self._clock.callLater(seconds, self._tryBeside)

    def _roundIsOver(self) -> None:
        """
        No address has answered: go on with the one that we have, and try the others after a
        pause, which gets longer while that one does not refuse what it is sent.
        """
        self._endRound()
        self._sendOn()
        if len(self._addresses) < 2 or self._pause is not None:  # noqa: PLR2004 - there are no others
            return
        seconds = RETRY_SECONDS
        if self._main is not None and self._main.address not in self._refused:
            seconds = min(RETRY_SECONDS * 2**self._rounds, MOST_PAUSE_SECONDS)
            self._rounds = min(self._rounds + 1, MOST_ROUNDS)
        self._pause = self._clock.callLater(seconds, self._beginRound)

    def _beginRound(self) -> None:
        """
        Try the others again.  The round begins with the first train that is sent.
        """
        self._stopPause()
        self._refused.clear()
        main = self._main
        if main is not None:
            self._rest = deque(each for each in self._addresses if each != main.address)
            main.awaitAnswer()
            self._sendOn()

    def _endRound(self) -> None:
        self._rest.clear()
        self._stopStep()
        self._closeBeside()

    def _stopStep(self) -> None:
        if self._step is not None and self._step.active():
            self._step.cancel()
        self._step = None

    def _stopPause(self) -> None:
        if self._pause is not None and self._pause.active():
            self._pause.cancel()
        self._pause = None

    def _closeBeside(self) -> None:
        beside, self._beside = self._beside, None
        if beside is not None:
            beside.close()

    # What the sockets tell; see SocketUser.

    def socketAnswered(self, socket: TargetSocket, trains: list[Train]) -> None:
        """
        The address is right: keep it.
        """
        self._rounds = self._moves = 0
        self._stopPause()
        self._refused.clear()
        self._rest.clear()
        self._stopStep()
        if socket is self._beside:
            self._promote(socket)
        else:
            self._closeBeside()
            self._sendOn()
        self._finder.answers(socket.address)
        self._receive(trains)

    def socketRefused(self, socket: TargetSocket, number: int) -> None:
        """
        Go on with another address.
        """
        self._refused.add(socket.address)
        if socket is self._beside:
            self._tryBeside()
            return
        if self._pause is None and not self._rest:  # it has answered before, or others were silent
            self._rest = deque(each for each in self._addresses if each not in self._refused)
        if self._beside is not None:
            self._promote(self._beside)
        else:
            self._goOnAfter(socket, number)
        self._lookAgain()

    def _goOnAfter(self, socket: TargetSocket, number: int) -> None:
        reason = self._openNext()
        if reason is None:
            self._raceOn()
        elif self._main is None:
            self._tryLater(reason)
        else:
            socket.awaitAnswer()
            self._finder.sayRefused(self._addresses, number)
            self._roundIsOver()

    def socketMoves(self, socket: TargetSocket, before: Address, after: Address) -> None:
        """
        Let trains wait until it is open.
        """
        self._finder.sayRoute(before, after)
        if socket is self._main:
            self._use(self._wait)

    def socketOpened(self, socket: TargetSocket) -> None:
        """
        Send by it.
        """
        if socket is self._main:
            self._sendOn()

    def socketLost(self, socket: TargetSocket, reason: str) -> None:
        """
        Find the target anew.
        """
        if socket is self._beside:
            self._tryBeside()
        else:
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
        main = self._main
        if main is None:
            return
        self._addresses = addresses
        if main.address in addresses:
            if self._pause is None and self._step is None and not self._rest:
                self._beginRound()
            else:
                self._sendOn()
            return
        self._finder.sayMoved(main.address, addresses[0])
        self._rounds = 0
        self._moves += 1
        if self._moves <= MOST_MOVES:
            self._silence = TargetSilence()
        self._stopPause()
        self._stopStep()
        self._closeBeside()
        self._refused.clear()
        self._rest = deque(addresses)
        reason = self._openNext()
        if reason is None:
            self._raceOn()
        else:
            self._tryLater(reason)

    # What the session asks.

    def checkRoute(self) -> None:
        """
        Another address of ours than before may lead to the target.
        """
        if self._main is not None:
            self._main.checkRoute()

    def readSeldom(self) -> None:
        """
        See L{TargetSocket.readSeldom}.
        """
        if self._main is not None:
            self._main.readSeldom()

    def readAgain(self) -> None:
        """
        See L{TargetSocket.readAgain}.
        """
        if self._main is not None:
            self._main.readAgain()

    def close(self) -> None:
        """
        Close what is open; nothing is sent or received any more.
        """
        self._closed = True
        self._endRound()
        self._stopPause()
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
        self._retry = None
        self._closeMain()
        # What leads to the session, and by it back here.
        self.send = self._receive = ignoreTrains
        self._sendBy = tellNobody


def tellNobody(send: TakeTrains) -> None:
    """
    For a socket that nobody has asked for yet.
    """
