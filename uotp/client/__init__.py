"""
The client: sources on UDP, a session and a pool of tunnels for each, and the way to
the server.
"""

from __future__ import annotations

from uotp.client.service import ClientService
from uotp.client.settings import ClientSettings

__all__ = [
    "ClientService",
    "ClientSettings",
]
