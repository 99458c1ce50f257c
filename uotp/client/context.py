"""
What the pools of a client share, as types; no logic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from uotp.client.dialqueue import DialQueue
from uotp.client.outage import Hurry, Outage
from uotp.client.settings import ClientSettings
from uotp.process import Steps, Turns
from uotp.telemetry import Logger, orLog
from uotp.tunnel import LiveTunnels, Tunnel
from uotp.wire import ServerHello


class ReachabilityObserver(Protocol):
    """
    Follows, for the log, how the dialling goes.
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


@dataclass(slots=True)
class ClientContext:
    """
    Holds what all pools of a client share.

    @ivar settings: what the client was told.
    @ivar clock: C{IReactorTime}.
    @ivar dial: connects a tunnel, which it has made by what it is given.
    @ivar jitter: random numbers from 0 to 1.
    @ivar liveTunnels: of the client.
    @ivar reachability: who is told how the dialling goes.
    @ivar turns: shares the time among the sources.
    @ivar dials: lets only so many attempts be under way at once.
    @ivar outage: knows which pools have no tunnel that answers.
    """

    settings: ClientSettings
    clock: Any
    dial: Callable[[Callable[[], Tunnel]], Deferred[Any]]
    jitter: Callable[[], float]
    liveTunnels: LiveTunnels
    reachability: ReachabilityObserver
    turns: Turns
    dials: DialQueue = field(init=False)
    outage: Outage = field(init=False)
    _steps: Steps = field(init=False)

    def __post_init__(self) -> None:
        """
        Make what belongs to the pools together and depends on nothing else.
        """
        self._steps = Steps(self.clock)
        self.dials = DialQueue()
        self.outage = Outage(self._callEach)

    def _callEach(self, calls: list[Hurry]) -> None:
        orLog(self._steps.each(calls, call), Logger(), "not all slots were told to dial")


def call(hurry: Hurry) -> None:
    """
    Let a slot stop waiting.
    """
    hurry()
