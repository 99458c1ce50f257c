"""
The server: who may come in, whose session it is, and the way to the target.
"""

from __future__ import annotations

from uotp.server.front import ServerFront
from uotp.server.service import ServerService
from uotp.server.settings import CONNECTIONS_LIMIT, MIN_CONNECTIONS, MOST_SESSIONS, PERCENT, ServerSettings
from uotp.server.workers.messages import MESSAGES
from uotp.server.workers.serverparent import ServerParent
from uotp.server.workers.serverworker import serverWorker

__all__ = [
    "CONNECTIONS_LIMIT",
    "MESSAGES",
    "MIN_CONNECTIONS",
    "MOST_SESSIONS",
    "PERCENT",
    "ServerFront",
    "ServerParent",
    "ServerService",
    "ServerSettings",
    "serverWorker",
]
