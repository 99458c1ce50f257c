"""
The tunnel of one session that stands by at another server: open, welcomed and pinged, and carrying nothing.

The session is at one server.  When none of its tunnels there can be used any more, it moves to where the tunnel stands
by, and that tunnel carries in the same turn.  Meanwhile another server is looked for: the tunnel there is opened
beside the one that stands by, and takes its place when it is open, if that server is to be used before.  A source that
is not proved has no tunnel that stands by; one is opened for it when its own server does not answer for a moment.
"""

from __future__ import annotations

from typing import Protocol

from uotp.client.pool import Pool, PoolOwner
from uotp.client.standby.health import MOST_ALONE_SECONDS, MOST_REST_SECONDS
from uotp.client.standby.judgement import Judgement
from uotp.client.standby.servers import ClientServers, MoveReason, Server, StandbyPlace
from uotp.session import Session, SessionAside
from uotp.wire import newSessionId

DOWN_SECONDS = 0.5
"""A session without any tunnel that answers looks for another server after so long."""

OPENING_SECONDS = 10.0
"""A tunnel that is to stand by has to be open by then."""

MOST_FAILURES = 1
"""After so many attempts at one server that have failed, another one is tried."""

PING_SECONDS = 5.0
"""While the session carries something, all tunnels are asked this often how far their servers are."""

RESTS_SECONDS = 5.0
"""A session that has carried nothing for so long rests."""

NOTHING_SECONDS = 0.25
"""
While nothing comes back for so long, and something is sent, the tunnels in use are asked whether their server lives.  A
program that stands still is noticed only by that.  With the half second that an answer may take, the flow has moved
within a second.
"""

OWN_ASK_SECONDS = 0.5
"""They are asked no more often than this: a flow that nobody answers is no sign of anything."""


class StandbyOwner(Protocol):
    """
    Is the session that a tunnel stands by for.
    """

    @property
    def server(self) -> Server:
        """
        Where it is.
        """

    @property
    def pool(self) -> Pool:
        """
        Its tunnels there.
        """

    @property
    def isProved(self) -> bool:
        """
        Whether its source is worth more than one tunnel.
        """

    def moveTo(self, ready: Ready, reason: MoveReason, *, isOrderly: bool) -> None:
        """
        Move to where a tunnel stands by.

        @param isOrderly: whether what is under way at the old server may still arrive.
        """


class Ready:
    """
    Is one tunnel at another server, which stands by or is being opened to do so.

    @ivar place: where that is.
    @ivar sessionId: what it shows there.
    @ivar aside: what it carries for until the session moves there.
    @ivar pool: has it.
    @ivar begunAt: when it was begun to open, by the clock.
    """

    def __init__(self, place: StandbyPlace, session: Session, instance: bytes | None, owner: Standby) -> None:
        """
        @param instance: where the session is now.
        """
        self.place = place
        self.sessionId = newSessionId()
        self.aside: SessionAside = session.aside()
        context = place.server.context
        self.begunAt: float = context.clock.seconds()
        shunned = instance if place.isOther else None
        self.pool = Pool(context, self.aside, self.sessionId, owner, isHeld=True, shunned=shunned)

    def hasFailed(self, now: float) -> bool:
        """
        @return: whether it is of no use to wait longer.
        """
        pool = self.pool
        return bool(pool.strays) or pool.statistics().failures >= MOST_FAILURES or now - self.begunAt >= OPENING_SECONDS

    @property
    def longestRest(self) -> float:
        """
        How long to wait at most, when it has failed, in seconds.  Where all addresses are of the same server, nothing
        has failed.
        """
        return MOST_ALONE_SECONDS if self.pool.strays else MOST_REST_SECONDS


class Standby:
    """
    Sees to it that a tunnel of one session stands by, and that the session moves there when it had better.
    """

    def __init__(self, servers: ClientServers, session: Session, owner: StandbyOwner) -> None:
        """
        @param servers: of the client.
        @param session: whom the tunnel would carry for.
        """
        self._servers = servers
        self._session = session
        self._owner = owner
        self._ready: Ready | None = None
        self._tried: Ready | None = None
        self._judgement = Judgement()
        self._downSince: float | None = None
        self._askedAt = self._ownAskedAt = float("-inf")
        self._isOver = False

    @property
    def place(self) -> StandbyPlace | None:
        """
        Where a tunnel stands by, if one does.
        """
        return None if self._ready is None else self._ready.place

    def review(self, now: float) -> None:
        """
        Call this some times a second.
        """
        if self._isOver or not (self._servers.areSeveral or self._ready or self._tried):
            return
        owner = self._owner
        isDown = owner.pool.isDown
        self._downSince = None if not isDown else self._downSince or now
        if self._ready is not None and isDown:
            self._move(self._ready, MoveReason.NO_TUNNEL, isOrderly=False)
            return
        if self._tried is not None and self._tried.hasFailed(now):
            self._tried.place.health.failed(now, self._tried.longestRest)
            self._giveUpTried()
        if not self._isWanted(now):
            self._giveUp()
            return
        if self._ready is not None:
            self._lookAt(self._ready, now)
        self._try(now)

    def _isWanted(self, now: float) -> bool:
        if self._owner.isProved:
            return True
        return self._downSince is not None and now - self._downSince >= DOWN_SECONDS

    def _lookAt(self, ready: Ready, now: float) -> None:
        """
        Find out how far both servers are, and whether the session had better move.
        """
        outbound, owner, judgement = self._session.outbound, self._owner, self._judgement
        isActive = now - self._session.lastActive < RESTS_SECONDS
        if isActive and now - self._askedAt >= PING_SECONDS:
            self._askedAt = now
            ready.pool.ask()
            owner.pool.ask()  # also of tunnels that carry little, and have not asked for long
        isAnswered = now - self._session.inbound.lastActive < NOTHING_SECONDS
        if now - outbound.lastActive < NOTHING_SECONDS and not isAnswered and now - self._ownAskedAt >= OWN_ASK_SECONDS:
            self._ownAskedAt = now
            owner.pool.ask()
        inUse, other = owner.pool.roundTrip, ready.pool.roundTrip
        if not isActive:
            judgement.rests()
        elif judgement.isTooFar(inUse, other, now):
            self._move(ready, MoveReason.TOO_FAR, isOrderly=True)
            return
        if ready.place.rank < owner.server.rank and judgement.mayComeBack(inUse, other, now):
            self._move(ready, MoveReason.COMES_BACK, isOrderly=True)

    def _try(self, now: float) -> None:
        """
        Open a tunnel where none stands by, or at a server that is to be used before the one where it does.
        """
        if self._tried is not None:
            return
        owner = self._owner
        standing = float("inf") if self._ready is None else self._ready.place.rank
        for place in self._servers.standbyPlaces(owner.server, owner.pool.instance):
            if place.rank < standing and place.health.mayTry(now):
                place.health.tried()
                self._tried = Ready(place, self._session, owner.pool.instance, self)
                self._tried.pool.start()
                if self._tried is not None and owner.isProved:
                    self._tried.pool.widen(1)
                return

    # What pools tell.

    def poolUp(self, pool: Pool) -> None:
        """
        See L{uotp.client.pool.PoolOwner}.
        """
        tried = self._tried
        if tried is None or pool is not tried.pool:
            return
        self._tried = None
        now = tried.place.server.context.clock.seconds()
        tried.place.health.opened(now)
        before, self._ready = self._ready, tried
        self._servers.stands(tried.place)
        self._judgement.otherIsAway()
        if before is not None:
            self._leave(before, None)
        if self._owner.pool.isDown:
            self._move(tried, MoveReason.NO_TUNNEL, isOrderly=False)

    def poolDown(self, pool: Pool) -> None:
        """
        See L{uotp.client.pool.PoolOwner}.
        """
        ready = self._ready
        if ready is not None and pool is ready.pool:
            self._ready = None
            ready.place.health.failed(ready.place.server.context.clock.seconds())
            self._judgement.otherIsAway()
            self._leave(ready, MoveReason.NO_TUNNEL.value)

    def forgotten(self, pool: Pool) -> None:
        """
        See L{uotp.client.pool.PoolOwner}.  Nothing was carried.
        """

    def refused(self, pool: Pool) -> None:
        """
        See L{uotp.client.pool.PoolOwner}.  When none of its tunnels is left, the server rests.
        """

    def serverDown(self) -> None:
        """
        No tunnel at the session's own server can be used any more.
        """
        if self._ready is not None and not self._isOver:
            self._move(self._ready, MoveReason.NO_TUNNEL, isOrderly=False)

    # Moving.

    def _move(self, ready: Ready, reason: MoveReason, *, isOrderly: bool) -> None:
        now = ready.place.server.context.clock.seconds()
        before = self._owner.server
        self._giveUpTried()
        self._ready = None
        self._downSince = None
        self._servers.standsNoMore(ready.place, None)
        if not isOrderly and not ready.place.isOther:
            before.health.failed(now)
        if ready.place.rank > before.rank:
            self._judgement.left(now)
        else:
            self._judgement.cameBack(now)
        self._owner.moveTo(ready, reason, isOrderly=isOrderly)

    def _leave(self, ready: Ready, reason: str | None) -> None:
        self._servers.standsNoMore(ready.place, reason)
        ready.pool.leave()
        self._session.absorb(ready.aside)

    def _giveUpTried(self) -> None:
        tried, self._tried = self._tried, None
        if tried is not None:
            tried.place.health.abandoned()
            tried.pool.leave()
            self._session.absorb(tried.aside)

    def _giveUp(self) -> None:
        self._giveUpTried()
        ready, self._ready = self._ready, None
        if ready is not None:
            self._leave(ready, None)

    def leave(self) -> None:
        """
        Have no tunnel that stands by, ever.
        """
        if not self._isOver:
            self._isOver = True
            self._giveUp()
            del self._owner  # who knows us

    def anew(self) -> None:
        """
        We show another key from now on: what stands by has shown the old one.
        """
        self._giveUp()

    def prove(self) -> None:
        """
        The path may have changed: see L{Pool.prove}.
        """
        for ready in (self._ready, self._tried):
            if ready is not None:
                ready.pool.prove()

    def renewOld(self) -> None:
        """
        See L{Pool.renewOld}.
        """
        if self._ready is not None:
            self._ready.pool.renewOld()


# mypy proves here that it fits its seam.
_owner: type[PoolOwner] = Standby
