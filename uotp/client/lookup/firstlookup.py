"""
When the start of a client is over, as far as the server's name goes, and how that is looked up
until then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall

SEARCH_SECONDS = 3.0
"""
Where only remembered addresses are there, it takes so much longer until the start is said to be
over.  What waits for that may take the name servers away, and the server may have moved.
"""

HURRIED_SECONDS = 1.0
"""From a lookup that has failed to the next one in that time."""


class FirstLookup:
    """
    Has a name looked up again and again until it is found, or until there was time enough to
    find it where other addresses are dialled.

    @ivar isOver: whether that is so.  It does not keep anybody from dialling.
    """

    def __init__(self, clock: Any, retrySeconds: float, again: Callable[[], None]) -> None:
        """
        @param clock: C{IReactorTime}.
        @param retrySeconds: from a lookup that has failed to the next one.
        @param again: looks the name up.
        """
        self._clock = clock
        self._retrySeconds = retrySeconds
        self._again = again
        self._retry: IDelayedCall | None = None
        self._doubt: IDelayedCall | None = None
        self._waiting: list[Deferred[None]] = []
        self.isOver = False

    def whenOver(self) -> Deferred[None]:
        """
        @return: fires when it is over.
        """
        if self.isOver:
            return succeed(None)
        self._waiting.append(Deferred())
        return self._waiting[-1]

    def begun(self) -> None:
        """
        A lookup is under way, whoever has wanted it.
        """
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def failed(self) -> None:
        """
        It has failed.
        """
        if not self.isOver:
            self.begun()
            wait = self._retrySeconds if self._doubt is None else min(self._retrySeconds, HURRIED_SECONDS)
            self._retry = self._clock.callLater(wait, self._lookAgain)

    def _lookAgain(self) -> None:
        self._retry = None
        self._again()

    def goesOnWithout(self) -> None:
        """
        Other addresses are dialled for now.
        """
        if self._doubt is None and not self.isOver:
            self._doubt = self._clock.callLater(SEARCH_SECONDS, self._doubtIsOver)

    def _doubtIsOver(self) -> None:
        self._doubt = None
        self.found()

    def found(self) -> None:
        """
        The name is found.
        """
        self.stop()
        self.isOver = True
        waiting, self._waiting = self._waiting, []
        for told in waiting:
            told.callback(None)

    def stop(self) -> None:
        """
        Look no more.
        """
        self.begun()
        if self._doubt is not None:
            self._doubt.cancel()
            self._doubt = None
