"""
The log of a worker process: its parent has the files, and is handed each line.

There is no L{uotp.telemetry.outlet} before it.  That one keeps whoever logs from waiting for a slow
observer, by a queue and a thread; what takes the lines here never waits, has a queue already, and
has to be called in the reactor's thread.  So a line goes out at once, before whatever comes next, and
also when the process ends right after it.  What the two have in common is how lost lines are told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import chain
from typing import Any

from twisted.logger import ILogObserver, LogEvent
from zope.interface import implementer

from uotp.telemetry.foreign import ForeignLines
from uotp.telemetry.frozen import frozen
from uotp.telemetry.log import Logger
from uotp.telemetry.outlet import NOT_TAKEN
from uotp.telemetry.plainlines import plainValues
from uotp.telemetry.processlog import tellLost

MAX_NESTED = 8
"""
So many lines may be logged while one is handed on: by whoever takes it, or by what the garbage
collector finds meanwhile.  They come next.  More are lost, since whoever logs for each line would go on
for ever.
"""


@implementer(ILogObserver)
class ForwardingObserver:
    """
    Hands the lines of the log on as plain values, those of others as often as L{ForeignLines} allows.
    Lines that find no room are counted, and told when there is room again.
    """

    def __init__(
        self,
        send: Callable[[dict[str, Any]], bool],
        callFromThread: Callable[..., object],
        clock: Callable[[], float],
        threadNumber: Callable[[], int] = threading.get_ident,
    ) -> None:
        """
        Forward from the thread that calls this, which is the reactor's.

        @param send: takes a line, see L{plainValues}, and returns whether there was room for it.
        @param callFromThread: has something called in the reactor's thread.
        @param clock: monotonic seconds.
        @param threadNumber: tells which thread calls it.
        """
        self._send = send
        self._callFromThread = callFromThread
        self._limited = ForeignLines(self._forward, clock)
        self._threadNumber = threadNumber
        self._reactorThread = threadNumber()
        self._lost = 0
        self._isSending = False
        self._nested: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        """
        Forward an event, if its level reaches the threshold.
        """
        level = event.get("log_level")
        if level is None or not Logger.hears(level):
            return
        if self._threadNumber() == self._reactorThread:
            self._limited(event)
        else:  # what it names may have changed until then
            self._callFromThread(self._limited, frozen(event)[0])

    def roomAgain(self) -> None:
        """
        There may be room for lines again: tell what was lost, without waiting for another line.
        """
        if self._lost and not self._isSending:
            self._handOn([])

    def _forward(self, event: LogEvent) -> None:
        if not self._isSending:
            self._handOn([event])
        elif len(self._nested) < MAX_NESTED:
            self._nested.append(frozen(event)[0])
        else:
            self._lost += 1

    def _handOn(self, events: list[LogEvent]) -> None:
        """
        Hand on events, and those that are logged meanwhile.  When one finds no room the others are
        lost too, so that none comes before the number of those that are missing.
        """
        self._isSending, self._nested = True, []
        try:
            hasRoom = self._hasToldLost()
            for each in chain(events, self._nested):  # the latter grows
                hasRoom = hasRoom and self._isTaken(each)
                if not hasRoom:
                    self._lost += 1
        finally:
            self._isSending = False

    def _hasToldLost(self) -> bool:
        """
        Say what was lost, if anything was.

        @return: whether the parent knows of all that was.
        """
        lost, isTaken = self._lost, True
        if not lost:
            return True

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            nonlocal isTaken
            isTaken = self._isTaken(event)

        tellLost(observe, lost, NOT_TAKEN)
        if isTaken:
            self._lost -= lost
        return isTaken

    def _isTaken(self, event: LogEvent) -> bool:
        try:
            return self._send(plainValues(event))
        except Exception:  # noqa: BLE001 - whatever stands against a line, the next one is tried
            return False
