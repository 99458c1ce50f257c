"""
What a client has done, and how it is: the numbers of all its parts together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uotp.client.sources.sessions import SessionsBySourceStatistics
from uotp.tunnel import LiveTunnelsStatistics


@dataclass(frozen=True, slots=True)
class ClientStatistics:
    """
    Says how a client, or a worker of one, stands at one moment.

    @ivar sessions: those of its sources.
    @ivar tunnels: its tunnels.
    @ivar drops: datagrams that were dropped, by the name of the reason.
    @ivar handshakes: attempts to open a tunnel, by how they have ended.
    @ivar reloads: how often files were read again, by what became of it.
    """

    sessions: SessionsBySourceStatistics
    tunnels: LiveTunnelsStatistics
    drops: Mapping[str, int]
    handshakes: Mapping[str, int]
    reloads: Mapping[str, int]


CURRENT_OF_CLIENT = (
    "sessions.sessions",
    "sessions.proved",
    "sessions.closing",
    "tunnels.tunnels",
    "tunnels.full",
    "tunnels.queuedBytes",
)
"""Which of them say how things are now.  The others count since the beginning."""
