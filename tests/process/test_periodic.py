"""
What is done every few seconds goes on until it is stopped.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.process.periodic import PeriodicCalls


class RoundsTests(SynchronousTestCase):
    """
    Make calls at regular times.
    """

    def setUp(self) -> None:
        """
        A clock that is moved by hand, and must be left without a timer.
        """
        self.clock = Clock()
        self.periodicCalls = PeriodicCalls(self.clock)
        self.calls: list[float] = []
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.periodicCalls.stop)

    def called(self) -> None:
        """
        Write the time down.
        """
        self.calls.append(self.clock.seconds())

    def test_aCallIsMadeAgainAndAgain(self) -> None:
        self.periodicCalls.every(2.0, self.called)
        self.clock.pump([1.0] * 7)
        self.assertEqual(self.calls, [2.0, 4.0, 6.0])

    def test_callsHaveTheirOwnTimes(self) -> None:
        seldom: list[float] = []
        self.periodicCalls.every(1.0, self.called)
        self.periodicCalls.every(3.0, lambda: seldom.append(self.clock.seconds()))
        self.clock.pump([1.0] * 6)
        self.assertEqual((len(self.calls), seldom), (6, [3.0, 6.0]))

    def test_aCallThatFailsIsLoggedAndMadeAgain(self) -> None:
        def failing() -> None:
            self.called()
            raise LookupError

        self.periodicCalls.every(1.0, failing)
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.calls, [1.0, 2.0, 3.0])
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 3)

    def test_stoppedMeansStopped(self) -> None:
        self.periodicCalls.every(1.0, self.called)
        self.periodicCalls.every(2.0, self.called)
        self.periodicCalls.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(10.0)
        self.assertEqual(self.calls, [])
        self.periodicCalls.stop()

    def test_theyMayBeginAnew(self) -> None:
        self.periodicCalls.every(1.0, self.called)
        self.periodicCalls.stop()
        self.periodicCalls.every(1.0, self.called)
        self.clock.advance(1.0)
        self.assertEqual(self.calls, [1.0])

    def test_aCallMayEndTheRounds(self) -> None:
        def last() -> None:
            self.called()
            self.periodicCalls.stop()

        self.periodicCalls.every(1.0, last)
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.calls, [1.0])
