"""
Whose sessions a server has, and which of them is given up when there is no room for
another.

A session counts in the share of its holder: the client's certificate, by its key, or without
one the address that has opened the session.  A holder who has reached its share gives up one
of its own sessions for the next.  When the server is full, the holder who has most gives one
up.  In both cases a session without tunnels goes first, the one that has been so for the
longest time; and otherwise the one that has been idle for the longest time.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Generic, Protocol, TypeVar

from uotp.errors import PeerError, Refusal
from uotp.process import Shares
from uotp.telemetry import spelled

CANDIDATES = 64
"""
So many sessions are looked at for one that is given up: each look takes half a
microsecond.
"""

ONLY_ONE_IDLE_SECONDS = 120.0
"""
Where nobody has more than one session, only one that has been idle for so long is given up.
A client ends a session itself that is idle for so long, unless its user says otherwise.
"""


class Holding(Hashable, Protocol):
    """
    Is a session that counts in somebody's share.
    """

    @property
    def lastActive(self) -> float:
        """
        When it last carried something, in monotonic seconds.
        """


H = TypeVar("H", bound=Holding)


class Shortage(Enum):
    """
    Says why a session is given up for another.

    @ivar setting: what decides how many there may be.
    """

    SERVER_FULL = "the server has no room for more sessions", "maxSessions"
    SHARE_REACHED = "its owner has reached its share", "ownerShare"

    def __init__(self, reason: str, setting: str) -> None:
        self.reason = reason
        self.setting = setting


@dataclass(frozen=True, slots=True)
class Surplus:
    """
    Says of a session why it has to end.

    @ivar shortage: of what.
    @ivar sessions: how many its owner has.
    @ivar most: how many there may be of all owners together.
    """

    shortage: Shortage
    sessions: int
    most: int


class SessionShares(Generic[H]):
    """
    Keeps sessions by their holders, and chooses the one that is given up.
    """

    def __init__(self, most: int, percent: int) -> None:
        """
        @param most: how many sessions there may be.
        @param percent: how many of them one holder may have, but it may always have one.
        """
        self.most = most
        self.share = max(most * percent // 100, 1)
        self._all: Shares[Hashable, H] = Shares()
        self._carrying: Shares[Hashable, H] = Shares()  # in the order in which they were seen to be active
        self._lingering: Shares[Hashable, H] = Shares()
        self._inOrder: dict[H, None] = {}  # all of them, in that order

    def __len__(self) -> int:
        """
        How many sessions there are.
        """
        return len(self._all)

    @property
    def holders(self) -> int:
        """
        How many have a session.
        """
        return sum(1 for _ in self._all)

    @property
    def lingering(self) -> int:
        """
        How many sessions have no tunnel.
        """
        return len(self._lingering)

    def count(self, holder: Hashable) -> int:
        """
        @return: how many sessions somebody has.
        """
        return self._all.count(holder)

    def carries(self, holder: Hashable, session: H) -> None:
        """
        A session has a tunnel, is new, or was active of late.
        """
        self._all.add(holder, session)
        self._lingering.discard(holder, session)
        self._carrying.discard(holder, session)
        self._carrying.add(holder, session)
        self._inOrder.pop(session, None)
        self._inOrder[session] = None

    def lingers(self, holder: Hashable, session: H) -> None:
        """
        A session has no tunnel any more.
        """
        self._carrying.discard(holder, session)
        self._lingering.add(holder, session)

    def discard(self, holder: Hashable, session: H) -> None:
        """
        A session has ended.
        """
        for shares in (self._all, self._carrying, self._lingering):
            shares.discard(holder, session)
        self._inOrder.pop(session, None)

    def surplus(self, holder: Hashable, now: float) -> tuple[H, Shortage] | None:
        """
        Find out what has to end before somebody has another session.

        @param now: monotonic seconds.
        @return: a session and why it has to go, or L{None} when there is room.
        @raise PeerError: when there is none, and nobody has to make any.
        """
        if self._all.count(holder) >= self.share:
            return self._leastUsed(holder), Shortage.SHARE_REACHED
        if len(self._all) < self.most:
            return None
        giver = self._all.ofMost()
        if self._all.count(giver) == self._all.count(holder):
            giver = holder
        elif self._all.count(giver) == 1:
            return self._longIdle(now), Shortage.SERVER_FULL
        return self._leastUsed(giver), Shortage.SERVER_FULL

    def _leastUsed(self, holder: Hashable) -> H:
        """
        @return: the session that somebody needs least.
        """
        lingering = next(self._lingering.of(holder), None)
        if lingering is not None:
            return lingering
        return min(islice(self._carrying.of(holder), CANDIDATES), key=lambda session: session.lastActive)

    def _longIdle(self, now: float) -> H:
        """
        @return: somebody's only session, if it is of no use.
        @raise PeerError: when there is none.
        """
        idle = min(islice(self._inOrder, CANDIDATES), key=lambda session: session.lastActive)
        if now - idle.lastActive < ONLY_ONE_IDLE_SECONDS:
            reason = f"there are {self.most} sessions already (see {spelled('maxSessions')})"
            raise PeerError(reason, Refusal.NO_ROOM)
        return idle

    def checkInvariant(self) -> None:
        """
        What holds between any two calls.

        @raise AssertionError: when it does not.
        """
        for shares in (self._all, self._carrying, self._lingering):
            shares.checkInvariant()
        assert len(self._all) == len(self._inOrder) <= self.most
        for holder in self._all:
            sessions = set(self._all.of(holder))
            assert len(sessions) <= self.share
            carrying, lingering = set(self._carrying.of(holder)), set(self._lingering.of(holder))
            assert sessions == carrying | lingering
            assert not carrying & lingering
        assert len(self._all) == len(self._carrying) + len(self._lingering)
