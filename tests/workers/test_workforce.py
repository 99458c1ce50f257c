"""
The parent's side of the work of two workers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from twisted.logger import capturedLogs, formatEvent

from tests.doubles.channels import Note
from tests.doubles.contracts import TimerTestCase
from tests.doubles.threads import HeldThreads, WithThreads
from tests.doubles.udpsockets import FakeUdpSocket
from tests.doubles.workers import MemoryLauncher, MemoryProcess
from uotp.errors import ConfigurationError, PeerError, StartError
from uotp.net import SocketGroup
from uotp.process import Aside, Pausing, StoppedError, noPause
from uotp.telemetry import Drop, Drops, Spelling
from uotp.workers.descriptors import Descriptors
from uotp.workers.groups import MISSING_SECONDS, ListenOn, SocketMissing
from uotp.workers.questions import ANSWER_SECONDS
from uotp.workers.sums import Sums
from uotp.workers.work import (
    AdoptFiles,
    BeginWork,
    Disconnect,
    Disconnected,
    FilesPrepared,
    PrepareFiles,
    SetPart,
    TellLine,
    TellStatistics,
    TellUse,
)
from uotp.workers.workerstates import WorkerState
from uotp.workers.workforce import HOPELESS_SECONDS, HOPELESS_STARTS, WorkFiles, Workforce, WorkforceOwner

FILES = {"a": b"b"}


class WorkDiarist:
    """
    Writes down what it is told of workers.

    @ivar journal: what, and of which one.
    @ivar act: called with each entry.
    """

    def __init__(self) -> None:
        self.journal: list[tuple[object, ...]] = []
        self.act: Callable[[tuple[object, ...]], None] = lambda _: None

    def _note(self, *entry: object) -> None:
        self.journal.append(entry)
        self.act(entry)

    def ready(self, worker: int) -> None:
        self._note("ready", worker)

    def lost(self, worker: int) -> None:
        self._note("lost", worker)

    def received(self, worker: int, message: object, descriptors: Descriptors) -> None:
        self._note("received", worker, message)


@dataclass(frozen=True)
class Told:
    """
    Is what a worker tells.
    """

    sessions: int
    bytes: int


class FakeFiles:
    """
    Are files that can be used, or not.

    @ivar adopted: what came into use, in order.
    @ivar trouble: why they cannot be used; L{None} when they can.
    """

    def __init__(self) -> None:
        self.contents = {"a": b"old"}
        self.adopted: list[object] = []
        self.trouble: str | None = None

    def prepare(self, contents: None = None, pause: Pausing = noPause) -> Any:
        if self.trouble is not None:
            raise ConfigurationError(self.trouble)
        return SimpleNamespace(contents=FILES, isInUse=False)

    def adopt(self, prepared: Any) -> None:
        self.adopted.append(prepared.contents)
        self.contents = prepared.contents


_owner: type[WorkforceOwner] = WorkDiarist
_files: type[WorkFiles] = FakeFiles


class WorkforceTests(TimerTestCase):
    """
    Lead two workers in memory.
    """

    def setUp(self) -> None:
        super().setUp()
        self.launcher = MemoryLauncher()
        self.owner = WorkDiarist()
        totals = {"memory": 6400, "silent": 64}
        self.files = FakeFiles()
        self.drops = Drops()
        sums = Sums(Told, ["sessions"])
        self.workforce = Workforce(
            self.clock, self.launcher.launch, 2, self.owner, b"settings", self.files, totals, sums, self.drops
        )
        self.addCleanup(self.end)

    def end(self) -> None:
        done = self.workforce.stop()
        for _, process in self.launcher.started:
            process.die()
        self.successResultOf(done)

    def begin(self) -> tuple[MemoryProcess, MemoryProcess]:
        """
        @return: two that are ready.
        """
        self.workforce.start()
        processes = self.launcher.of(1), self.launcher.of(2)
        for process in processes:
            process.ready()
        return processes

    def told(self, process: MemoryProcess, kind: type) -> list[Any]:
        """
        @return: messages of a kind that a worker was sent.
        """
        return [each for each in process.channel.messages() if isinstance(each, kind)]

    def test_allWorkersEndSessions(self) -> None:
        """
        What they have ended is added up.  One that is lost meanwhile, or hangs, is not waited for long.
        """
        one, other = self.begin()
        for answers, ended in ((True, 5), (False, 2)):
            done = self.workforce.disconnect("laptop")
            for process in (one, other):
                self.assertIn("laptop", [each.session for each in self.told(process, Disconnect)])
            number = self.told(one, Disconnect)[-1].question
            self.workforce.received(1, Disconnected(number, 2), Descriptors())
            self.assertNoResult(done)
            if answers:
                self.workforce.received(2, Disconnected(number, 3), Descriptors())
            else:
                self.clock.advance(ANSWER_SECONDS)
            self.assertEqual(self.successResultOf(done), ended)
            self.workforce.received(2, Disconnected(number, 1), Descriptors())  # too late
        done = self.workforce.disconnect("laptop")
        one.die()
        other.die()
        self.assertEqual(self.successResultOf(done), 0)
        self.assertRaises(PeerError, self.workforce.received, 1, Disconnected(99, 1), Descriptors())

    def test_aWorkerIsToldToBeginBeforeAnythingElse(self) -> None:
        """
        With its parts; its sockets come next.
        """
        sockets: list[Any] = [FakeUdpSocket(), FakeUdpSocket()]
        self.patch(Spelling, "spellings", {"memory": "--memory"})
        group = self.workforce.listenOn(7, SocketGroup(sockets), "UDP")
        self.workforce.start()
        parts = {"memory": 3200, "silent": 32}
        for number in (1, 2):
            first, second, *_ = self.launcher.of(number).channel.sent
            begin = BeginWork(number, 2, "info", {"memory": "--memory"}, b"settings", {"a": b"old"}, parts)
            self.assertEqual(first, (begin, ()))
            self.assertEqual(second, (ListenOn(7), (group.descriptorFor(number),)))

    def test_theOwnerIsToldOfEachLife(self) -> None:
        one, _ = self.begin()
        one.say(Note("hello"))
        one.die()
        self.clock.advance(0)
        expected = [
            ("ready", 1),
            ("ready", 2),
            ("received", 1, Note("hello")),
            ("lost", 1),
        ]
        self.assertEqual(self.owner.journal, expected)

    def test_allAreReadyWhenEachWasOnce(self) -> None:
        """
        One that dies meanwhile is waited for; one that dies later is not.
        """
        first, second = self.workforce.whenReady(), self.workforce.whenReady()
        self.workforce.start()
        self.launcher.of(1).ready()
        self.launcher.of(2).die()
        self.clock.advance(0)
        self.assertNoResult(first)
        self.launcher.of(2).ready()
        self.successResultOf(first)
        self.successResultOf(second)
        self.launcher.of(1).die()
        self.successResultOf(self.workforce.whenReady())
        self.clock.advance(0)
        self.launcher.of(1).ready()

    def test_oneThatIsNeverReadyIsWaitedForOnlyByWhoAsked(self) -> None:
        """
        The other one works meanwhile.
        """
        waits = self.workforce.whenReady()
        self.workforce.start()
        self.launcher.of(1).ready()
        for _ in range(10):
            self.launcher.of(2).die("with status 1")
            for _ in range(30):
                self.clock.advance(1)
                self.launcher.of(1).answer()
        self.assertNoResult(waits)
        self.assertIs(self.workforce.statistics()[0].state, WorkerState.READY)

    def test_itLivesWhileOneWorks(self) -> None:
        """
        Or while all are started for the first time: whoever watches over the program had better wait then.
        """
        self.assertTrue(self.workforce.isAlive())
        first, second = self.begin()
        self.assertEqual((self.workforce.isAlive(), self.workforce.words()), (True, ""))
        first.die("by SIGKILL")
        self.assertEqual((self.workforce.isAlive(), self.workforce.words()), (True, "1 of 2 workers are ready"))
        second.die("by SIGKILL")
        self.assertEqual((self.workforce.isAlive(), self.workforce.words()), (False, "0 of 2 workers are ready"))
        self.clock.advance(1)
        self.launcher.of(1).ready()
        self.assertTrue(self.workforce.isAlive())

    def test_allThatHaveBegunAreSentSomething(self) -> None:
        """
        Each with its own descriptors, and nobody who is away.
        """
        one, two = self.begin()
        one.die()
        one.channel.sent.clear()
        two.channel.sent.clear()
        self.workforce.sendAll(lambda worker: (Note(f"to {worker}"), [worker]))
        self.assertEqual((one.channel.sent, two.channel.sent), ([], [(Note("to 2"), (2,))]))
        self.assertTrue(self.workforce.hasRoom(2))
        two.channel.hasRoom = False
        self.assertFalse(self.workforce.hasRoom(2))
        self.assertFalse(self.workforce.hasRoom(1))

    def test_partsFollowTheUse(self) -> None:
        """
        Whoever has died has none, and the next begins with what is left.
        """
        one, two = self.begin()
        two.say(TellUse("memory", 0, 3200))
        one.say(TellUse("memory", 3000, 3200))
        shrunk = [message for message in two.channel.messages() if isinstance(message, SetPart)]
        self.assertEqual([each.name for each in shrunk], ["memory"])
        two.say(TellUse("memory", 0, shrunk[0].amount))
        grown = [message for message in one.channel.messages() if isinstance(message, SetPart)]
        self.assertGreater(grown[0].amount, 3200)
        two.die()
        self.clock.advance(0)
        (begin,) = [each for each in self.launcher.of(2).channel.messages() if isinstance(each, BeginWork)]
        self.assertEqual(begin.parts["silent"], 16)  # the other one was told that it may have more
        self.assertTrue(1600 <= begin.parts["memory"] <= 6400 - grown[0].amount)
        self.assertRaises(PeerError, one.say, TellUse("nothing", 1, 1))

    def test_afterAStopAllHaveToGetReadyAgain(self) -> None:
        processes = self.begin()
        self.successResultOf(self.workforce.whenReady())
        done = self.workforce.stop()
        for each in processes:
            each.die()
        self.successResultOf(done)
        self.workforce.start()
        ready = self.workforce.whenReady()
        self.launcher.of(1).ready()
        self.assertNoResult(ready)
        self.launcher.of(2).ready()
        self.successResultOf(ready)

    def die(self, *numbers: int) -> None:
        """
        Some workers die before they are ready, and are started again.
        """
        for number in numbers:
            self.launcher.of(number).die("with status 1")
        self.clock.advance(30)

    def test_whereNoneCanBeStartedThatIsSaid(self) -> None:
        """
        When each was tried often enough.  It is tried on all the same.
        """
        self.workforce.start()
        ready = self.workforce.whenReady()
        for _ in range(HOPELESS_STARTS - 1):
            self.die(1, 2)
        self.die(1)
        self.assertNoResult(ready)
        self.die(2)
        error = self.failureResultOf(ready, StartError).value
        self.assertEqual(str(error), "no worker can be started: each was tried 4 times or more")
        again = self.workforce.whenReady()
        for number in (1, 2):
            self.launcher.of(number).ready()
        self.successResultOf(again)

    def test_thatIsNotSaidTooSoon(self) -> None:
        """
        What is missing may come a moment later; and each start of the whole is a new one.
        """
        for _ in range(2):
            self.workforce.start()
            ready = self.workforce.whenReady()
            self.clock.advance(HOPELESS_SECONDS)
            self.die(1, 2)
            self.assertNoResult(ready)
            done = self.workforce.stop()
            for number in (1, 2):
                self.launcher.of(number).die()
            self.successResultOf(done)
            self.workforce.start()
            for delay in (0, 0, 1, 2):
                self.clock.advance(delay)
                for number in (1, 2):
                    self.launcher.of(number).die("with status 1")
            self.assertNoResult(ready)
            self.clock.advance(HOPELESS_SECONDS)
            done = self.workforce.stop()
            for number in (1, 2):
                self.launcher.of(number).die()
            self.successResultOf(done)
            self.assertNoResult(ready)
        for number in (1, 2):
            self.assertIs(self.workforce.statistics()[number - 1].state, WorkerState.GONE)

    def test_howOftenOneIsReadyAgainIsNotSaidForEver(self) -> None:
        self.begin()
        with capturedLogs() as events:
            for _ in range(200):
                self.launcher.of(2).die("with status 1")
                self.clock.advance(0)
                self.launcher.of(2).ready()
                self.clock.advance(6)
        said = [formatEvent(event) for event in events if "ready again" in formatEvent(event)]
        self.assertTrue(100 < len(said) <= 3 * 64, len(said))
        self.assertTrue(any(line.startswith("worker 2 is ready again (and ") for line in said), said[-1])

    def test_whereOneCanTheOthersAreWaitedFor(self) -> None:
        self.workforce.start()
        ready = self.workforce.whenReady()
        self.launcher.of(1).ready()
        for _ in range(2 * HOPELESS_STARTS):
            self.die(2)
        self.die(1)
        for _ in range(2 * HOPELESS_STARTS):
            self.die(1, 2)
        self.assertNoResult(ready)
        self.launcher.of(2).ready()
        self.successResultOf(ready)

    def test_oneThatIsReadyAgainIsSpokenOf(self) -> None:
        self.begin()
        self.die(2)
        with capturedLogs() as events:
            self.launcher.of(2).ready()
        self.assertEqual([formatEvent(event) for event in events], ["worker 2 is ready again"])

    def test_aSocketThatIsMissedComesAgain(self) -> None:
        _, two = self.begin()
        sockets: list[Any] = [FakeUdpSocket(), FakeUdpSocket()]
        self.workforce.listenOn(7, SocketGroup(sockets), "UDP")
        two.say(SocketMissing(7, "no room"))
        self.clock.advance(MISSING_SECONDS)
        self.assertEqual(two.channel.messages().count(ListenOn(7)), 2)

    def test_oneThatIsAwayIsToldNoPart(self) -> None:
        one, two = self.begin()
        one.die()
        before = len(one.channel.sent)
        two.say(TellUse("memory", 3000, 3200))
        self.assertEqual(len(one.channel.sent), before)

    def test_statisticsAreSummed(self) -> None:
        """
        What is dropped is counted.
        """
        one, two = self.begin()
        one.say(TellStatistics({"sessions": 1, "bytes": 10}))
        two.say(TellStatistics({"sessions": 2, "bytes": 20}))
        one.say(TellStatistics({"sessions": 0, "bytes": 12}))
        self.assertEqual(self.workforce.totals(), {"sessions": 2, "bytes": 32})
        two.die()
        self.assertEqual(self.workforce.totals(), {"sessions": 0, "bytes": 32})
        self.assertRaises(PeerError, one.say, TellStatistics({"what": 1}))
        self.assertEqual(self.workforce.totals(), {"sessions": 0, "bytes": 32})
        for dropped in (3, 5):
            one.say(TellStatistics({"drops.TOO_LONG": dropped}))
        self.assertEqual(self.drops.totals, {Drop.TOO_LONG: 5})

    def test_theirLinesAreOurs(self) -> None:
        """
        With the number of the worker; what is no line ends it.
        """
        one, _ = self.begin()
        line = {"level": "info", "namespace": "x", "time": 1.0, "fields": {}, "text": "hello"}
        with capturedLogs() as events:
            one.say(TellLine(line))
        self.assertEqual([formatEvent(event) for event in events], ["worker 1: hello"])
        self.assertRaises(PeerError, one.say, TellLine({**line, "level": "none"}))

    def test_filesAreChangedTogether(self) -> None:
        """
        Whoever begins meanwhile takes part, whoever dies does not.
        """
        one, two = self.begin()
        done = self.workforce.reload()
        one.say(FilesPrepared(1, ""))
        self.assertEqual(self.files.adopted, [])
        two.die()
        self.clock.advance(0)
        self.successResultOf(done)
        told = [each for each in one.channel.messages() if isinstance(each, PrepareFiles | AdoptFiles)]
        self.assertEqual(told, [PrepareFiles(1, FILES), AdoptFiles(1)])
        again = self.workforce.reload()
        two = self.launcher.of(2)
        one.die()
        self.clock.advance(0)
        one = self.launcher.of(1)
        self.assertEqual([type(each) for each in one.channel.messages()], [BeginWork, PrepareFiles])
        self.assertEqual(self.files.adopted, [FILES])
        for process in (one, two):
            process.say(FilesPrepared(2, ""))
        self.successResultOf(again)
        self.assertEqual(self.files.adopted, [FILES, FILES])

    def test_oneReloadWaitsForAnother(self) -> None:
        """
        And reads the files when its turn has come.
        """
        processes = self.begin()
        first, second = self.workforce.reload(), self.workforce.reload()
        self.files.trouble = "they are no good any more"
        for process in processes:
            process.say(FilesPrepared(1, ""))
        self.successResultOf(first)
        self.assertEqual(str(self.failureResultOf(second, ConfigurationError).value), self.files.trouble)
        self.assertEqual(self.files.adopted, [FILES])

    def test_filesAreReadInAThread(self) -> None:
        """
        A stop does not wait for it, and no worker hears of what comes then.
        """
        processes = self.begin()
        threads = HeldThreads()
        self.workforce._aside = Aside(WithThreads(self.clock), threads.start)
        done = self.workforce.takeUp()
        threads.run()
        self.clock.advance(0)
        for process in processes:
            self.assertEqual(self.told(process, PrepareFiles), [PrepareFiles(1, FILES)])
            process.say(FilesPrepared(1, ""))
        self.assertTrue(self.successResultOf(done))
        first, second = self.workforce.reload(), self.workforce.reload()
        stopped = self.workforce.stop()
        for each in (first, second):
            self.failureResultOf(each, StoppedError)
        threads.run()
        self.clock.advance(0)
        for process in processes:
            self.assertEqual(len(self.told(process, PrepareFiles)), 1)
            process.die()
        self.successResultOf(stopped)
        self.assertEqual((threads.waiting, self.files.adopted), ([], [FILES]))

    def test_withoutFilesThereIsNothingToReload(self) -> None:
        sums = Sums(Told, [])
        workforce = Workforce(self.clock, self.launcher.launch, 1, self.owner, b"", None, {}, sums, self.drops)
        self.successResultOf(workforce.reload())
