"""
The place of one tunnel in a client's pool: it dials, waits, and dials again, for as long
as the pool wants the tunnel; and it replaces a tunnel that is old or does not answer by a new one,
which is ready before the old one goes.

The life of a slot is a table, L{uotp.client.slotstates.SLOT_STATES}.  A slot counts the
attempts that failed in a row, and forgets them only for a tunnel that has proved itself: that
stayed for some seconds; or in format 1 brought bytes from the server, once until another stays.
With TLS 1.3 a handshake that is complete proves nothing: a server that wants another
certificate says so later; nor does a welcome, since who gives one may close at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.python.failure import Failure

from uotp.boundaries import CarriedSession
from uotp.client.context import ClientContext
from uotp.client.dial.attempt import Attempt
from uotp.client.dial.backoff import backoffSeconds
from uotp.client.dial.dialqueue import Urgency
from uotp.client.dial.failures import CLOSED, wordsForFailure
from uotp.client.lifetime import Lifetime
from uotp.client.slotstates import SLOT_STATES, SlotEvent, SlotState
from uotp.process import StateMachine
from uotp.train import Arrival
from uotp.tunnel import DialledTunnel, Tunnel
from uotp.wire import ServerHello, WireFormat, sessionName

QUICK_STRAYS = 6
"""
So often in a row a slot dials again at once when another server has answered than the one that its session is at.
Where a balancer sends connections to four servers by turns, the fourth comes back to the first.
"""

STRAY_SECONDS = 0.02
"""The time until then, so that the other slots of the pool, which the same turns meet, come between."""

MOST_STRAY_SECONDS = 60.0
"""After L{QUICK_STRAYS} the waits grow to this.  The session has other tunnels, and each try costs a handshake."""

PROVED_SECONDS = 5.0
"""A tunnel that stays so long is a success even when the target is silent."""


@dataclass(frozen=True, slots=True)
class SlotStatistics:
    """
    Says how one slot stands at one moment.

    @ivar state: what it is doing.
    @ivar isUp: whether it has a tunnel that is open.
    @ivar retiring: how many tunnels that were replaced may still bring something.
    @ivar failures: attempts that failed in a row.
    """

    state: SlotState
    isUp: bool
    retiring: int
    failures: int


class SlotOwner(Protocol):
    """
    Says for a pool which of its slots may dial, and follows what they have.
    """

    @property
    def isHeld(self) -> bool:
        """
        Whether tunnels only stand by.
        """

    @property
    def urgency(self) -> Urgency:
        """
        Which attempts of other pools an attempt goes before.
        """

    @property
    def longestWait(self) -> float:
        """
        How long a slot may wait between two attempts, in seconds.
        """

    @property
    def isDown(self) -> bool:
        """
        Whether no slot has a tunnel that answers, so that one dials for all.
        """

    def dialStopped(self, begunAt: float) -> None:
        """
        Something on the way has made an attempt fail.

        @param begunAt: when it was begun.
        """

    def mayDial(self, slot: Slot) -> bool:
        """
        @return: whether a slot may dial now, also in the place of a tunnel that it has.  One
            that may not is told to dial when it may.
        """

    def admits(self, slot: Slot, answer: ServerHello) -> bool:
        """
        @param answer: welcomes a tunnel of a slot.
        @return: whether the tunnel leads to the server that the session is at.
        """

    def strayed(self) -> None:
        """
        An attempt came to another server.
        """

    def isElsewhere(self, answer: ServerHello) -> bool:
        """
        @return: whether an answer is of another server than the one that the session is at.
        """

    def sendAway(self, tunnel: DialledTunnel, inARow: int) -> None:
        """
        Let go of a tunnel to another server, which shall forget the session.

        @param inARow: how often the slot has come to one, with this time.
        """

    def welcomed(self, answer: ServerHello) -> None:
        """
        The server has welcomed a tunnel, in format 2.
        """

    def refused(self) -> None:
        """
        The server has refused a tunnel, in format 2.
        """

    def slotUp(self, slot: Slot) -> None:
        """
        A slot that had no tunnel that answers has one.
        """

    def slotDown(self, slot: Slot) -> None:
        """
        A slot has lost its tunnel, or a pong of it is overdue.
        """


class Slot(StateMachine[SlotState, SlotEvent]):
    """
    Holds the place of one tunnel in a pool: dials it, and replaces it by another.
    """

    def __init__(
        self,
        context: ClientContext,
        session: CarriedSession,
        sessionId: bytes,
        owner: SlotOwner,
    ) -> None:
        """
        @param context: what all pools of the client share.
        @param session: whom the tunnel carries for.
        @param sessionId: what the tunnel shows.
        @param owner: its pool.
        """
        super().__init__(context.clock, SLOT_STATES, SlotState.IDLE)
        self._context = context
        self._log = context.liveTunnels.log
        self._session = session
        self._sessionId = sessionId
        self._owner = owner
        self._failures = 0
        self._strays = 0  # attempts in a row that came to other servers
        self._avoided: set[Any] = set()  # where they did
        self._attempt: Attempt | None = None
        self._begunAt = 0.0  # the last attempt, by the clock
        self._tunnel: Tunnel | None = None
        self._address: Any = None  # of the server, where the tunnel leads
        self._isProved = False  # the tunnel
        self._isCounted = False  # its end
        self._mayForgive = True  # failures, for a tunnel that was heard and did not stay
        self._isOverdue = False  # a pong of the tunnel
        self._isUp = False  # as the owner knows
        self._retiring: set[Tunnel] = set()  # those through which something may still come
        self._emptied: Callable[[Slot], None] | None = None
        self._lifetime: Lifetime | None = None

    # Dialling.

    def dial(self) -> None:
        """
        Open the tunnel, if the pool lets this slot dial; a slot that has one that answers or
        is at it already does nothing.
        """
        if self._isOverdue and self.state is SlotState.UP:
            self.renew("a pong is overdue")
        else:
            self._dialFor(SlotEvent.DIAL)

    def renew(self, why: str | None = None) -> None:
        """
        Open another tunnel in the place of the one that is there, if the pool lets this slot
        dial.

        @param why: words for the log; left out, the tunnel is old, or has carried enough.
        """
        tunnel = self._tunnel
        if self._dialFor(SlotEvent.RENEW) and tunnel is not None and tunnel.told is not None:
            if why is None and self._lifetime is not None:
                now = self._context.clock.seconds()
                why = self._lifetime.reason(now, tunnel.carried, self._context.volumeLimit.most(now))
            self._log.tell(tunnel, f"another one is opened to replace it: {why}")

    def _dialFor(self, event: SlotEvent) -> bool:
        """
        @return: whether it dials.
        """
        isAllowed = (self.state, event) in SLOT_STATES and self._owner.mayDial(self)
        if isAllowed:
            self._advance(event)
            self._begin()
        return isAllowed

    def _begin(self) -> None:
        self._begunAt = self._context.clock.seconds()
        self._attempt = None
        choices = self._owner.urgency, self._avoided
        attempt = Attempt(self._context, self, self._sessionId, self._failed, *choices)
        if self.state in (SlotState.DIALLING, SlotState.RENEWING):  # it may have failed at once
            self._attempt = attempt

    def _failed(self, words: str) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None and attempt.strayed and not attempt.hasFailed:
            self._avoided.update(attempt.strayed)
            if self._advance(SlotEvent.FAILED):
                self._waitToDialElsewhere()
        elif self._advance(SlotEvent.FAILED):
            self._context.reachability.tunnelFailed(words)
            if attempt is not None and attempt.wasStopped:
                self._owner.dialStopped(attempt.begunAt)
            took = self._context.clock.seconds() - self._begunAt
            self._waitToDial(took if self._owner.isDown else 0.0)

    def _waitToDialElsewhere(self) -> None:
        self._strays += 1
        self._owner.strayed()
        late = self._strays - QUICK_STRAYS
        wait = backoffSeconds(late, MOST_STRAY_SECONDS, self._context.jitter()) if late > 0 else STRAY_SECONDS
        self._setTimer(wait, self.dial)

    def _waitToDial(self, spent: float = 0.0) -> None:
        self._failures += 1
        wait = backoffSeconds(self._failures, self._owner.longestWait, self._context.jitter(), spent)
        self._setTimer(wait, self.dial)

    def tunnelAdvanced(self, tunnel: Tunnel) -> None:
        """
        TCP is connected, or the handshake is done.
        """
        if self._attempt is not None and self._attempt.tunnelAdvanced(tunnel):
            return
        if tunnel is not self._tunnel and tunnel not in self._retiring:
            tunnel.abort()  # we have given up

    def tunnelOpened(self, tunnel: Tunnel) -> None:
        """
        The handshake is done, and in format 2 the server has welcomed us.
        """
        attempt = self._attempt
        answer = tunnel.answer if isinstance(tunnel, DialledTunnel) else None
        if attempt is None or not attempt.has(tunnel):  # a second address answered at the same moment, or we gave up
            self._sendAway(tunnel)
            return
        if answer is not None and not self._owner.admits(self, answer):
            attempt.elsewhere(tunnel)
            self._sendAway(tunnel)
            return
        if not self._advance(SlotEvent.OPENED):
            tunnel.abort()
            return
        self._avoided.clear()
        winner = attempt.succeed(tunnel)
        self._attempt = None
        self._address, self._isProved, self._isCounted = winner.address, False, False
        before, self._tunnel = self._tunnel, tunnel
        self._context.reachability.tunnelUp()
        self._context.opened(tunnel.transport.getPeer())
        if before is not None:
            self._context.reachability.tunnelDown()
        self._context.connectionLimit.opened(self._context.reachability.tunnels, self._context.clock.seconds())
        self._noteProof(tunnel)
        now, chance, settings = self._context.clock.seconds(), self._context.jitter(), self._context.settings
        self._lifetime = Lifetime(now, chance, settings.maxAge, settings.maxBytes)
        self._log.opened(tunnel, sessionName(self._sessionId), wordsForAnswer(tunnel))
        tunnel.carryFor(self._session, isHeld=self._owner.isHeld)
        self._context.segmentWatch.opened(tunnel, winner.segmentSize, self.renew)
        if before is not None:
            self._retire(before)
        self._setOverdue(isOverdue=False)

    def _sendAway(self, tunnel: Tunnel) -> None:
        """
        Carry nothing through a tunnel.  Another server shall forget the session, and not ours.
        """
        answer = tunnel.answer if isinstance(tunnel, DialledTunnel) else None
        if isinstance(tunnel, DialledTunnel) and answer is not None and self._owner.isElsewhere(answer):
            self._owner.sendAway(tunnel, self._strays)
        else:
            tunnel.abort()

    def leaveServer(self) -> None:
        """
        The session is at another server from now on than the tunnel.
        """
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is None:
            return
        self._log.tell(tunnel, "its session is at another server from now on")
        self._context.reachability.tunnelDown()
        self._setOverdue(isOverdue=False)
        tunnel.bye()
        if self._advance(SlotEvent.LOST):
            self.dial()

    def carryFor(self, session: CarriedSession) -> None:
        """
        Let the tunnel carry that has stood by.
        """
        self._session = session
        self.bringTo(session)
        if self._tunnel is not None and self._tunnel.link is not None:
            self._tunnel.link.carry()

    def bringTo(self, session: CarriedSession) -> None:
        """
        Hand what comes to a session, or to what stands beside it.
        """
        for tunnel in {self._tunnel, *self._retiring}:
            if tunnel is not None and tunnel.link is not None:
                tunnel.link.bringTo(session.inbound)

    def takeUnacked(self) -> list[Arrival]:
        """
        @return: what the other kernel has not acknowledged of what the tunnel was given, so that the other program
            cannot have it.
        """
        link = None if self._tunnel is None else self._tunnel.link
        if link is None:
            return []
        link.forgetAcknowledged()
        return link.takeUnacked()

    def ask(self) -> None:
        """
        Find out how long the server takes to answer.
        """
        if self._tunnel is not None and self._tunnel.link is not None:
            self._tunnel.link.ask()

    def _retire(self, tunnel: Tunnel) -> None:
        self._context.segmentWatch.forget(tunnel)
        self._retiring.add(tunnel)
        self._log.tell(tunnel, "carries no more, and is closed when what is on its way has arrived")
        tunnel.drain()

    def _noteProof(self, tunnel: Tunnel) -> None:
        self._setTimer(PROVED_SECONDS, self._proved)
        answer = tunnel.answer if isinstance(tunnel, DialledTunnel) else None
        if answer is None:
            return
        self._context.reachability.reached(answer)
        self._owner.welcomed(answer)

    def _proved(self) -> None:
        self._timer = None
        self._failures = self._strays = 0  # or a server that closes all would be dialled quickly again and again
        self._isProved = self._mayForgive = True
        tunnel, reachability = self._tunnel, self._context.reachability
        if tunnel is None or tunnel.wireFormat is WireFormat.TWO or (tunnel.heard and tunnel.speech is None):
            reachability.reached()
        else:  # any server that speaks TLS may be so patient
            reachability.stayed(isSecured=tunnel.security is not None)

    def isOld(self) -> bool:
        """
        @return: whether there is a tunnel that has been there, or has carried, for as
            long as it may.
        """
        if self.state is not SlotState.UP or self._tunnel is None or self._lifetime is None:
            return False
        now = self._context.clock.seconds()
        return self._lifetime.isUsedUp(now, self._tunnel.carried, self._context.volumeLimit.most(now))

    def isRenewing(self) -> bool:
        """
        @return: whether the tunnel is being replaced at this moment.
        """
        return self.state is SlotState.RENEWING

    @property
    def isUp(self) -> bool:
        """
        Whether there is a tunnel that answers.
        """
        return self._isUp

    @property
    def losesWhenClosed(self) -> bool:
        """
        Whether what is on its way to us through the tunnel is lost when we close it, since its
        format knows no farewell.
        """
        return self._tunnel is not None and self._tunnel.wireFormat is WireFormat.ONE

    @property
    def carried(self) -> int:
        """
        What the tunnel has carried, both ways, in bytes.
        """
        return 0 if self._tunnel is None else self._tunnel.carried

    @property
    def isEmpty(self) -> bool:
        """
        Whether there is no tunnel.
        """
        return self._tunnel is None

    @property
    def isInDoubt(self) -> bool:
        """
        Whether there is a tunnel that has yet to show that it is still good.
        """
        return self._tunnel is not None and self._tunnel.isInDoubt

    @property
    def tunnel(self) -> Tunnel | None:
        """
        The tunnel, if there is one.
        """
        return self._tunnel

    @property
    def roundTrip(self) -> float:
        """
        To the server's program and back, in seconds; 0 while it is not known.
        """
        link = None if self._tunnel is None else self._tunnel.link
        return 0.0 if link is None else link.roundTrip

    def statistics(self) -> SlotStatistics:
        """
        @return: how the slot stands.
        """
        replaced = self._retiring - {self._tunnel}
        return SlotStatistics(self.state, self._tunnel is not None, len(replaced), self._failures)

    # What tunnels tell.

    def tunnelDrained(self, tunnel: Tunnel) -> None:
        """
        Nothing more comes of it: it has been replaced, or the server stops, or we do.
        """
        self._retiring.discard(tunnel)
        if tunnel is not self._tunnel:
            tunnel.close()
        elif self._emptied is None:
            self._log.tell(tunnel, "the server sends no more through it")
            self._lost("the server stops")
            tunnel.close()
        self._tellEmptied()  # the last one then says for all that the session is over

    def pongOverdue(self, tunnel: Tunnel) -> None:
        """
        The server has not answered in time.
        """
        if tunnel is self._tunnel:
            self._log.tell(tunnel, "a pong is overdue, it carries nothing until it comes")
            self._setOverdue(isOverdue=True)

    def pongCame(self, tunnel: Tunnel) -> None:
        """
        The server answers again.
        """
        if tunnel is self._tunnel:
            self._log.tell(tunnel, "the pong has come")
            self._setOverdue(isOverdue=False)

    def _setOverdue(self, *, isOverdue: bool) -> None:
        self._isOverdue = isOverdue
        wasUp, self._isUp = self._isUp, self._tunnel is not None and not isOverdue
        if self._isUp and not wasUp:
            self._owner.slotUp(self)
        elif wasUp and not self._isUp:
            self._owner.slotDown(self)

    def pongGivenUp(self, tunnel: Tunnel) -> None:
        """
        The server has not answered for too long.
        """
        if tunnel is self._tunnel:
            self._context.reachability.tunnelFailed("no answer")
            self._countEnd(tunnel)
            self.renew("no pong has come")

    def tunnelLost(self, tunnel: Tunnel, reason: Failure) -> None:
        """
        The tunnel is gone.
        """
        self._context.liveTunnels.discard(tunnel)
        self._context.segmentWatch.forget(tunnel)
        self._retiring.discard(tunnel)
        words = tunnel.fault or wordsForFailure(reason, tunnel.refusal)
        wasOver = tunnel is not self._tunnel and words == CLOSED
        self._log.lost(tunnel, "closed in good order" if wasOver else words)
        if tunnel is self._tunnel:
            self._countEnd(tunnel)
            if tunnel.heard and tunnel.wireFormat is WireFormat.ONE and tunnel.speech is None:
                if self._mayForgive:
                    self._failures = 0
                self._mayForgive = False  # or who says a byte and closes would be dialled all the time
            elif not self._isProved:  # the server's other addresses go first the next time
                self._context.addresses.failed(self._address)
            self._lost(words)
        elif self._attempt is not None and self._attempt.has(tunnel):
            self._attempt.tunnelLost(tunnel, words)
            answer = tunnel.answer if isinstance(tunnel, DialledTunnel) else None
            if answer is not None and not answer.welcome:
                self._owner.refused()
        self._tellEmptied()

    def _countEnd(self, tunnel: Tunnel) -> None:
        """
        The tunnel is of no use any more, and we have not closed it.
        """
        if not self._isCounted:
            self._isCounted = True
            self._context.volumeLimit.ended(tunnel.carried, self._context.clock.seconds())

    def _tellEmptied(self) -> None:
        if self._emptied is not None and not self._retiring:
            self._emptied(self)

    def _lost(self, words: str) -> None:
        self._tunnel = None
        self._context.reachability.tunnelDown()
        self._setOverdue(isOverdue=False)
        if self._advance(SlotEvent.LOST):
            self._context.reachability.tunnelFailed(words)
            if self.state is SlotState.WAITING:
                self._waitToDial()

    # Doubt, and the end.

    def prove(self) -> None:
        """
        The path may have changed: find out whether the tunnel is still good, or dial at
        once.
        """
        if self._attempt is not None:
            self._attempt.cancel()
            self._begin()
            if self._tunnel is not None:
                self._tunnel.prove()
        elif self.state in (SlotState.WAITING, SlotState.RETRYING):
            self.dial()
        elif self._tunnel is not None and not self._tunnel.prove():
            self.renew("the path may have changed, and format 1 cannot ask whether it is still good")

    def giveUp(self) -> None:
        """
        Have no tunnel until told to dial again.  What is under way through the one that there is
        arrives, as far as its format allows.
        """
        if not self._advance(SlotEvent.GIVE_UP):
            return
        self._cancel()
        self._failures = self._strays = 0
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            self._log.tell(tunnel, "it is not needed any more")
            self._context.reachability.tunnelDown()
            self._retire(tunnel)
        self._setOverdue(isOverdue=False)

    def _cancel(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.cancel()

    def _stop(self) -> None:
        self._advance(SlotEvent.STOP)
        self._cancel()

    def drain(self, emptied: Callable[[Slot], None]) -> None:
        """
        Dial no more, and let what is under way arrive.

        @param emptied: called with this slot when it has, or cannot; maybe at once, and
            maybe again.
        """
        self._stop()
        self._emptied = emptied
        if self._tunnel is not None:
            self._retire(self._tunnel)
        self._tellEmptied()

    def leave(self) -> None:
        """
        Dial no more, say that the session is over, and close.
        """
        self._stop()
        self._emptied = None
        if self._tunnel is not None:
            self._log.tell(self._tunnel, "its session is over")
            self._tunnel.bye()


def wordsForAnswer(tunnel: Tunnel) -> str:
    """
    @return: what the server has answered to a tunnel's hello, for the log.
    """
    answer = tunnel.answer if isinstance(tunnel, DialledTunnel) else None
    if answer is None:
        return "nothing is answered"
    kept = "" if answer.keptSeconds is None else f", keeps it for {answer.keptSeconds} s without a tunnel"
    return f"the server {'has begun' if answer.isNew else 'knows'} the session{kept}"
