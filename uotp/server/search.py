"""
Which of the target's addresses a session sends to.

They are tried in the order of the system's resolver, and whichever answers first is kept.  When
one refuses what it is sent, the next one gets it at once.  One that is only silent goes on
getting everything, since it may be right: but after L{RACE_SECONDS} copies go to the others too,
to one after the other for a time.  So nothing is lost if it was right, and a target never gets a
copy twice at one address.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall

from uotp.boundaries import Address, Allowance
from uotp.process import Unlimited
from uotp.server.finder import TargetFinder
from uotp.server.targetsocket import SocketMaker, TargetSocket, ignoreTrains
from uotp.session import Backlog
from uotp.telemetry import Drops
from uotp.train import MAX_TRAIN_BYTES, TakeTrains, Train

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

OPEN_UNITS = 8
"""To open a socket takes as long as to hand on so many lone datagrams."""

COPIES_BYTES = 32 * 1024
"""So much of what an address was sent is kept for the next one, in case that it does not answer."""


class SearchOwner(Protocol):
    """
    Hears of what a search needs, and of what it leads to.
    """

    def searchTurned(self) -> None:
        """
        Trains are sent another way from now on: see L{AddressSearch.main} and L{AddressSearch.send}.
        """

    def searchPaused(self) -> None:
        """
        Nothing can be sent until L{searchTurned}.
        """

    def searchRefused(self) -> None:
        """
        An address has refused what it was sent: the target may have moved.
        """

    def searchEnded(self, reason: str) -> None:
        """
        There is no way to the target.

        @param reason: why, in words.
        """


class NoOwner:
    """
    Is told what becomes of a search whose owner has gone.
    """

    def searchTurned(self) -> None:
        """
        See L{SearchOwner}.
        """

    def searchPaused(self) -> None:
        """
        See L{SearchOwner}.
        """

    def searchRefused(self) -> None:
        """
        See L{SearchOwner}.
        """

    def searchEnded(self, reason: str) -> None:
        """
        See L{SearchOwner}.
        """


class AddressSearch:
    """
    Has a socket to one address, and to another one beside while it is not known which is right.

    @ivar main: the socket that gets everything, if there is one.
    @ivar receive: who gets the target's trains.
    @ivar moves: how often the target has moved since it answered.
    """

    def __init__(self, owner: SearchOwner, finder: TargetFinder, makeSocket: SocketMaker, clock: Any) -> None:
        """
        @param owner: hears of what becomes of it.
        @param finder: is told what becomes of an address.
        @param makeSocket: makes a socket to one address.
        @param clock: C{IReactorTime}.
        """
        self._owner: SearchOwner = owner
        self._finder = finder
        self._makeSocket = makeSocket
        self._clock = clock
        self.actFor(Unlimited())
        self.receive: TakeTrains = ignoreTrains
        self.main: TargetSocket | None = None
        self._addresses: list[Address] = []
        self._numbers: dict[int, int] = {}  # of the ports that we had, by the length of addresses
        self._beside: TargetSocket | None = None  # gets copies
        self._rest: list[Address] = []  # those that are still to be tried in this round
        self._refused: set[Address] = set()  # those that have refused in this round
        self._rounds = 0  # without an answer
        self.moves = 0
        self._step: IDelayedCall | None = None  # in a round
        self._pause: IDelayedCall | None = None  # between two
        self._notSent = 0

    def actFor(self, allowance: Allowance) -> None:
        """
        Know whose session this is.
        """
        self._allowance = allowance
        self._kept = Backlog(Drops(), allowance.room(COPIES_BYTES))  # these are copies, and no loss
        self._kept.maxBytes = COPIES_BYTES

    @property
    def unsentBytes(self) -> int:
        """
        Payload that sockets were given, and that could not be sent.
        """
        return self._notSent + (0 if self.main is None else self.main.unsentBytes)

    @property
    def mayNeedCopies(self) -> bool:
        """
        Whether another address may have to get what is sent: then it is sent by L{send}.
        """
        return bool(self._rest) or self._beside is not None

    # What the owner has found.

    def begin(self, addresses: list[Address]) -> str | None:
        """
        Open a socket to the first address that can be had.

        @return: why none of them can be had, if so.
        """
        self._stopPause()
        self._refused.clear()
        self._addresses = addresses
        self._rest = list(addresses)
        return self._openNext()

    def confirm(self, addresses: list[Address]) -> None:
        """
        The target still has the address that we send to, and maybe others than before.
        """
        self._addresses = addresses
        if self._pause is None and self._step is None and not self._rest:
            self._beginRound()
        else:
            self._owner.searchTurned()

    def move(self, addresses: list[Address]) -> str | None:
        """
        The target has other addresses: leave the one that we send to.

        @return: why none of them can be had, if so.
        """
        self._rounds = 0
        self.moves += 1
        self._stopStep()
        self._closeBeside()
        reason = self.begin(addresses)
        if reason is None:
            self._raceOn()
        return reason

    def end(self) -> None:
        """
        Close what is open.
        """
        self._endRound()
        self._stopPause()
        self.forget()
        self._closeMain()

    def close(self) -> None:
        """
        Do nothing any more.
        """
        self.end()
        self.receive = ignoreTrains
        self._owner = NoOwner()  # what leads to him, and by him back here

    # The sockets.

    def _openNext(self) -> str | None:
        """
        Send to the next of the addresses from now on, in place of the one before.

        @return: why none of them can be had, if so.
        """
        reason = "no address is left"
        while self._rest:
            address = self._rest.pop(0)
            if self.main is not None and len(self.main.address) == len(address):
                self._closeMain()  # so that its port is free
            try:
                socket = self._openTo(address)
            except OSError as error:
                reason = error.strerror or str(error)
                continue
            self._makeMain(socket)
            self._sendKept()
            self._owner.searchTurned()
            return None
        return reason

    def _openTo(self, address: Address) -> TargetSocket:
        if self._numbers:  # a new session is counted otherwise, see Registry
            self._allowance.spend(OPEN_UNITS)
        socket = self._makeSocket(self, self._allowance, address)
        socket.receive = self.receive
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
        self._owner.searchTurned()

    def _makeMain(self, socket: TargetSocket) -> None:
        self._closeMain()
        self.main = socket
        self._numbers[len(socket.address)] = socket.number

    def _closeMain(self) -> None:
        main, self.main = self.main, None
        if main is not None:
            self._notSent += main.unsentBytes
            main.close()

    # A round: each address has its turn, until one answers.

    def send(self, trains: list[Train]) -> None:
        """
        Send trains while it is not known which address is right.
        """
        main, beside = self.main, self._beside
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
        socket = self._beside or self.main
        kept = self._takeKept()
        if kept and socket is not None:
            socket.send(kept)
            if self._rest:
                self._kept.put(kept, self._clock.seconds())

    def forget(self) -> None:
        """
        Nobody needs copies of what was sent.
        """
        self._takeKept()

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
                self._beside = self._openTo(self._rest.pop(0))
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
        self._owner.searchTurned()
        if len(self._addresses) < 2 or self._pause is not None:  # noqa: PLR2004 - there are no others
            return
        seconds = RETRY_SECONDS
        if self.main is not None and self.main.address not in self._refused:
            seconds = min(RETRY_SECONDS * 2**self._rounds, MOST_PAUSE_SECONDS)
            self._rounds = min(self._rounds + 1, MOST_ROUNDS)
        self._pause = self._clock.callLater(seconds, self._beginRound)

    def _beginRound(self) -> None:
        """
        Try the others again.  The round begins with the first train that is sent.
        """
        self._stopPause()
        self._refused.clear()
        main = self.main
        if main is not None:
            self._rest = [each for each in self._addresses if each != main.address]
            main.awaitAnswer()
            self._owner.searchTurned()

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
        self._rounds = self.moves = 0
        self._stopPause()
        self._refused.clear()
        self._rest.clear()
        self._stopStep()
        if socket is self._beside:
            self._promote(socket)
        else:
            self._closeBeside()
            self._owner.searchTurned()
        self._finder.answers(socket.address)
        self.receive(trains)

    def socketRefused(self, socket: TargetSocket, number: int) -> None:
        """
        Go on with another address.
        """
        self._refused.add(socket.address)
        if socket is self._beside:
            self._tryBeside()
            return
        if self._pause is None and not self._rest:  # it has answered before, or others were silent
            self._rest = [each for each in self._addresses if each not in self._refused]
        if self._beside is not None:
            self._promote(self._beside)
        else:
            self._goOnAfter(socket, number)
        self._owner.searchRefused()

    def _goOnAfter(self, socket: TargetSocket, number: int) -> None:
        reason = self._openNext()
        if reason is None:
            self._raceOn()
        elif self.main is None:
            self._owner.searchEnded(reason)
        else:
            socket.awaitAnswer()
            self._finder.sayRefused(self._addresses, number)
            self._roundIsOver()

    def socketMoves(self, socket: TargetSocket, before: Address, after: Address) -> None:
        """
        Let trains wait until it is open.
        """
        self._finder.sayRoute(before, after)
        if socket is self.main:
            self._owner.searchPaused()

    def socketOpened(self, socket: TargetSocket) -> None:
        """
        Send by it.
        """
        if socket is self.main:
            self._owner.searchTurned()

    def socketLost(self, socket: TargetSocket, reason: str) -> None:
        """
        Find the target anew.
        """
        if socket is self._beside:
            self._tryBeside()
        else:
            self._owner.searchEnded(reason)
