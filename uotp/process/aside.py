"""
Work that may wait for a disk, or compute for long: it is done in a thread of its own, so that datagrams are carried
meanwhile.  The threads do not keep the program from ending, as those of the reactor's pool would.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads
from twisted.python.failure import Failure

from uotp.errors import ConfigurationError
from uotp.telemetry import Logger

Result = TypeVar("Result")

Pausing = Callable[[], None]
"""Called often by work that computes: it lets the thread of the reactor go on now and then."""

SLOW_SECONDS = 10.0
"""After so long the log says that something still waits.  The longest list is read in two or three."""

COMPUTE_SECONDS = 0.0005
"""So long a thread computes at a time.  The interpreter alone would take turns each 5 milliseconds only."""

BREAK_SECONDS = 0.0005
"""So long it pauses then."""


class NotDoneError(ConfigurationError):
    """
    Work was not done, so that nothing is known of what it was for.
    """


class StoppedError(NotDoneError):
    """
    Who asked for work has stopped before it was done.
    """


class Breaks:
    """
    Pauses in a thread that computes.
    """

    def __init__(
        self, now: Callable[[], float] = time.perf_counter, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """
        @param now: tells the time, in seconds.
        @param sleep: waits so many seconds, and lets other threads run.
        """
        self._now = now
        self._sleep = sleep
        self._end = now() + COMPUTE_SECONDS

    def __call__(self) -> None:
        """
        Pausing if it is time to.
        """
        if self._now() >= self._end:
            self._sleep(BREAK_SECONDS)
            self._end = self._now() + COMPUTE_SECONDS


def noPause() -> None:
    """
    Go on at once.
    """


def startThread(work: Callable[[], None]) -> None:
    """
    @raise RuntimeError: when no thread can be had; no memory for one is C{MemoryError}.
    """
    Thread(target=work, name="uotp files", daemon=True).start()


class Aside:
    """
    Does work in threads, or at once where the reactor knows no threads.
    """

    _log = Logger()

    def __init__(self, reactor: Any, start: Callable[[Callable[[], None]], None] = startThread) -> None:
        """
        @param reactor: C{IReactorTime}, and C{IReactorFromThreads} if it knows threads.
        @param start: runs its argument in another thread.
        """
        self._reactor = reactor
        self._start = start
        self._hasThreads = IReactorFromThreads.providedBy(reactor)
        self._slow: dict[Deferred[Any], IDelayedCall] = {}  # by what waits for the work

    def run(self, work: Callable[[Pausing], Result], what: str) -> Deferred[Result]:
        """
        Do some work.

        @param work: does it.  It touches nothing that others use meanwhile.
        @param what: what it does, in words.
        @return: fires with its result, in the reactor's thread; fails as it does, or with L{ConfigurationError} when
            no thread can be had, and with L{StoppedError} after L{stop}.
        """
        if not self._hasThreads:
            return maybeDeferred(work, noPause)
        done: Deferred[Result] = Deferred()
        self._slow[done] = self._reactor.callLater(SLOW_SECONDS, self._takesLong, what)

        def inThread() -> None:
            outcome: Any
            try:
                outcome = work(Breaks())
            except BaseException:  # noqa: BLE001 - whatever it is, somebody waits
                outcome = Failure()
            self._reactor.callFromThread(self._over, done, outcome, what)

        try:
            self._start(inThread)
        except Exception:  # noqa: BLE001 - no room for a thread, no memory: somebody waits
            trouble = Failure(ConfigurationError("no thread can be had now"))
            self._reactor.callLater(0, self._over, done, trouble, what)
        return done

    def stop(self) -> None:
        """
        Wait for nothing any more: what is under way fails at once, and whatever comes of it is left alone.
        """
        under, self._slow = self._slow, {}
        for done, slow in under.items():
            if slow.active():
                slow.cancel()
            done.errback(StoppedError("it stops"))

    def _takesLong(self, what: str) -> None:
        words = "{what} has taken {seconds:g} s, and goes on: maybe a file system hangs.  What is in use stays so"
        self._log.warn(words, what=what, seconds=SLOW_SECONDS)

    def _over(self, done: Deferred[Any], outcome: Any, what: str) -> None:
        slow = self._slow.pop(done, None)
        if slow is None:
            return
        if slow.active():
            slow.cancel()
        else:
            self._log.info("{what} has come to an end", what=what)
        done.callback(outcome)  # which may be a failure
