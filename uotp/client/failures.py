"""
Why an attempt failed or a tunnel was lost, in words for the log.
"""

from __future__ import annotations

import errno
import os

from twisted.internet import error
from twisted.python.failure import Failure


def wordsForFailure(reason: Failure, refusal: str | None = None) -> str:
    """
    @param reason: why an attempt failed, or a tunnel was lost.
    @param refusal: why TLS refused, in words, if it did.
    @return: words for the log.
    """
    if refusal is not None:
        return refusal
    for kind, words in (
        (error.DNSLookupError, "host name not found"),
        (error.ConnectionRefusedError, "connection refused"),
        (error.TimeoutError, "no answer in time"),
        (error.TCPTimedOutError, "no answer in time"),
        (error.ConnectingCancelledError, "no answer in time"),
        (error.NoRouteError, "no route to host"),
        (error.ConnectionDone, "closed by the other end"),
        (error.ConnectionLost, "connection lost"),
    ):
        if reason.check(kind):
            return words
    cause = reason.value
    number = getattr(cause, "errno", None) or getattr(cause, "osError", None)
    if number == errno.EMFILE:
        return "too many open files: raise that limit (ulimit -n, or LimitNOFILE of systemd)"
    return os.strerror(number) if isinstance(number, int) else reason.getErrorMessage()
