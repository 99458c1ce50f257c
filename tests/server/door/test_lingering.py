"""
How a visit ends.
"""

from __future__ import annotations

from tests.doubles.contracts import TimerTestCase
from uotp.server.door.lingering import LINGER_SECONDS, MOST_IDLE_LINGERS, LingeringClose


class LeftStream:
    """
    Holds so much of what a visitor has not taken.
    """

    def __init__(self) -> None:
        self.queued = 0
        self.ends: list[str] = []

    def queuedBytes(self) -> int:
        return self.queued

    def depart(self) -> None:
        self.ends.append("departed")

    def abort(self) -> None:
        self.ends.append("aborted")


class LingeringCloseTests(TimerTestCase):
    """
    Close a stream in good order.
    """

    def setUp(self) -> None:
        super().setUp()
        self.stream = LeftStream()
        self.closing = LingeringClose(self.clock, self.stream)  # type: ignore[arg-type]

    def test_whoHasNotSaidAllIsWaitedForAMoment(self) -> None:
        self.closing.begin()
        self.clock.advance(LINGER_SECONDS - 0.1)
        self.assertEqual(self.stream.ends, [])
        self.clock.advance(0.1)
        self.clock.advance(0)
        self.assertEqual(self.stream.ends, ["departed"])
        self.assertNoTimer()

    def test_whoHasIsNotWaitedForAnyMore(self) -> None:
        """
        And what is read meanwhile is not read within a call of the stream's own.
        """
        self.closing.begin()
        self.closing.closeSoon()
        self.assertEqual(self.stream.ends, [])
        self.clock.advance(0)
        self.assertEqual(self.stream.ends, ["departed"])
        self.assertNoTimer()

    def test_whatIsWrittenIsSentBefore(self) -> None:
        self.stream.queued = 3
        self.closing.closeSoon()
        for queued in (2, 1, 0):
            self.assertEqual(self.stream.ends, [])
            self.stream.queued = queued
            self.clock.advance(LINGER_SECONDS)
        self.clock.advance(0)
        self.assertEqual(self.stream.ends, ["departed"])

    def test_whoTakesNothingIsGivenUp(self) -> None:
        self.stream.queued = 2
        self.closing.closeSoon()
        for _ in range(MOST_IDLE_LINGERS - 1):
            self.clock.advance(LINGER_SECONDS)
        self.stream.queued = 1  # he has taken something, and all of the time begins anew
        for _ in range(MOST_IDLE_LINGERS):
            self.clock.advance(LINGER_SECONDS)
        self.clock.advance(0)
        self.assertEqual(self.stream.ends, [])
        self.clock.advance(LINGER_SECONDS)
        self.clock.advance(0)
        self.assertEqual(self.stream.ends, ["aborted"])
        self.assertNoTimer()

    def test_whenTheConnectionIsGoneNothingIsLeft(self) -> None:
        for begin in (self.closing.begin, self.closing.closeSoon, self.closing.stop):
            begin()
            self.closing.stop()
            self.assertNoTimer()
        self.assertEqual(self.stream.ends, [])
