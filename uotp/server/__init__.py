"""
The server: who may come in, whose session it is, and the way to the target.
"""

from __future__ import annotations

from uotp.server.registry import MAX_TUNNELS_PER_SESSION
from uotp.server.service import ServerService
from uotp.server.settings import ServerSettings

__all__ = [
    "MAX_TUNNELS_PER_SESSION",
    "ServerService",
    "ServerSettings",
]
