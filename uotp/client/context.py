"""
What the pools of a client share, as types; no logic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from uotp.client.attempt import DialContext
from uotp.wire import ServerHello


class ReachabilityObserver(Protocol):
    """
    Who follows, for the log, how the dialling goes.
    """

    def tunnelUp(self) -> None:
        """
        A tunnel has been opened.
        """

    def reached(self, answer: ServerHello | None = None) -> None:
        """
        The server has let us in: a tunnel has proved itself.

        @param answer: what the server has said, in format 2.
        """

    def sessionForgotten(self, name: str) -> None:
        """
        The server did not know a session any more, and has begun it anew.
        """

    def tunnelDown(self) -> None:
        """
        A tunnel that was open is no more.
        """

    def tunnelFailed(self, reason: str) -> None:
        """
        A tunnel could not be opened, or was lost; we did not close it.
        """


class ClientContext(DialContext, Protocol):
    """
    What all pools of a client share.

    @ivar jitter: random numbers from 0 to 1.
    """

    jitter: Callable[[], float]
    watch: ReachabilityObserver
