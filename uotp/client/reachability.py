"""
Tells the log whether the server can be reached: in few words, and each change once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import LogLevel

from uotp.telemetry import LineBudget, Logger, RateLimit, logCounted
from uotp.wire import ServerHello


class Reachability:
    """
    Counts the open tunnels to the server, and tells the log when it is reached and when it
    is not any more.
    """

    _log = Logger()

    def __init__(self, server: tuple[str, int], clock: Callable[[], float], rateLimit: RateLimit) -> None:
        """
        @param clock: monotonic seconds.
        @param rateLimit: keeps the log short.
        """
        self._server = server
        self._rateLimit = rateLimit
        self._budget = LineBudget(clock)
        self._up = 0
        self._connected = False

    def tunnelUp(self) -> None:
        """
        A tunnel has been opened.
        """
        self._up += 1

    def reached(self, answer: ServerHello | None = None) -> None:
        """
        The server has let us in.

        @param answer: what it has said, in format 2.
        """
        if not self._connected:
            self._connected = True
            self._say(LogLevel.info, self._budget.spend(), "connected to {host} port {port}{reason}", wordsFor(answer))

    def sessionForgotten(self, name: str) -> None:
        """
        The server did not know a session any more, and has begun it anew.
        """
        suppressed = self._rateLimit.suppressedBefore("forgotten")
        words = "the server did not know session {session} any more, and has begun it anew"
        logCounted(self._log, LogLevel.info, suppressed, words, session=name)

    def sessionReplaced(self, name: str, following: str, reason: str) -> None:
        """
        The session of a source goes on as another.
        """
        suppressed = self._rateLimit.suppressedBefore(("replaced", reason))
        words = "session {session} goes on as session {following}: {reason}"
        logCounted(self._log, LogLevel.info, suppressed, words, session=name, following=following, reason=reason)

    def tunnelDown(self) -> None:
        """
        A tunnel that was open is no more.
        """
        self._up -= 1

    def tunnelFailed(self, reason: str) -> None:
        """
        A tunnel could not be opened, or was lost; we did not close it.
        """
        if self._connected and self._up == 0:
            self._connected = False
            self._say(LogLevel.warn, self._budget.spend(), "no tunnel to {host} port {port} is left: {reason}", reason)
        else:
            suppressed = self._rateLimit.suppressedBefore(("server", reason))
            self._say(LogLevel.warn, suppressed, "a tunnel to {host} port {port} failed: {reason}", reason)

    def _say(self, level: Any, suppressed: int | None, words: str, reason: str = "") -> None:
        host, port = self._server
        logCounted(self._log, level, suppressed, words, host=host, port=port, reason=reason)


def wordsFor(answer: ServerHello | None) -> str:
    """
    @return: what a server has answered, as words for the end of a line.
    """
    if answer is None:
        return ""
    kept = "" if answer.keptSeconds is None else f", keeps a session without tunnels for {answer.keptSeconds} s"
    return f", which speaks format 2{kept}"
