"""
How the session of a source goes on under another id, where the server will never let it in
under the old one: a session belongs to the key of the certificate that opened it, and that key
may have been renewed.

The same happens where the session moves to another server (L{uotp.client.standby.standby}).

The source keeps its session and what waits in it; the server gets a new one.  The old pool
carries until the new one has a tunnel, and then says that its session is over.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall

from uotp.client.pool import Pool, PoolOwner
from uotp.client.standby.servers import ClientServers, MoveReason, Server
from uotp.client.standby.standby import Ready, Standby, StandbyOwner
from uotp.session import Session, SessionAside
from uotp.wire import newSessionId, sessionName

LEAST_SECONDS = 10.0
"""
A session of the same key goes on under its id for at least so long.  A server that welcomes each id once and
refuses it then is dialled no more often than one that is away.
"""

HANDOVER_SECONDS = 1.0
"""
In format 1 nobody says that a tunnel may stay, and a server that refuses our certificate says so
when the tunnel seems to be open: a round trip later.
"""


ANOTHER_KEY, NOT_LET_IN = "our certificate has another key", "the server refuses it"
"""Why a session goes on as another, in the words of the log."""


class Succession:
    """
    Keeps the pool that carries for a source, and the one that is to follow.

    @ivar pool: the one that carries.
    @ivar name: of its session, for the log.
    @ivar server: where it is.
    @ivar standby: keeps the tunnel that stands by at another server.
    """

    def __init__(self, servers: ClientServers, session: Session, sessionId: bytes) -> None:
        """
        @param servers: of the client.
        @param sessionId: what the first pool shows.
        """
        self._servers = servers
        self.server: Server = servers.current()
        self.server.sessions += 1
        self._context = context = self.server.context
        self._session = session
        self._worth = 0  # how many tunnels the source is worth; 0 while it is not proved
        self._next: Pool | None = None
        self._nextName = ""
        self._reason = ""
        self._settling: IDelayedCall | None = None
        self._begunAt = context.clock.seconds()
        self.name = sessionName(sessionId)
        self.pool = Pool(context, session, sessionId, self)
        self.standby = Standby(servers, session, self)
        self._leaving: dict[Pool, SessionAside] = {}  # pools at servers that the session has left
        self._isOver = False

    def start(self) -> None:
        """
        Open the first tunnel.
        """
        self.pool.start()

    def widen(self, tunnels: int) -> None:
        """
        See L{Pool.widen}.
        """
        self._worth = max(self._worth, tunnels)
        self.pool.widen(tunnels)

    @property
    def isProved(self) -> bool:
        """
        See L{StandbyOwner}.
        """
        return self._worth > 0

    def grow(self) -> None:
        """
        More tunnels are wanted than before.
        """
        self.pool.grow()

    def keyChanged(self) -> None:
        """
        We show another key from now on, and the path may have changed besides.  In format 2 the
        server tells if the key matters; in format 1 it could only close, again and again.
        """
        self.pool.isOfOldKey = self.pool.hasBeenUp
        self.standby.anew()
        if self._next is None and self.pool.hasBeenUp and not self.pool.isKnown:
            self._beginAnew(ANOTHER_KEY)
        else:
            self.prove()

    def _beginAnew(self, reason: str) -> None:
        if self._next is not None:
            return
        sessionId = newSessionId()
        self._reason, self._nextName = reason, sessionName(sessionId)
        self._next = Pool(self._context, self._session, sessionId, self)
        self._next.start()
        if self._worth and self._next is not None:
            self._next.widen(1)
        if self.pool.isDown:
            self._succeed()

    def _succeed(self) -> None:
        """
        Let the new pool carry, and the old one leave.
        """
        following = self._next
        if following is None:
            return
        self._stopSettling()
        old, self.pool, self._next = self.pool, following, None
        before, self.name = self.name, self._nextName
        self._begunAt = self._context.clock.seconds()
        old.leave()
        self._session.inbound.restart()
        self._context.reachability.sessionReplaced(before, self.name, self._reason)
        if self._worth:
            following.widen(self._worth)

    def moveTo(self, ready: Ready, reason: MoveReason, *, isOrderly: bool) -> None:
        """
        See L{StandbyOwner}.
        """
        self._giveUpNext()
        session, old, before = self._session, self.pool, self.server
        lost = [] if isOrderly else old.takeUnacked()
        self.pool, self.server, self._context = ready.pool, ready.place.server, ready.place.server.context
        self._begunAt = self._context.clock.seconds()
        self._servers.moved(self.name, before, self.server, reason)
        self.name = sessionName(ready.sessionId)
        if isOrderly:
            self._leaving[old] = aside = session.aside()
            old.bringTo(aside)
            old.drain(self._hasLeft)
        else:
            old.leave()
        session.inbound.restart()
        session.outbound.beginAnew()
        ready.pool.belongTo(self)
        ready.pool.carryFor(session)
        session.absorb(ready.aside)
        session.outbound.sendAnew(lost)
        if self._worth:
            self.pool.widen(self._worth)

    def _hasLeft(self, pool: Pool) -> None:
        aside = self._leaving.pop(pool, None)
        if aside is not None:
            self._session.absorb(aside)

    def _stopSettling(self) -> None:
        settling, self._settling = self._settling, None
        if settling is not None and settling.active():
            settling.cancel()

    # What pools tell.

    def forgotten(self, pool: Pool) -> None:
        """
        See L{PoolOwner}.
        """
        if pool is not self.pool:
            return
        self._context.reachability.sessionForgotten(self.name)
        self._session.inbound.restart()

    def refused(self, pool: Pool) -> None:
        """
        See L{PoolOwner}.
        """
        if pool is not self.pool:
            return
        if pool.isOfOldKey:
            self._beginAnew(ANOTHER_KEY)
        elif self._context.clock.seconds() - self._begunAt >= LEAST_SECONDS:
            self._beginAnew(NOT_LET_IN)

    def poolUp(self, pool: Pool) -> None:
        """
        See L{PoolOwner}.
        """
        if pool is not self._next:
            return
        if pool.isKnown:
            self._succeed()
        elif self._settling is None:
            self._settling = self._context.clock.callLater(HANDOVER_SECONDS, self._settled)

    def _settled(self) -> None:
        self._settling = None
        if self._next is not None and not self._next.isDown:
            self._succeed()

    def poolDown(self, pool: Pool) -> None:
        """
        See L{PoolOwner}.
        """
        if pool is self.pool and not self._isOver:
            self._succeed()
            self.standby.serverDown()

    # What the session wants.

    def prove(self) -> None:
        """
        See L{Pool.prove}.
        """
        (self._next or self.pool).prove()
        self.standby.prove()

    def drain(self) -> None:
        """
        See L{Pool.drain}.
        """
        self._end()
        self.pool.drain()

    def leave(self) -> None:
        """
        See L{Pool.leave}.
        """
        self._end()
        for pool in list(self._leaving):
            pool.leave()
        self.pool.leave()

    def _end(self) -> None:
        if not self._isOver:
            self._isOver = True
            self.server.sessions -= 1
        self.standby.leave()
        self._giveUpNext()

    def _giveUpNext(self) -> None:
        self._stopSettling()
        following, self._next = self._next, None
        if following is not None:
            following.leave()


# mypy proves here that it fits its seams.
_owner: type[PoolOwner] = Succession
_standbyOwner: type[StandbyOwner] = Succession
