"""
How many connections a server may have of each kind, so that nobody takes all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from uotp.server.door.visitors import MOST_VISITORS

MAX_SILENT = 4096
"""
How many connections there may be on which nothing has been said, or that wait for their first
turn.  Each costs a descriptor and a kilobyte.  About so many handshakes can be done while a client is patient.
"""

MAX_BEGUN = 512
"""
How many connections there may be that have begun to shake hands and have shown no session id;
each costs some 30 KB.  An honest client is through in a few round trips, so whoever waits long is not one.
"""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """
    Says how many connections there may be.

    @ivar silent: of those that have said nothing.
    @ivar begun: of those that have begun to shake hands.
    @ivar known: of those that have shown a session id.
    @ivar owned: of these, for one owner.
    @ivar visitors: of those who find a web site.
    @ivar visitorsOwned: of these, for one address.
    """

    silent: int
    begun: int
    known: int
    owned: int
    visitors: int = 1
    visitorsOwned: int = 1

    @classmethod
    def of(cls, connections: int, ownerShare: int) -> ConnectionLimits:
        """
        @param connections: how many there may be in all.
        @param ownerShare: how many of a hundred one owner may have.
        @return: how they are shared out.
        """
        silent = max(1, min(MAX_SILENT, connections // 4))
        begun = max(1, min(MAX_BEGUN, connections // 8))
        visitors = max(1, min(MOST_VISITORS, connections // 16))
        known = max(1, connections - silent - begun - visitors)
        owned = max(1, min(known, connections * ownerShare // 100))
        return cls(silent, begun, known, owned, visitors, max(1, visitors * ownerShare // 100))
