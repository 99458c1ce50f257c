"""
What one session does with trains: outwards from UDP to its links, and inwards from its links
to UDP.  Nothing here knows a tunnel or a socket; the links, and what delivers to UDP, are
handed in.
"""

from __future__ import annotations

from uotp.session.backlog import MAX_BACKLOG_BYTES, Backlog
from uotp.session.closing import ClosingSessions
from uotp.session.demand import HEAVY_LINKS, LIGHT_LINKS
from uotp.session.outbound import WAIT_SECONDS, Outbound
from uotp.session.session import Session, SessionAside, wordsForLate
from uotp.session.silence import STOPPED_SECONDS, StoppedAnswers

__all__ = [
    "HEAVY_LINKS",
    "LIGHT_LINKS",
    "MAX_BACKLOG_BYTES",
    "STOPPED_SECONDS",
    "WAIT_SECONDS",
    "Backlog",
    "ClosingSessions",
    "Outbound",
    "Session",
    "SessionAside",
    "StoppedAnswers",
    "wordsForLate",
]
