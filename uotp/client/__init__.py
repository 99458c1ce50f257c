"""
The client: sources on UDP, a session and a pool of tunnels for each, and the way to
the server.
"""

from __future__ import annotations

from uotp.client.credentials import clientCredentials
from uotp.client.front import ClientFront
from uotp.client.service import ClientService
from uotp.client.settings import MIN_MAX_AGE_SECONDS, MIN_MAX_BYTES, ClientSettings

__all__ = [
    "MIN_MAX_AGE_SECONDS",
    "MIN_MAX_BYTES",
    "ClientFront",
    "ClientService",
    "ClientSettings",
    "clientCredentials",
]
