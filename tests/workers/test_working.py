"""
The work of one worker: when it begins, what it tells, and how it ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import capturedLogs, formatEvent

from tests.doubles.channels import Note, RecordingChannel
from tests.doubles.contracts import TimerTestCase
from tests.doubles.reactors import MemoryReactor
from tests.doubles.threads import HeldThreads, WithThreads
from uotp.errors import ConfigurationError, PeerError, StartError
from uotp.process import Aside, Pausing, noPause
from uotp.workers.controls import StopWorker, WorkerReady
from uotp.workers.descriptors import Descriptors, DescriptorsLost
from uotp.workers.groups import ListenOn, SocketMissing
from uotp.workers.work import (
    AdoptFiles,
    AskReport,
    BeginWork,
    Disconnect,
    Disconnected,
    FilesPrepared,
    PrepareFiles,
    SetPart,
    TellReport,
    TellStatistics,
    TellUse,
)
from uotp.workers.workerend import WorkerEnd
from uotp.workers.working import STATISTICS_SECONDS, USE_SECONDS, Working, WorkService

BEGIN = BeginWork(1, 2, "info", {}, b"", {}, {"memory": 6400, "silent": 10})


@dataclass(frozen=True)
class Done:
    """
    Is what a service has done.
    """

    sessions: int


class ScriptedService:
    """
    Writes down what it is told, and does what the test says.

    @ivar journal: what it was told.
    @ivar used: how much it uses.
    @ivar error: raised when it is to start.
    @ivar trouble: raised when it is to prepare.
    @ivar refusal: raised when it is given an order.
    @ivar stopped: fires when it has stopped.
    @ivar ended: fires with how many sessions have ended.
    """

    def __init__(self) -> None:
        self.journal: list[tuple[object, ...]] = []
        self.used = {"memory": 0, "silent": 0}
        self.error: Exception | None = None
        self.trouble: Exception | None = None
        self.refusal: Exception | None = None
        self.stopped: Deferred[None] = Deferred()
        self.ended: Deferred[int] = Deferred()

    def startService(self) -> None:
        self.journal.append(("start",))
        if self.error is not None:
            raise self.error

    def stopService(self) -> Any:
        self.journal.append(("stop",))
        return self.stopped

    def prepare(self, contents: Mapping[str, bytes] | None = None, pause: Pausing = noPause) -> Any:
        if self.trouble is not None:
            raise self.trouble
        return contents

    def renew(self, prepared: Any) -> None:
        self.journal.append(("renew", prepared))

    def uses(self) -> dict[str, int]:
        return dict(self.used)

    def setPart(self, name: str, amount: int) -> None:
        self.journal.append(("part", name, amount))

    def reportParts(self, most: int) -> Deferred[Iterator[tuple[object, ...]]]:
        self.journal.append(("report", most))
        return succeed(iter(((1, "one"), (2, "two"))))

    def disconnect(self, session: str) -> Deferred[int]:
        self.journal.append(("disconnect", session))
        return self.ended

    def statistics(self) -> Any:
        return Done(3)

    def orderReceived(self, message: object, descriptors: Descriptors) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.journal.append(("order", message))


_service: type[WorkService] = ScriptedService


class WorkingTests(TimerTestCase):
    """
    Be led by a parent.
    """

    def setUp(self) -> None:
        super().setUp()
        self.service = ScriptedService()
        self.statuses: list[int] = []
        self.working = Working(self.clock, self.begin, self.statuses.append)
        self.end = WorkerEnd(MemoryReactor(), self.working, lambda _: None)
        self.channel = RecordingChannel()
        self.end.speakOn(self.channel)
        self.working.speakBy(self.end)
        self.addCleanup(self.stop)

    def begin(self, message: BeginWork, end: WorkerEnd) -> Any:
        self.begun = message, end
        return self.service

    def stop(self) -> None:
        """
        The parent is gone.
        """
        if not self.service.stopped.called:
            self.service.stopped.callback(None)
        self.end.channelLost("closed")

    def receive(self, *messages: object) -> None:
        for message in messages:
            self.end.messageReceived(message, Descriptors())

    def told(self, kind: type) -> list[Any]:
        """
        @return: messages of a kind that were sent.
        """
        return [message for message in self.channel.messages() if isinstance(message, kind)]

    def test_itBeginsWithItsPartsAndSaysSo(self) -> None:
        self.receive(BEGIN)
        self.assertEqual(self.begun, (BEGIN, self.end))
        self.assertEqual(self.service.journal, [("part", "memory", 6400), ("part", "silent", 10), ("start",)])
        self.assertEqual(self.channel.messages(), [WorkerReady()])

    def test_theFirstOrderIsToBeginAndComesOnce(self) -> None:
        for message in (SetPart("memory", 1), PrepareFiles(1, {}), Note("order")):
            self.assertRaises(PeerError, self.receive, message)
        self.receive(BEGIN)
        self.assertRaises(PeerError, self.receive, BEGIN)

    def test_whatIsNotForEveryWorkerIsForItsService(self) -> None:
        self.receive(BEGIN, Note("order"))
        self.assertEqual(self.service.journal[-1], ("order", Note("order")))

    def test_itTellsHowItIsInParts(self) -> None:
        self.receive(BEGIN, AskReport(7, 16))
        self.assertEqual(self.service.journal[-1], ("report", 16))
        expected = [TellReport(7, (1, "one"), False), TellReport(7, (2, "two"), False), TellReport(7, (), True)]
        self.assertEqual(self.told(TellReport), expected)

    def test_itSaysHowManySessionsHaveEnded(self) -> None:
        self.receive(BEGIN, Disconnect(7, "1f2e3d4c"))
        self.assertEqual(self.service.journal[-1], ("disconnect", "1f2e3d4c"))
        self.assertEqual(self.told(Disconnected), [])
        self.service.ended.callback(3)
        self.assertEqual(self.told(Disconnected), [Disconnected(7, 3)])

    def test_aSocketThatCannotBeUsedIsMissed(self) -> None:
        """
        Whatever the reason; the parent sends it again.
        """
        self.receive(BEGIN)
        for error, reason in (
            (DescriptorsLost("1 of 1 descriptors were lost on their way"), "1 of 1 descriptors were lost on their way"),
            (OSError(24, "Too many open files"), "[Errno 24] Too many open files"),
            (LookupError("what"), "LookupError('what')"),
        ):
            self.service.refusal = error
            self.receive(ListenOn(7))
            self.assertEqual(self.told(SocketMissing)[-1], SocketMissing(7, reason))
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)
        self.service.refusal = PeerError("no")
        self.assertRaises(PeerError, self.receive, ListenOn(7))
        self.service.refusal = None
        self.receive(ListenOn(7))
        self.assertEqual(len(self.told(SocketMissing)), 3)

    def test_aStopWhoseStatisticsFailEndsAllTheSame(self) -> None:
        self.receive(BEGIN)
        self.patch(self.service, "statistics", lambda: 1 // 0)
        self.service.stopped.callback(None)
        self.receive(StopWorker())
        self.assertEqual(self.channel.ended, ["close"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_statisticsAreToldNowAndThen(self) -> None:
        self.receive(BEGIN)
        self.clock.advance(STATISTICS_SECONDS - 0.1)
        self.assertEqual(self.told(TellStatistics), [])
        self.clock.advance(0.1)
        self.assertEqual(self.told(TellStatistics), [TellStatistics({"sessions": 3})])

    def test_useIsToldWhenItHasChanged(self) -> None:
        """
        By more than a little, either way.
        """
        self.receive(BEGIN)
        self.clock.advance(USE_SECONDS)
        expected = [TellUse("memory", 0, 6400), TellUse("silent", 0, 10)]
        self.assertEqual(self.told(TellUse), expected)
        for used, isTold in ((100, False), (101, True), (150, False), (1, False), (0, True)):
            self.service.used["memory"] = used
            self.clock.advance(USE_SECONDS)
            expected += [TellUse("memory", used, 6400)] if isTold else []
            self.assertEqual(self.told(TellUse), expected)
        self.service.used["silent"] = 1
        self.clock.advance(USE_SECONDS)
        self.assertEqual(self.told(TellUse)[-1], TellUse("silent", 1, 10))

    def test_aNewPartIsConfirmedAtOnce(self) -> None:
        """
        Others may have more as soon as this one has less.
        """
        self.receive(BEGIN)
        self.clock.advance(USE_SECONDS)
        self.receive(SetPart("memory", 3200))
        self.assertEqual(self.service.journal[-1], ("part", "memory", 3200))
        self.assertEqual(self.told(TellUse)[-1], TellUse("memory", 0, 3200))
        self.receive(SetPart("memory", 3200))
        self.assertEqual(len(self.told(TellUse)), 3)

    def test_whatHasNoPartIsToldToo(self) -> None:
        self.receive(BEGIN)
        self.service.used = {"other": 5}
        self.clock.advance(USE_SECONDS)
        self.assertEqual(self.told(TellUse), [TellUse("other", 5, 0)])

    def test_filesArePreparedAndThenUsed(self) -> None:
        self.receive(BEGIN, PrepareFiles(4, {"a": b"b"}))
        self.assertEqual(self.told(FilesPrepared), [FilesPrepared(4, "")])
        self.assertNotIn(("renew", {"a": b"b"}), self.service.journal)
        self.receive(AdoptFiles(4))
        self.assertEqual(self.service.journal[-1], ("renew", {"a": b"b"}))
        self.assertRaises(PeerError, self.receive, AdoptFiles(4))

    def test_filesArePreparedInAThread(self) -> None:
        """
        One after the other, and only the last can be used: for the one before the parent does not wait any more.
        """
        threads = self.inThreads()
        self.receive(BEGIN, PrepareFiles(4, {"a": b"b"}), PrepareFiles(5, {"c": b"d"}))
        self.assertEqual((len(threads.waiting), self.told(FilesPrepared)), (1, []))
        for _ in range(2):
            threads.run()
            self.clock.advance(0)
        self.assertEqual(self.told(FilesPrepared), [FilesPrepared(4, ""), FilesPrepared(5, "")])
        self.assertRaises(PeerError, self.receive, AdoptFiles(4))
        self.receive(AdoptFiles(5))
        self.assertEqual(self.service.journal[-1], ("renew", {"c": b"d"}))

    def test_aStopDoesNotWaitForFiles(self) -> None:
        """
        Nothing is said of them then, and no other ones are begun with.
        """
        threads = self.inThreads()
        self.receive(BEGIN, PrepareFiles(4, {"a": b"b"}), PrepareFiles(5, {"c": b"d"}), StopWorker())
        threads.run()
        self.clock.advance(0)
        self.assertEqual((threads.waiting, self.told(FilesPrepared)), ([], []))

    def inThreads(self) -> HeldThreads:
        """
        @return: what work in other threads waits for.
        """
        threads = HeldThreads()
        self.working._aside = Aside(WithThreads(self.clock), threads.start)
        return threads

    def test_filesThatCannotBeUsedAreNot(self) -> None:
        """
        Nor are those before them; and whatever it is, the parent hears of it.
        """
        self.receive(BEGIN, PrepareFiles(4, {"a": b"b"}))
        for error, reason in (
            (ConfigurationError("no such curve"), "no such curve"),
            (ConfigurationError(), "they cannot be used"),
            (KeyError("a"), "KeyError('a')"),
        ):
            self.service.trouble = error
            self.receive(PrepareFiles(5, {"c": b"d"}))
            self.assertEqual(self.told(FilesPrepared)[-1], FilesPrepared(5, reason))
            for renewal in (4, 5):
                self.assertRaises(PeerError, self.receive, AdoptFiles(renewal))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_onlyWhatWasPreparedIsUsed(self) -> None:
        self.receive(BEGIN)
        self.assertRaises(PeerError, self.receive, AdoptFiles(1))
        self.receive(PrepareFiles(4, {"a": b"b"}))
        self.assertRaises(PeerError, self.receive, AdoptFiles(3))
        self.receive(PrepareFiles(5, {"c": b"d"}), AdoptFiles(5))
        self.assertEqual(self.service.journal[-1], ("renew", {"c": b"d"}))

    def test_itStopsWhenItsServiceHas(self) -> None:
        """
        And says its last before its process ends.
        """
        self.receive(BEGIN, StopWorker())
        self.assertEqual(self.service.journal[-1], ("stop",))
        self.assertNoTimer()
        self.assertEqual(self.channel.ended, [])
        self.service.stopped.callback(None)
        self.assertEqual(
            (self.told(TellStatistics), self.channel.ended), ([TellStatistics({"sessions": 3})], ["close"])
        )
        self.assertEqual(self.statuses, [])
        self.end.channelLost("closed")
        self.assertEqual(self.statuses, [0])

    def test_aServiceThatDoesNotStopWellIsOverToo(self) -> None:
        self.receive(BEGIN, StopWorker())
        self.service.stopped.errback(ZeroDivisionError())
        self.end.channelLost("closed")
        self.assertEqual(self.statuses, [0])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_itStopsOnce(self) -> None:
        """
        Its parent wants it, and is gone then.
        """
        self.receive(BEGIN, StopWorker())
        self.end.channelLost("closed")
        self.working.stop()
        self.assertEqual(self.service.journal.count(("stop",)), 1)
        self.service.stopped.callback(None)
        self.assertEqual(self.statuses, [0])

    def test_whoHasNotBegunStopsAtOnce(self) -> None:
        """
        And does not begin any more.
        """
        self.receive(StopWorker(), BEGIN, SetPart("memory", 1))
        self.assertEqual((self.service.journal, self.channel.messages(), self.channel.ended), ([], [], ["close"]))
        self.end.channelLost("closed")
        self.assertEqual(self.statuses, [0])

    def test_whoCannotBeginSaysWhyAndEnds(self) -> None:
        """
        With status 1, which the parent logs, and once, whatever comes then.
        """
        for error in (StartError("no such congestion control"), ZeroDivisionError()):
            self.setUp()
            self.service.error = error
            with capturedLogs() as events:
                self.receive(BEGIN)
            self.assertIn("the work cannot begin", str(formatEvent(events[0])))
            self.assertEqual((self.channel.ended, self.channel.messages(), self.statuses), (["close"], [], []))
            self.receive(Note("order"), StopWorker(), BEGIN)
            self.end.channelLost("closed")
            self.assertEqual(self.statuses, [1])
            self.assertNoTimer()
            self.flushLoggedErrors(type(error))

    def test_whatCannotBeMadeIsTheSame(self) -> None:
        def fail(*_: object) -> Any:
            raise ConfigurationError

        self.working._begin = fail
        self.receive(BEGIN)
        self.end.channelLost("closed")
        self.assertEqual(self.statuses, [1])
        self.flushLoggedErrors(ConfigurationError)
