"""
A clock that goes on by turns of a reactor.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock


class TurnClock(Clock):
    """
    Makes in one turn only the calls that were due when it began, as a reactor does.  C{Clock}
    itself also makes those that they have set.
    """

    def turn(self) -> None:
        """
        Let one turn of the reactor pass, which takes no time.
        """
        due: list[Any] = [call for call in self.getDelayedCalls() if call.getTime() <= self.seconds()]
        for call in due:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)
