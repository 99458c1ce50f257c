"""
One server on several processors: what its workers ask of their parent, and how connections are
handed from one to another.
"""

from __future__ import annotations

from uotp.server.workers.messages import MESSAGES
from uotp.server.workers.serverparent import ServerParent
from uotp.server.workers.serverworker import serverWorker

__all__ = [
    "MESSAGES",
    "ServerParent",
    "serverWorker",
]
