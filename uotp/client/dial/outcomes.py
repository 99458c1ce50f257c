"""
How attempts to open a tunnel end, for statistics.
"""

from __future__ import annotations

import errno
from enum import Enum

from twisted.internet import error
from twisted.python.failure import Failure

from uotp.errors import PeerError

NO_WAY_THERE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EHOSTDOWN}
"""What the system says where nothing leads there."""


class DialOutcome(Enum):
    """
    Names how the attempt at one address has ended, or the lookup before.
    """

    DONE = "a tunnel is open"
    LOOKUP_FAILED = "the server's name was not found"
    CONNECTION_REFUSED = "TCP was refused"
    UNREACHABLE = "nothing leads there"
    PROXY_REFUSED = "the proxy has refused, or is none"
    TIMED_OUT = "a step was not done in time"
    TLS_REFUSED = "one end has refused the other in TLS"
    TURNED_AWAY = "the server has answered, and does not let us in"
    ELSEWHERE = "another server has answered than the one that the session is at"
    LOST = "the connection was lost, or could not be made for another reason"


def outcomeOf(reason: Failure) -> DialOutcome:
    """
    @param reason: why a connection could not be made.
    @return: what that is.
    """
    if reason.check(error.ConnectionRefusedError):
        return DialOutcome.CONNECTION_REFUSED
    if reason.check(PeerError):
        return DialOutcome.PROXY_REFUSED
    number = getattr(reason.value, "errno", None) or getattr(reason.value, "osError", None)
    if reason.check(error.NoRouteError) or number in NO_WAY_THERE:
        return DialOutcome.UNREACHABLE
    return DialOutcome.LOST


HANDSHAKES = tuple(f"handshakes.{outcome.name}" for outcome in DialOutcome)
"""The names of what counts them, in statistics."""
