"""
The server: who may come in, whose session it is, and the way to the target.
"""

from __future__ import annotations

from uotp.server.credentials import serverCredentials
from uotp.server.front import ServerFront
from uotp.server.service import ServerService
from uotp.server.settings import CONNECTIONS_LIMIT, MIN_CONNECTIONS, MOST_SESSIONS, PERCENT, ServerSettings

__all__ = [
    "CONNECTIONS_LIMIT",
    "MIN_CONNECTIONS",
    "MOST_SESSIONS",
    "PERCENT",
    "ServerFront",
    "ServerService",
    "ServerSettings",
    "serverCredentials",
]
