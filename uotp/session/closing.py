"""
Sessions that have ended while some of what came for them is still to be handed to UDP.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred, succeed

from uotp.session.counts import SessionCounts
from uotp.session.session import Session


class ClosingSessions:
    """
    Waits for the sessions of one service that have ended until all that came for them has
    been handed on.  For each that takes a tenth of a second at the most, see
    L{uotp.session.pacer}.

    @ivar counts: what sessions have done that have ended.
    @ivar ended: how many have.
    """

    def __init__(self) -> None:
        self.counts = SessionCounts()
        self.ended = 0
        self._count = 0
        self._waiting: list[Deferred[None]] = []

    def __len__(self) -> int:
        """
        How many sessions are still handing on.
        """
        return self._count

    def begin(self, session: Session, then: Callable[[], None]) -> None:
        """
        Let a session hand on what has come for it.

        @param then: called when the session has done so.
        """
        self.counts = self.counts.plus(session.counts())
        self.ended += 1
        self._count += 1
        session.finish(partial(self._finished, then))

    def _finished(self, then: Callable[[], None]) -> None:
        then()
        self._count -= 1
        if not self._count:
            waiting, self._waiting = self._waiting, []
            for done in waiting:
                done.callback(None)

    def whenDone(self) -> Deferred[None]:
        """
        @return: fires when nothing is being handed on any more.
        """
        if not self._count:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        return done
