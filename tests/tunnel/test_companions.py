"""
What starts and stops with a service.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reactors import MemoryReactor
from uotp.errors import StartError
from uotp.tunnel.service import Companion, TunnelService
from uotp.tunnel.settings import CommonSettings


class Diarist:
    """
    Writes down what it is told.

    @ivar refusal: raised when it is opened, if it is set.
    @ivar stopping: what stopping returns.
    """

    def __init__(self, journal: list[str], name: str) -> None:
        self._journal = journal
        self._name = name
        self.refusal: Exception | None = None
        self.stopping: Deferred[None] | None = None

    def open(self) -> None:
        self._journal.append(f"open {self._name}")
        if self.refusal is not None:
            raise self.refusal

    def privilegedStartService(self) -> None:
        self._journal.append(f"bind {self._name}")

    def startService(self) -> None:
        self._journal.append(f"start {self._name}")

    def stopService(self) -> Deferred[None] | None:
        self._journal.append(f"stop {self._name}")
        return self.stopping


_companion: type[Companion] = Diarist


class CompanionTests(SynchronousTestCase):
    """
    Start and stop a service that two accompany.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.service = TunnelService(CommonSettings(), None, self.reactor)
        self.journal: list[str] = []
        self.one, self.other = Diarist(self.journal, "one"), Diarist(self.journal, "other")
        self.service.accompany(self.one)
        self.service.accompany(self.other)

    def test_theyGoWithIt(self) -> None:
        self.service.privilegedStartService()
        self.service.startService()
        self.service.stopService()
        ended: Deferred[None] = Deferred()
        stopped = self.service.afterwards(ended)
        self.assertEqual(self.journal[-1], "start other")  # they tell that it stops, until it has
        ended.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(
            self.journal, [f"{what} {name}" for what in ("bind", "start", "stop") for name in ("one", "other")]
        )
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_theyAreOpenedAheadOfAChroot(self) -> None:
        self.service.openAhead()
        self.assertEqual(self.journal, ["open one", "open other"])
        self.one.refusal = StartError("somebody has it")
        self.assertRaises(StartError, self.service.openAhead)

    def test_oneThatDoesNotStopWellHoldsNobodyUp(self) -> None:
        self.service.startService()
        self.one.stopping = fail(ZeroDivisionError())
        self.service.stopService()
        self.successResultOf(self.service.afterwards(succeed(None)))
        self.assertEqual(self.journal[-1], "stop other")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
