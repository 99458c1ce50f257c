"""
The client: sources on UDP, a session and a pool of tunnels for each, and the way to
the server.
"""

from __future__ import annotations

from uotp.client.front import ClientFront
from uotp.client.service import ClientService
from uotp.client.settings import MIN_MAX_AGE_SECONDS, MIN_MAX_BYTES, ClientSettings
from uotp.client.workers.clientparent import ClientParent
from uotp.client.workers.clientworker import clientWorker
from uotp.client.workers.messages import CLIENT_MESSAGES

__all__ = [
    "CLIENT_MESSAGES",
    "MIN_MAX_AGE_SECONDS",
    "MIN_MAX_BYTES",
    "ClientFront",
    "ClientParent",
    "ClientService",
    "ClientSettings",
    "clientWorker",
]
