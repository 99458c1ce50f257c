"""
A client with several workers: their parent, the client in each, and what they say to each other.
"""

from __future__ import annotations

from uotp.client.workers.clientparent import ClientParent
from uotp.client.workers.clientworker import clientWorker
from uotp.client.workers.messages import CLIENT_MESSAGES

__all__ = [
    "CLIENT_MESSAGES",
    "ClientParent",
    "clientWorker",
]
