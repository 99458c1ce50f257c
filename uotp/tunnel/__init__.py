"""
Tunnels: the life of one connection, and the link that is spoken on it.  Nothing here knows
who dials, who may come in, or what a session does with trains.
"""

from __future__ import annotations

from uotp.tunnel.accepted import AcceptedTunnel
from uotp.tunnel.dialled import DialledTunnel
from uotp.tunnel.live import LiveTunnels, LiveTunnelsStatistics
from uotp.tunnel.service import RELOADS, TunnelService, shortStatus
from uotp.tunnel.settings import (
    MAX_POOL_SIZE,
    MAX_WORKERS,
    SECONDS,
    CommonSettings,
    Limits,
    requireHost,
    setting,
)
from uotp.tunnel.states import DialledTunnelOwner, TunnelState
from uotp.tunnel.tunnel import Tunnel

__all__ = [
    "MAX_POOL_SIZE",
    "MAX_WORKERS",
    "RELOADS",
    "SECONDS",
    "AcceptedTunnel",
    "CommonSettings",
    "DialledTunnel",
    "DialledTunnelOwner",
    "Limits",
    "LiveTunnels",
    "LiveTunnelsStatistics",
    "Tunnel",
    "TunnelService",
    "TunnelState",
    "requireHost",
    "setting",
    "shortStatus",
]
