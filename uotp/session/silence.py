"""
When to say that nothing comes back any more to somebody who was answered before, and goes on
sending.
"""

from __future__ import annotations

STOPPED_SECONDS = 30.0
"""
Somebody who sends, and hears nothing for so long, has lost whoever answered.  WireGuard asks six
times in that time.
"""

PAUSE_SECONDS = 10.0
"""
Who sends nothing for so long waits for nothing.  So keepalives every 25 s, which nobody answers, are no
question.
"""


class StoppedAnswers:
    """
    Watches whether answers have stopped, by looks once in a while at when something was last sent
    and heard.

    @ivar since: when sending began that nothing has answered, in monotonic seconds; L{None} while
        nothing waits for an answer.
    """

    __slots__ = ("_isSaid", "since")

    def __init__(self) -> None:
        self.since: float | None = None
        self._isSaid = False

    def isToBeSaid(self, sentAt: float, heardAt: float, now: float) -> bool:
        """
        @param sentAt: when something was last sent.
        @param heardAt: when something was last heard.
        @return: whether it is to be said, which is so once, until answers have come again.
        """
        if self.since is not None and heardAt >= self.since:
            self._isSaid = False
            self.since = None
        if sentAt <= heardAt or now - sentAt > PAUSE_SECONDS:
            self.since = None
            return False
        if self.since is None:
            self.since = sentAt
        if self._isSaid or now - self.since < STOPPED_SECONDS:
            return False
        self._isSaid = True
        return True
