"""
What one session does with trains: outwards to its tunnels, and inwards to UDP.
"""

from __future__ import annotations

from uotp.session.backlog import Backlog
from uotp.session.closing import ClosingSessions
from uotp.session.outbound import WAIT_SECONDS
from uotp.session.session import Session, wordsForLate

__all__ = [
    "WAIT_SECONDS",
    "Backlog",
    "ClosingSessions",
    "Session",
    "wordsForLate",
]
