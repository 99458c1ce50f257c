"""
What is known of the connections that were accepted, from the first turn of each until it is lost, or is
no tunnel: whose it is, what has become of it, and where else it is counted.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from uotp.server.door.visitor import Visitor
from uotp.server.refusals import Refusals
from uotp.server.registry import ServedSession
from uotp.server.strangers import Stranger, Strangers
from uotp.tunnel import LiveTunnels, Tunnel


@dataclass(slots=True)
class Accepted:
    """
    Says what is known of one accepted connection.

    @ivar newcomer: how it came in.
    @ivar owner: whose share of all connections it is a part of, from when it has shown a
        session id.
    @ivar served: whom it carries for; L{None} before.
    @ivar number: what a coordinator calls it, once that was asked; 0 before.
    @ivar visitor: looks on while it may be no tunnel.
    @ivar isUpgraded: whether it has asked for the path.
    @ivar hasWaited: whether nothing came on it for a moment before it had its first turn.
    """

    newcomer: Stranger
    owner: Hashable = None
    served: ServedSession | None = None
    number: int = 0
    visitor: Visitor | None = None
    isUpgraded: bool = False
    hasWaited: bool = False

    @property
    def peer(self) -> str:
        """
        The host that it comes from.
        """
        return self.newcomer.host


class AcceptedConnections:
    """
    Keeps what is known of them.

    @ivar strangers: those that have shown no session id.
    @ivar liveTunnels: the tunnels of the service.
    @ivar refusals: counts and says who is refused.
    @ivar relayed: how many of them other workers have, and carry to this one.
    """

    def __init__(self, strangers: Strangers, liveTunnels: LiveTunnels, refusals: Refusals) -> None:
        self.strangers = strangers
        self.liveTunnels = liveTunnels
        self.refusals = refusals
        self.relayed = 0
        self._all: dict[Tunnel, Accepted] = {}

    def __len__(self) -> int:
        """
        How many there are.
        """
        return len(self._all)

    def __iter__(self) -> Iterator[Tunnel]:
        """
        All tunnels.
        """
        return iter(self._all)

    def __getitem__(self, tunnel: Tunnel) -> Accepted:
        """
        @return: what is known of the connection of a tunnel.
        @raise KeyError: when it is none of ours any more.
        """
        return self._all[tunnel]

    def get(self, tunnel: Tunnel) -> Accepted | None:
        """
        @return: the same, or L{None}.
        """
        return self._all.get(tunnel)

    def add(self, tunnel: Tunnel, accepted: Accepted) -> None:
        """
        A connection has its first turn, or begins anew.
        """
        self._all[tunnel] = accepted
        self.relayed += accepted.newcomer.isRelayed
        self.liveTunnels.add(tunnel)

    def remove(self, tunnel: Tunnel) -> Accepted | None:
        """
        A connection is lost, or is no tunnel.  It may still be a stranger.

        @return: what was known of it; L{None} when it was removed before.
        """
        self.liveTunnels.discard(tunnel)
        accepted = self._all.pop(tunnel, None)
        if accepted is not None:
            self.relayed -= accepted.newcomer.isRelayed
        return accepted

    def letGo(self, tunnel: Tunnel) -> None:
        """
        Forget a connection that another worker gets, or that has none that it could be.
        """
        accepted = self.remove(tunnel)
        if accepted is not None:
            self.strangers.discard(accepted.newcomer)

    def checkInvariant(self) -> None:
        """
        What holds between any two events.

        @raise AssertionError: when it does not.
        """
        self.strangers.checkInvariant()
        assert len(self._all) <= len(self.liveTunnels)
        assert self.relayed == sum(accepted.newcomer.isRelayed for accepted in self._all.values())
        for tunnel, accepted in self._all.items():
            assert accepted.served is None or accepted.newcomer not in self.strangers
            assert accepted.served is None or tunnel in accepted.served.tunnels
