"""
What a server has done, and how it is: the numbers of all its parts together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uotp.errors import Refusal
from uotp.server.acceptor import AcceptorStatistics
from uotp.server.door.visitors import Fate
from uotp.server.refusals import Handshake
from uotp.server.registry import RegistryStatistics
from uotp.tunnel import RELOADS, LiveTunnelsStatistics


@dataclass(frozen=True, slots=True)
class ServerStatistics:
    """
    Says how a server, or a worker of one, stands at one moment.

    @ivar registry: its sessions.
    @ivar acceptor: its connections.
    @ivar tunnels: its tunnels.
    @ivar drops: datagrams that were dropped, by the name of the reason.
    @ivar reloads: how often files were read again, by what became of it.
    """

    registry: RegistryStatistics
    acceptor: AcceptorStatistics
    tunnels: LiveTunnelsStatistics
    drops: Mapping[str, int]
    reloads: Mapping[str, int]


CURRENT = (
    "registry.sessions",
    "registry.lingering",
    "registry.silent",
    "registry.closing",
    "registry.owners",
    "registry.tunnels",
    "acceptor.strangers.silent",
    "acceptor.strangers.begun",
    "acceptor.known",
    "acceptor.visitors.present",
    "tunnels.tunnels",
    "tunnels.full",
    "tunnels.queuedBytes",
)
"""Which of them say how things are now.  The others count since the beginning."""

COUNTED = (
    *(f"acceptor.refusals.{kind.name}" for kind in Refusal),
    *(f"acceptor.handshakes.{result.name}" for result in Handshake),
    *(f"acceptor.visitors.fates.{fate.name}" for fate in Fate),
    *RELOADS,
)
"""What counts by name, besides what was dropped."""
