"""
Threads that run when the test says so, one after the other, and a reactor that takes calls from them.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads
from twisted.internet.task import Clock
from zope.interface import implementer


@implementer(IReactorFromThreads)
class WithThreads:
    """
    Lets a clock know threads: what they leave is called in its next turn.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kwargs: object) -> IDelayedCall:  # noqa: A002
        """
        See C{IReactorTime}.
        """
        return self._clock.callLater(delay, callable, *args, **kwargs)

    def callFromThread(self, callable: Callable[..., object], *args: object, **kwargs: object) -> None:  # noqa: A002
        """
        See C{IReactorFromThreads}.
        """
        self._clock.callLater(0, callable, *args, **kwargs)


class HeldThreads:
    """
    Starts threads, which wait for the test.

    @ivar waiting: what each is to do.
    @ivar hasRoom: whether a thread can be had.
    """

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.hasRoom = True

    def start(self, work: Callable[[], None]) -> None:
        """
        See L{uotp.process.aside.startThread}.
        """
        if not self.hasRoom:
            reason = "can't start new thread"
            raise RuntimeError(reason)
        self.waiting.append(work)

    def run(self) -> None:
        """
        Let all that there are now do their work.
        """
        waiting, self.waiting = self.waiting, []
        for work in waiting:
            work()
