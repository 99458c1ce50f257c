"""
The log of a process that is ours.  It takes the place of all observers at Twisted's publisher,
also of those that C{twistd --logfile}, C{--syslog} and C{--logger} make, and hands each its lines
by an L{Outlet}: so whoever logs never waits, and the lines of others keep to a budget, whoever is
told.  A program that embeds an end has no such thing.
"""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.logger import ILogObserver, LogEvent, LogPublisher
from twisted.python.logfile import BaseLogFile
from zope.interface import implementer

from uotp.telemetry.foreign import ForeignLines
from uotp.telemetry.frozen import frozen
from uotp.telemetry.log import Logger
from uotp.telemetry.logfile import LogFile, modeOf, requireWritable
from uotp.telemetry.logformat import LogFormat, fileOf, inFormat, lineObserver
from uotp.telemetry.outlet import Outlet, StartThread, startDaemon

FLUSH_SECONDS = 0.5
"""The end of the process waits so long for those who take the log.  What they have not taken then is lost."""


@implementer(ILogObserver)
class ProcessLog:
    """
    Gets every event of a publisher, and has its observers told.
    """

    _log = Logger()

    def __init__(
        self,
        publisher: Any,
        clock: Callable[[], float],
        startThread: StartThread = startDaemon,
        atExit: Callable[[Callable[[], Any]], Any] = atexit.register,
        form: LogFormat = LogFormat.TEXT,
    ) -> None:
        """
        Take the place of those who are added to a publisher from now on.

        @param publisher: Twisted's C{LogPublisher}.
        @param clock: monotonic seconds.
        @param startThread: see L{StartThread}.
        @param atExit: has something called at the end of the process.
        @param form: how lines are written to files, also to those that others have opened.
        """
        self._publisher = publisher
        self._form = form
        self._startThread = startThread
        self._atExit = atExit
        self._mayStart = self._hasAsked = False
        self._outlets: tuple[Outlet, ...] = ()
        self._going: list[Outlet] = []  # those that get nothing more, and have not handed out what they got
        self._first: Callable[[], None] | None = None
        self._files: list[tuple[Outlet, Callable[[], None]]] = []
        self._limited = ForeignLines(self._handOut, clock)
        self._lock = threading.RLock()  # the one for all queues: whoever has it never waits for another
        publisher.addObserver = self.addObserver
        publisher.removeObserver = self.removeObserver

    # In the place of the publisher.

    def addObserver(self, observer: ILogObserver) -> None:
        """
        See C{LogPublisher.addObserver}.
        """
        if all(outlet.standsFor != observer for outlet in self._outlets):
            outlet = self._addOutlet(inFormat(observer, self._form), observer)
            file = fileOf(observer)
            if isinstance(file, BaseLogFile):  # that of twistd --logfile
                self._files.append((outlet, partial(self._reopenOthers, file, modeOf(file.path))))
        self._enter()

    def removeObserver(self, observer: ILogObserver) -> None:
        """
        See C{LogPublisher.removeObserver}.  Twisted removes what has kept the first events when
        logging begins, and hands on those events after that.
        """
        with self._lock:
            going = [outlet for outlet in self._outlets if outlet.standsFor == observer]
            self._outlets = tuple(outlet for outlet in self._outlets if outlet not in going)
            self._going = [outlet for outlet in (*self._going, *going) if not outlet.isEmpty]
        LogPublisher.removeObserver(self._publisher, observer)
        self._enter()

    def _enter(self) -> None:
        """
        Get events, if we do not yet.
        """
        LogPublisher.addObserver(self._publisher, self)

    def _addOutlet(self, observer: ILogObserver, standsFor: ILogObserver | None = None) -> Outlet:
        with self._lock:
            outlet = Outlet(observer, tellLost, self._startThread, self._lock, standsFor)
            if not self._hasAsked:
                self._hasAsked = True
                self._atExit(self.flush)
            self._outlets = (*self._outlets, outlet)
        if self._mayStart:
            outlet.begin()
        return outlet

    def absorb(self) -> None:
        """
        Take the place of those too who were there before us.
        """
        for observer in list(self._publisher._observers):  # noqa: SLF001 - tests/test_internals.py has it
            if observer is not self:
                LogPublisher.removeObserver(self._publisher, observer)
                self.addObserver(observer)

    def logTo(self, logFile: LogFile) -> None:
        """
        Log to a file, besides wherever else the log goes.
        """
        outlet = self._addOutlet(lineObserver(logFile, self._form))
        self._files.append((outlet, partial(self._reopen, logFile)))

    # Events.

    def precede(self, say: Callable[[], None]) -> None:
        """
        Have something said before anything else is; nothing when nothing is.

        @param say: logs it.
        """
        self._first = say

    def __call__(self, event: LogEvent) -> None:
        """
        Have all observers told of an event, unless it is another's and has been said often.
        """
        with self._lock:
            first, self._first = self._first, None
            if first is not None:
                first()
            self._limited(event)

    def _handOut(self, event: LogEvent) -> None:
        kept, size = frozen(event)
        for outlet in self._outlets:
            outlet.put(dict(kept), size)  # some observers add to what they get

    # The life of the process.

    def begin(self) -> None:
        """
        Tell observers from now on: the process forks no more.
        """
        self._mayStart = True
        for outlet in self._outlets:
            outlet.begin()

    def reopen(self) -> None:
        """
        Have each file opened again, between what was logged until now and what will be.
        """
        for outlet, act in self._files:
            outlet.later(act)

    def _reopen(self, logFile: LogFile) -> None:
        try:
            logFile.reopen()
        except OSError as error:  # the user that we have become may not open it
            self._log.error("the log file could not be opened again: {reason}", reason=error.strerror)

    def _reopenOthers(self, logFile: BaseLogFile, mode: int | None) -> None:
        """
        Have a file of Twisted's opened again, which gives up the old one before it has the new one.

        @param mode: the permissions of the first.
        """
        try:
            requireWritable(logFile.path, mode)
            logFile.reopen()
        except OSError as error:
            self._log.error("the log file could not be opened again: {reason}", reason=error.strerror)

    def flush(self) -> None:
        """
        The process ends: have those told who listen.
        """
        deadline = time.monotonic() + FLUSH_SECONDS
        areDone = [outlet.flush(deadline) for outlet in (*self._going, *self._outlets)]
        if not all(areDone):
            # A thread may wait in one of these, with its lock, and Python would wait for that.
            sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None  # type: ignore[misc]


def tellLost(observer: ILogObserver, count: int, reason: str) -> None:
    """
    Tell an observer what it has not got.
    """
    words = "{count} log lines were lost{reasonWords}" if count > 1 else "a log line was lost{reasonWords}"
    Logger("uotp.telemetry", observer=observer).warn(words, count=count, reasonWords=reason)
