"""
What a service manager hears of one end in a process of its own, and when: that it is ready, how it is, and
that it is alive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from uotp.errors import StartError
from uotp.process import PeriodicCalls, ServiceNotifier
from uotp.telemetry import Logger, orLog

READY_SECONDS = 60.0
"""
A service manager is told after so long that we are ready although the server's name is not
found, or not all workers work.  What waits for us, a VPN for example, is of little use then; but a boot must not hang.
"""

STATUS_SECONDS = 10.0
"""So often it is looked whether the status has changed.  Whoever reads it is a person."""

SIGNS_PER_DEADLINE = 2
"""So many signs of life are given in the time in which one is wanted, so that a slow turn of the reactor costs none."""


Reloaded = TypeVar("Reloaded")


def running() -> str:
    """
    @return: the status of what says no more of itself.
    """
    return "running"


class Announcement:
    """
    Tells the service manager when an end is ready, reads its files again, and stops.

    @ivar trouble: what is wrong besides, as the end of a status; empty when nothing is.
    """

    _log = Logger()

    def __init__(
        self,
        notifier: ServiceNotifier,
        whenReady: Callable[[], Deferred[None]],
        clock: Any,
        preparing: str = "looking up the server's name",
        unready: str = "the server's name is not found yet",
        status: Callable[[], str] = running,
        isAlive: Callable[[], bool] = lambda: True,
    ) -> None:
        """
        @param whenReady: returns what fires when the end, which has started, can do its work.
        @param clock: C{IReactorTime}.
        @param preparing: what the end does until then.
        @param unready: what is not so until then.
        @param status: tells how the end is, in few words.  It is called now and then.
        @param isAlive: tells whether the end does its work.  While it does not, nobody is told that this process
            lives.
        """
        self.trouble = ""
        self._status = status
        self._isAlive = isAlive
        self._told = ""
        self._calls = PeriodicCalls(clock)
        self._preparing = preparing
        self._unready = unready
        self._notifier = notifier
        self._whenReady = whenReady
        self._clock = clock
        self._anyway: IDelayedCall | None = None
        self._isOver = False
        self._reloads = 0  # under way

    def begin(self) -> None:
        """
        The end has started, and the reactor runs.
        """
        if self._isOver or not self._notifier.isHeard:
            return
        deadline = self._notifier.watchdogSeconds
        if deadline is not None:
            self._giveSign()
            self._calls.every(deadline / SIGNS_PER_DEADLINE, self._giveSign)
        ready = self._whenReady()
        if not ready.called:
            self._notifier.waiting(self._preparing)
            self._anyway = self._clock.callLater(READY_SECONDS, self._tellAnyway)
        told = ready.addCallback(self._tellReady).addErrback(self._neverReady)
        orLog(told, self._log, "the service manager was not told")

    def _tellReady(self, _: object) -> None:
        if not self._isOver:
            self._waitNoMore()
            self._told = self._words()
            self._notifier.ready(self._told)
            self._calls.every(STATUS_SECONDS, self._tellStatus)

    def _words(self) -> str:
        return "; ".join(filter(None, (self._status(), self.trouble)))

    def _tellStatus(self) -> None:
        words = self._words()
        if words != self._told:
            self._told = words
            self._notifier.tell(words)

    def _giveSign(self) -> None:
        if self._isAlive():
            self._notifier.isAlive()

    def _neverReady(self, reason: Failure) -> None:
        reason.trap(StartError)  # it ends the program, too
        self._waitNoMore()

    def _tellAnyway(self) -> None:
        self._anyway = None
        words = "{unready}: after {seconds:g} s what waits for this program is started"
        self._log.warn(words, unready=self._unready, seconds=READY_SECONDS)
        self._notifier.ready(self._unready)

    def _waitNoMore(self) -> None:
        if self._anyway is not None:
            self._anyway.cancel()
            self._anyway = None

    def around(self, reload: Callable[[], Deferred[Reloaded] | None]) -> Deferred[Reloaded]:
        """
        Read files again.

        @param reload: does it; what it returns fires when that is done.
        @return: fires then with the same, or fails as that does.
        """
        self._reloads += 1
        self._notifier.reloading()
        done: Deferred[Any] = maybeDeferred(reload)
        return done.addBoth(self._reloaded)

    def _reloaded(self, outcome: object) -> object:
        self._reloads -= 1
        if not self._reloads and not self._isOver:
            self._notifier.reloaded()
        return outcome

    def end(self) -> None:
        """
        The end stops.
        """
        self._isOver = True
        self._waitNoMore()
        self._calls.stop()
        self._notifier.stopping()
