"""
Who may have one more connection, of all that carry for a session.  An owner may have a share of
them; and when all are taken, whoever has most gives his newest up.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from uotp.errors import PeerError, Refusal
from uotp.process import Shares
from uotp.telemetry import spelled

Connection = TypeVar("Connection", bound=Hashable)


class OwnedConnections(Generic[Connection]):
    """
    Keeps connections by their owners.

    @ivar most: how many there may be.
    @ivar evicted: how many had to go since the beginning, because there was no room.
    """

    def __init__(self, most: int, owned: int) -> None:
        """
        @param owned: how many of them one owner may have.
        """
        self.most = most
        self.evicted = 0
        self._owned = owned
        self._shares: Shares[Hashable, Connection] = Shares()

    def __len__(self) -> int:
        """
        How many connections there are.
        """
        return len(self._shares)

    def giver(self, owner: Hashable) -> Hashable | None:
        """
        @return: who has to give one up before an owner has one more, so that both have about as
            many then; L{None} when there is room.
        @raise PeerError: when the owner has its share, or when there is no room and nobody has
            more than it would have then.
        """
        if self._shares.count(owner) >= self._owned:
            if self._owned >= self.most:
                reason = (
                    f"there are {self.most} connections already, as many as there may be (see "
                    f"{spelled('maxConnections')}, and the limit of descriptors), and all are of its owner"
                )
                raise PeerError(reason, Refusal.NO_ROOM)
            reason = f"its owner has {self._owned} connections already, its share (see {spelled('ownerShare')})"
            raise PeerError(reason, Refusal.NO_ROOM)
        if len(self._shares) < self.most:
            return None
        giver = self._shares.ofMost()
        if self._shares.count(giver) <= self._shares.count(owner) + 1:
            reason = (
                f"there are {self.most} connections already (see {spelled('maxConnections')}), and no owner "
                "has many more than this one"
            )
            raise PeerError(reason, Refusal.NO_ROOM)
        return giver

    def add(self, owner: Hashable, connection: Connection) -> None:
        """
        An owner has one more, which is its newest.
        """
        self._shares.add(owner, connection)

    def discard(self, owner: Hashable, connection: Connection) -> None:
        """
        An owner has one less.
        """
        self._shares.discard(owner, connection)

    def evict(self, giver: Hashable) -> tuple[Connection, str]:
        """
        An owner gives up its newest connection.

        @return: that, and why, in words.
        """
        newest = self._shares.newestOf(giver)
        self._shares.discard(giver, newest)
        self.evicted += 1
        return newest, (
            f"there are {self.most} already (see {spelled('maxConnections')}), and its owner has most: the newest goes"
        )

    def checkInvariant(self) -> None:
        """
        What holds between any two calls.

        @raise AssertionError: when it does not.
        """
        self._shares.checkInvariant()
        assert len(self._shares) <= self.most
