"""
Files that several want to be read again: one reading is under way, and one more waits behind it at the most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.python.failure import Failure

from uotp.process.aside import NotDoneError, StoppedError
from uotp.telemetry import Logger, orLog

Reading = TypeVar("Reading")

MOST_WAITING = 64
"""So many may wait for the next reading.  More come only while a file system hangs, and it is theirs as well."""


class TooManyError(NotDoneError):
    """
    So many wait for a reading that one more may not.
    """


class Readings(Generic[Reading]):
    """
    Reads again for whoever asks.  Who asks while a reading is under way waits for the next one, since that one may
    have read already what has changed just now; and all who wait share it.
    """

    _log = Logger()

    def __init__(self, read: Callable[[bool], Deferred[Reading]]) -> None:
        """
        @param read: reads once, and tells what was found, for example whether that is anything new.  It is told whether
            what is not new need not be used.
        """
        self._read = read
        self._isUnderWay = False
        self._onlyNew = True
        self._waiting: list[Deferred[Reading]] = []

    def ask(self, *, onlyNew: bool) -> Deferred[Reading]:
        """
        @param onlyNew: whether what is not new need not be used, as far as we are concerned.
        @return: fires with what the reading tells, or fails as it does; fails with L{StoppedError} after L{stop}, and
            with L{TooManyError} where L{MOST_WAITING} wait.
        """
        if len(self._waiting) >= MOST_WAITING:
            reason = f"{MOST_WAITING} others wait already until files are read again: maybe a file system hangs"
            return fail(TooManyError(reason))
        asked: Deferred[Reading] = Deferred()
        self._waiting.append(asked)
        self._onlyNew = self._onlyNew and onlyNew
        if not self._isUnderWay:
            self._begin()
        return asked

    def stop(self) -> None:
        """
        Begin no reading for those who wait.
        """
        waiting, self._waiting, self._onlyNew = self._waiting, [], True
        for each in waiting:
            each.errback(StoppedError("it stops"))

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, []
        onlyNew, self._onlyNew = self._onlyNew, True
        self._isUnderWay = True
        done = maybeDeferred(self._read, onlyNew).addBoth(self._over, waiting)
        orLog(done, self._log, "those who wait for files that are read were not told")

    def _over(self, outcome: Any, waiting: list[Deferred[Reading]]) -> None:
        self._isUnderWay = False
        if self._waiting:
            self._begin()
        for each in waiting:
            each.callback(Failure(outcome.value, outcome.type, outcome.tb) if isinstance(outcome, Failure) else outcome)
