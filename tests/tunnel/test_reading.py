"""
A service whose files are read in another thread.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reactors import MemoryReactor
from tests.doubles.threads import HeldThreads, WithThreads
from uotp.errors import ConfigurationError
from uotp.process import Aside, StoppedError
from uotp.tunnel.service import TunnelService
from uotp.tunnel.settings import CommonSettings


class ScriptedCredentials:
    """
    Are prepared and adopted.

    @ivar trouble: why they cannot be prepared.
    @ivar isInUse: whether they say what is in use.
    @ivar journal: what was done with them.
    """

    isPlain = False

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.isInUse = False
        self.journal: list[str] = []

    def prepare(self, contents: None = None, pause: object = None) -> Any:
        """
        Read them.
        """
        self.journal.append("prepare")
        if self.trouble is not None:
            raise ConfigurationError(self.trouble)
        return SimpleNamespace(isInUse=self.isInUse)

    def adopt(self, prepared: object) -> None:
        """
        Use them.
        """
        self.journal.append("adopt")


class ReadingTests(SynchronousTestCase):
    """
    Have files read again, and do other things meanwhile.
    """

    def setUp(self) -> None:
        self.clock, self.threads = Clock(), HeldThreads()
        self.credentials = ScriptedCredentials()
        credentials: Any = self.credentials
        self.service = TunnelService(CommonSettings(), credentials, MemoryReactor())
        self.service.aside = Aside(WithThreads(self.clock), self.threads.start)

    def read(self) -> None:
        """
        Let the thread that reads do so.
        """
        self.threads.run()
        self.clock.advance(0)

    def test_whatWasReadIsUsedInATurnOfTheReactor(self) -> None:
        done = self.service.reload()
        self.assertEqual(self.credentials.journal, [])
        self.threads.run()
        self.assertEqual(self.credentials.journal, ["prepare"])
        self.assertNoResult(done)
        self.clock.advance(0)
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(self.credentials.journal, ["prepare", "adopt"])
        self.assertEqual(self.service.reloads, {"taken": 1, "refused": 0})

    def test_reloadsDoNotPileUp(self) -> None:
        """
        Of several that come while one is under way there is one; it reads what has changed meanwhile.
        """
        several = [self.service.reload() for _ in range(5)]
        self.assertEqual(len(self.threads.waiting), 1)
        self.read()
        self.successResultOf(several[0])
        self.assertEqual(len(self.threads.waiting), 1)
        self.read()
        for each in several[1:]:
            self.successResultOf(each)
        self.assertEqual((self.threads.waiting, self.credentials.journal), ([], ["prepare", "adopt"] * 2))

    def test_whatCannotBeUsedIsToldLater(self) -> None:
        self.credentials.trouble = "no key"
        done = self.service.reload()
        self.read()
        self.assertEqual(str(self.failureResultOf(done, ConfigurationError).value), "no key")
        self.assertEqual(self.service.reloads, {"taken": 0, "refused": 1})
        self.assertEqual(self.service.filesTrouble, "no key")
        self.credentials.trouble = None
        self.service.reload()
        self.read()
        self.assertEqual(self.service.filesTrouble, "")
        self.service.configurationTrouble = "line 3: no such key"
        self.assertEqual(self.service.filesTrouble, "line 3: no such key")

    def test_theConfigurationFileIsStillBadWhenOtherFilesAreTakenUp(self) -> None:
        told: list[str] = []
        self.service.tellTrouble = told.append
        self.service.configurationTrouble = "line 3: no such key"
        self.service._takeUpTried("no key", True)
        self.service._takeUpTried("", True)
        self.assertEqual(told, ["no key", "line 3: no such key"])

    def test_whatIsInUseIsAdoptedOnlyWhenThatIsWanted(self) -> None:
        self.credentials.isInUse = True
        for ask, journal in ((self.service.takeUp, ["prepare"]), (self.service.reload, ["prepare", "adopt"])):
            self.credentials.journal.clear()
            done: Any = ask()
            self.read()
            self.assertFalse(self.successResultOf(done))
            self.assertEqual(self.credentials.journal, journal)

    def test_aStopWaitsForNoFile(self) -> None:
        """
        Nothing is used any more that comes later, no other reading is begun, and no timer is left.
        """
        first, second = self.service.reload(), self.service.reload()
        self.service.stopService()
        for each in (first, second):
            self.failureResultOf(each, StoppedError)
        self.assertEqual((self.service.reloads, self.service.filesTrouble), ({"taken": 0, "refused": 0}, ""))
        self.read()
        self.assertEqual((self.threads.waiting, self.credentials.journal), ([], ["prepare"]))
        self.assertEqual(self.clock.getDelayedCalls(), [])
