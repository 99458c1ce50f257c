"""
The way of the log to one observer: a bounded queue, and a thread that empties it.  Whoever logs
never waits for a disk, a pipe or a terminal.  What finds the queue full is lost and counted, and
the observer is told how much as soon as it takes something again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.logger import ILogObserver, LogEvent

MAX_LINES = 1000
MAX_BYTES = 2 * 1024 * 1024
"""
So many lines, and so many bytes of them, may wait for one observer: at C{debug} those of some
seconds with hundreds of clients.
"""

LINE_BYTES = 1024
"""Each line is counted as so many bytes besides its text: what Python needs for it."""

NOT_TAKEN = ", since nobody took them"
"""Why lines are lost that find the queue full."""

StartThread = Callable[[Callable[[], None]], None]
"""Starts a thread that does some work and never keeps the process from ending."""

TellLost = Callable[[ILogObserver, int, str], None]
"""Tells an observer how many lines it has not got, and why."""


def startDaemon(work: Callable[[], None]) -> None:
    """
    Start a thread that the process does not wait for at its end.
    """
    threading.Thread(target=work, name="log", daemon=True).start()


class Gap:
    """
    Stands in a queue for lines that did not find room.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 1


class Outlet:
    """
    Hands the lines of the log to one observer, in order, in a thread of its own.

    @ivar observer: who gets the lines.
    @ivar standsFor: in whose place, or the same.
    """

    def __init__(
        self,
        observer: ILogObserver,
        tellLost: TellLost,
        startThread: StartThread = startDaemon,
        lock: threading.RLock | None = None,
        standsFor: ILogObserver | None = None,
    ) -> None:
        """
        @param tellLost: see L{TellLost}; it may raise what the observer raises.
        @param lock: held while the queue is looked at.  Its holder may take it again, since what
            the garbage collector finds meanwhile may log as well.
        @param startThread: see L{StartThread}.
        @param standsFor: the observer that somebody has added, where another gets the lines in its place.
        """
        self.observer = observer
        self.standsFor = standsFor or observer
        self._tellLost = tellLost
        self._startThread = startThread
        self._changed = threading.Condition(lock)
        self._waiting: deque[tuple[LogEvent, int] | Gap | Callable[[], None]] = deque()
        self._bytes = 0
        self._isBusy = False
        self._hasThread = False
        self._mayStart = False
        self._lost = 0
        self._reason = NOT_TAKEN

    def begin(self) -> None:
        """
        From now on a thread may be started.  A process that forks does so before.
        """
        with self._changed:
            self._mayStart = True
            self._startIfNeeded()

    def _startIfNeeded(self) -> None:
        if self._mayStart and self._waiting and not self._hasThread:
            with suppress(RuntimeError):  # the process ends: no thread can be started any more
                self._startThread(self._work)
                self._hasThread = True

    def put(self, event: LogEvent, size: int) -> None:
        """
        Let the observer have an event, or lose it when too much waits already.

        @param event: what nobody changes any more.
        @param size: about so many bytes are kept for it.
        """
        with self._changed:
            if len(self._waiting) >= MAX_LINES or self._bytes + size > MAX_BYTES:
                last = self._waiting[-1] if self._waiting else None
                if isinstance(last, Gap):
                    last.count += 1
                else:
                    self._waiting.append(Gap())
            else:
                self._waiting.append((event, size))
                self._bytes += size
            self._startIfNeeded()
            self._changed.notify_all()

    def later(self, act: Callable[[], None]) -> None:
        """
        Do something between the lines that were logged before and those that will be.  What
        waits to be done already is not asked for twice.
        """
        with self._changed:
            if act not in self._waiting:
                self._waiting.append(act)
            self._startIfNeeded()
            self._changed.notify_all()

    @property
    def isEmpty(self) -> bool:
        """
        Whether the observer has all that was logged.
        """
        return not (self._waiting or self._isBusy)

    def flush(self, deadline: float) -> bool:
        """
        Wait until the observer has all that was logged.

        @param deadline: how long at the most, by C{time.monotonic}.
        @return: whether it has.
        """
        with self._changed:
            while not self.isEmpty:
                if not self._hasThread:
                    self._workOff()  # the process ends, and it is too late for a thread
                elif not self._changed.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    return False
        return True

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
            self._workOff()

    def _workOff(self) -> None:
        """
        Hand out all that waits.
        """
        while True:
            with self._changed:
                if not self._waiting:
                    return
                self._isBusy = True
                item = self._waiting.popleft()
            self._handOut(item)
            with self._changed:
                self._isBusy = False
                if isinstance(item, tuple):
                    self._bytes -= item[1]
                self._changed.notify_all()

    def _handOut(self, item: Any) -> None:
        if isinstance(item, tuple):
            if self._hasToldLost():
                self._try(lambda: self.observer(item[0]))
            else:
                self._lost += 1
        elif isinstance(item, Gap):
            self._lost += item.count
            self._reason = NOT_TAKEN
            self._hasToldLost()
        else:
            self._try(item)

    def _hasToldLost(self) -> bool:
        """
        Say what was lost, if anything was.

        @return: whether the observer knows of all that was.
        """
        lost, reason = self._lost, self._reason
        if not lost:
            return True
        self._lost = 0
        isSaid = self._try(lambda: self._tellLost(self.observer, lost, reason))
        if not isSaid:
            self._lost = lost  # and not one more: what was said of them is no line of anybody's
        return isSaid

    def _try(self, tell: Callable[[], None]) -> bool:
        """
        @return: whether the observer has taken something.
        """
        try:
            tell()
        except Exception as error:  # noqa: BLE001 - whatever an observer has against a line, the next one is tried
            self._lost += 1
            self._reason = f": {getattr(error, 'strerror', None) or str(error) or type(error).__name__}"
            return False
        return True
