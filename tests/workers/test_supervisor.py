"""
The lives of workers: they are started again, asked whether they are alive, and stopped.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.logger import capturedLogs, formatEvent

from tests.doubles.channels import Note
from tests.doubles.contracts import TimerTestCase
from tests.doubles.workers import MemoryLauncher, MemoryProcess, WorkersDiarist
from uotp.errors import PeerError
from uotp.telemetry import LineBudget
from uotp.workers.controls import AliveAnswer, AliveQuestion, StopWorker
from uotp.workers.owner import WorkerPace, WorkerStatistics
from uotp.workers.restarts import Restarts
from uotp.workers.seams import ProcessOwner
from uotp.workers.supervisor import Supervisor
from uotp.workers.worker import Worker
from uotp.workers.workerstates import RUNNING, WORKER_STATES, WorkerEvent, WorkerState

EXPECTED = {
    WorkerState.GONE: {WorkerEvent.START: WorkerState.STARTING},
    WorkerState.STARTING: {
        WorkerEvent.WORKS: WorkerState.READY,
        WorkerEvent.HUNG: WorkerState.DYING,
        WorkerEvent.LOST: WorkerState.DYING,
        WorkerEvent.EXITED: WorkerState.WAITING,
        WorkerEvent.STOP: WorkerState.STOPPING,
    },
    WorkerState.READY: {
        WorkerEvent.HUNG: WorkerState.DYING,
        WorkerEvent.LOST: WorkerState.DYING,
        WorkerEvent.EXITED: WorkerState.WAITING,
        WorkerEvent.STOP: WorkerState.STOPPING,
    },
    WorkerState.DYING: {WorkerEvent.EXITED: WorkerState.WAITING, WorkerEvent.STOP: WorkerState.STOPPING},
    WorkerState.STOPPING: {WorkerEvent.EXITED: WorkerState.GONE},
    WorkerState.WAITING: {WorkerEvent.START: WorkerState.STARTING, WorkerEvent.STOP: WorkerState.GONE},
}


class LifeTests(TimerTestCase):
    """
    Bring a worker into each state, and let everything happen to it there.
    """

    def setUp(self) -> None:
        super().setUp()
        self.launcher = MemoryLauncher()
        self.owner = WorkersDiarist()
        self.gone = 0

    def countGone(self) -> None:
        """
        It was told to be gone.
        """
        self.gone += 1

    def workerIn(self, state: WorkerState) -> Worker:
        """
        @return: a worker that has come into a state.
        """
        pace = WorkerPace()
        budget = LineBudget(self.clock.seconds)
        worker = Worker(1, self.clock, self.launcher.launch, self.owner, pace, budget, self.countGone)
        if state is not WorkerState.GONE:
            worker.start()
            process = self.launcher.of(1)
            if state is WorkerState.READY:
                process.ready()
            elif state is WorkerState.DYING:
                process.loseChannel()
            elif state is WorkerState.STOPPING:
                worker.stop()
            elif state is WorkerState.WAITING:
                process.die("by SIGSEGV")
        self.assertIs(worker.state, state)
        return worker

    def happen(self, worker: Worker, event: WorkerEvent) -> None:
        """
        Have an event happen, in the way in which it does.
        """
        process: MemoryProcess | None = self.launcher.of(1) if self.launcher.started else None
        if event is WorkerEvent.START:
            worker.start()
        elif event is WorkerEvent.STOP:
            worker.stop()
        elif process is None or not process.lives:
            return
        elif event is WorkerEvent.WORKS and process.hasChannel:
            process.ready()
        elif event is WorkerEvent.HUNG:
            for _ in range(61):
                worker.tick()
        elif event is WorkerEvent.LOST:
            process.loseChannel()
        elif event is WorkerEvent.EXITED:
            process.die("with status 1")

    def test_tableSaysWhatIsExpected(self) -> None:
        found: dict[WorkerState, dict[WorkerEvent, WorkerState]] = {state: {} for state in WorkerState}
        for (state, event), after in WORKER_STATES.items():
            found[state][event] = after
        self.assertEqual(found, EXPECTED)
        self.assertEqual(set(RUNNING), {state for state in WorkerState if WorkerEvent.HUNG in EXPECTED[state]})

    def test_everyEventInEveryStateLeadsWhereTheTableSays(self) -> None:
        for state in WorkerState:
            for event in WorkerEvent:
                self.launcher = MemoryLauncher()
                worker = self.workerIn(state)
                self.happen(worker, event)
                self.assertIs(worker.state, EXPECTED[state].get(event, state), f"{event} in {state}")
                worker.stop()
                if self.launcher.started:
                    self.launcher.of(1).die()
                self.assertIs(worker.state, WorkerState.GONE)
                self.assertNoTimer()

    def test_statesHaveTheirTime(self) -> None:
        worker = self.workerIn(WorkerState.READY)
        self.clock.advance(5.0)
        self.assertEqual(worker.statistics(), WorkerStatistics(1, 1000, WorkerState.READY, 0, 0.0))
        self.launcher.of(1).die("by SIGSEGV")
        self.assertEqual(worker.statistics(), WorkerStatistics(1, None, WorkerState.WAITING, 0, 5.0))
        self.clock.advance(0.0)
        self.assertEqual(worker.statistics(), WorkerStatistics(1, 1001, WorkerState.STARTING, 1, 5.0))
        self.launcher.of(1).die("by SIGSEGV")
        worker.stop()


class SupervisorTestCase(TimerTestCase):
    """
    Has two workers in memory.
    """

    def setUp(self) -> None:
        super().setUp()
        self.launcher = MemoryLauncher()
        self.owner = WorkersDiarist()
        self.supervisor = Supervisor(self.clock, self.launcher.launch, 2, self.owner)
        self.addCleanup(self.end)

    def end(self) -> None:
        """
        Stop all.
        """
        done = self.supervisor.stop()
        for _, process in self.launcher.started:
            process.die()
        self.successResultOf(done)

    def begin(self) -> tuple[MemoryProcess, MemoryProcess]:
        """
        @return: two that are ready.
        """
        self.supervisor.start()
        processes = self.launcher.of(1), self.launcher.of(2)
        for process in processes:
            process.ready()
        return processes

    def states(self) -> list[WorkerState]:
        """
        @return: how they are.
        """
        return [worker.state for worker in self.supervisor.statistics()]

    def linesOf(self, act: Callable[[], None]) -> list[str]:
        """
        @return: what is logged meanwhile.
        """
        with capturedLogs() as events:
            act()
        return [formatEvent(event) for event in events]


class RestartTests(SupervisorTestCase):
    """
    Let workers die.
    """

    def test_ownerIsToldOfEachLife(self) -> None:
        one, two = self.begin()
        one.say(Note("hello"))
        one.die("by SIGKILL")
        self.clock.advance(0.0)
        self.launcher.of(1).ready()
        expected = [
            ("began", 1),
            ("began", 2),
            ("ready", 1),
            ("ready", 2),
            ("received", 1, Note("hello")),
            ("lost", 1),
            ("began", 1),
            ("ready", 1),
        ]
        self.assertEqual(self.owner.journal, expected)
        self.assertTrue(two.lives)

    def test_oneThatDiesAgainAndAgainIsStartedMoreAndMoreSeldom(self) -> None:
        """
        At once, then in 1, 2, 4 ... 30 s; and at once when it has run for some seconds.
        """

        def dieAndWait(delay: float, ran: float = 0.0) -> None:
            process = self.launcher.of(1)
            process.ready()
            count = len(self.launcher.started)
            for _ in range(int(ran)):
                self.clock.advance(1.0)
                process.answer()
                two.answer()
            self.assertTrue(process.lives)
            process.die("with status 1")
            if delay:
                for _ in range(int(delay) - 1):
                    self.clock.advance(1.0)
                    two.answer()
                self.clock.advance(0.9)
                self.assertEqual(len(self.launcher.started), count)
                self.clock.advance(0.1)
                two.answer()
            else:
                self.clock.advance(0.0)
            self.assertEqual(len(self.launcher.started), count + 1)

        _, two = self.begin()
        for delay in (0, 1, 2, 4, 8, 16, 30, 30, 30):
            dieAndWait(delay)
        dieAndWait(30, ran=4)
        dieAndWait(0, ran=5)
        dieAndWait(1)
        self.assertEqual([worker.restarts for worker in self.supervisor.statistics()], [12, 0])

    def test_eachDeathHasALineThatSaysHowAndWhenItIsStartedAgain(self) -> None:
        one, two = self.begin()

        def act() -> None:
            one.die("by SIGKILL")
            self.clock.advance(0.0)
            self.launcher.of(1).die("with status 0")
            two.die("with status 1")

        expected = [
            "worker 1 (process 1000) has ended by SIGKILL: it is started again at once",
            "worker 1 (process 1002) has ended with status 0: it is started again in 1 s",
            "worker 2 (process 1001) has ended with status 1: it is started again at once",
        ]
        self.assertEqual(self.linesOf(act), expected)

    def test_linesHaveABudget(self) -> None:
        """
        Whoever dies for a day does not fill the disk.
        """
        self.supervisor.start()

        def act() -> None:
            for _ in range(2000):
                for number in (1, 2):
                    self.launcher.of(number).die("with status 1")
                self.clock.advance(30.0)

        lines = self.linesOf(act)
        self.assertGreater(len(lines), 1000)
        self.assertLess(len(lines), 64 * 101 + 1)

    def test_oneThatCannotBeStartedIsTriedAgain(self) -> None:
        """
        Nobody hears of a process that there was not.
        """
        self.launcher.refuses = True
        (first, _) = self.linesOf(self.supervisor.start)
        words = "worker 1 could not be started (Resource temporarily unavailable): it is started again at once"
        self.assertEqual(first, words)
        self.assertEqual(self.owner.journal, [])
        self.clock.advance(0.0)
        self.launcher.refuses = False
        self.assertEqual(self.states(), [WorkerState.WAITING] * 2)
        self.clock.advance(1.0)
        self.assertEqual(self.owner.journal, [("began", 1), ("began", 2)])

    def test_whateverPreventsAStartTheOthersBegin(self) -> None:
        """
        It is tried again, too; and a stop does not wait for it.
        """
        launch = self.launcher.launch

        def fail(number: int, owner: ProcessOwner) -> Any:
            if number == 1:
                raise TypeError(number)
            return launch(number, owner)

        self.patch(self.launcher, "launch", fail)
        supervisor = Supervisor(self.clock, self.launcher.launch, 2, self.owner)
        with capturedLogs() as events:
            supervisor.start()
        said = formatEvent(events[-1])
        self.assertEqual(said, "worker 1 could not be started (TypeError(1)): it is started again at once")
        self.assertEqual([each.state for each in supervisor.statistics()], [WorkerState.WAITING, WorkerState.STARTING])
        self.clock.advance(0)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 2)
        done = supervisor.stop()
        self.launcher.of(2).die()
        self.successResultOf(done)

    def test_startsThatFailAreCounted(self) -> None:
        """
        In a row, until one gets ready; but not those for which the system had too little just then.
        """
        self.supervisor.start()
        one, two = self.launcher.of(1), self.launcher.of(2)
        two.ready()
        one.die("with status 1")
        self.launcher.refuses = True
        self.clock.advance(0)
        self.launcher.refuses = False
        self.clock.advance(1)
        self.launcher.of(1).die("with status 1")
        self.assertEqual(self.owner.failures, [(1, 1), (1, 2)])
        self.clock.advance(2)
        self.launcher.of(1).ready()
        self.launcher.of(1).die("with status 1")
        two.die("with status 1")
        self.clock.advance(30)
        self.assertEqual(self.owner.failures, [(1, 1), (1, 2)])
        self.launcher.of(1).die("with status 1")
        self.assertEqual(self.owner.failures[2:], [(1, 1)])

    def test_whoCannotBeToldWhatToDoIsEnded(self) -> None:
        """
        It would be there and do nothing.
        """

        def fail(entry: tuple[object, ...]) -> None:
            if entry == ("began", 2):
                raise LookupError

        self.owner.act = fail
        self.supervisor.start()
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)
        self.assertEqual([self.launcher.of(number).channel.ended for number in (1, 2)], [[], ["abort"]])

    def test_whoAnswersAndIsNeverReadyIsEnded(self) -> None:
        """
        What it answers does not help its clients.
        """
        self.supervisor.start()
        one = self.launcher.of(1)
        pace = WorkerPace()
        for _ in range(pace.startTicks):
            one.answer()
            self.clock.advance(pace.tickSeconds)
        self.assertEqual(one.signals, [])
        lines = self.linesOf(lambda: self.clock.advance(pace.tickSeconds))
        self.assertEqual(lines[0], "worker 1 (process 1000) is not ready after 60 s: it is ended")
        self.assertEqual(one.signals, [signal.SIGABRT])

    def test_whatAnOwnerRaisesCostsNothingElse(self) -> None:
        def fail(_: tuple[object, ...]) -> None:
            raise LookupError

        self.owner.act = fail
        one, _ = self.begin()
        one.die()
        self.clock.advance(0.0)
        self.assertEqual(self.states(), [WorkerState.STARTING, WorkerState.READY])
        self.owner.act = lambda _: None
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 6)

    def test_ownerMaySendFromTheBeginning(self) -> None:
        """
        Not to one that is gone.
        """
        self.owner.act = lambda entry: sent.append(self.supervisor.send(1, Note(str(entry[0])), ()))
        sent: list[bool] = []
        one, _ = self.begin()
        self.assertEqual(one.channel.messages()[0], Note("began"))
        self.assertEqual(sent, [True] * 4)
        self.assertTrue(self.supervisor.hasRoom(1))
        one.channel.hasRoom = False
        self.assertFalse(self.supervisor.hasRoom(1))
        one.loseChannel()
        self.assertFalse(self.supervisor.send(1, Note("lost")))
        self.assertFalse(self.supervisor.hasRoom(1))
        one.die()
        self.assertFalse(sent[-1])
        self.assertFalse(self.supervisor.send(1, Note("gone")))

    def test_theyHaveNumbersFromOneOn(self) -> None:
        self.assertEqual(self.supervisor.numbers, (1, 2))


class HangTests(SupervisorTestCase):
    """
    Let workers say nothing.
    """

    def pass_(self, seconds: int, *answering: MemoryProcess) -> None:
        """
        Let time pass, in which some answer.
        """
        for _ in range(seconds):
            self.clock.advance(1.0)
            for process in answering:
                process.answer()

    def test_whoAnswersLives(self) -> None:
        one, two = self.begin()
        self.pass_(1000, one, two)
        self.assertEqual(one.signals + two.signals, [])

    def test_whoDoesNotAnswerIsAskedWhereItHangsAndEnded(self) -> None:
        """
        After ten questions.
        """
        one, two = self.begin()
        self.pass_(10, two)
        self.assertEqual(one.channel.messages(), [AliveQuestion(number) for number in range(1, 11)])
        self.assertEqual(one.signals, [])
        (line,) = self.linesOf(lambda: self.pass_(1, two))
        self.assertEqual(line, "worker 1 (process 1000) has not answered for 10 s: it is ended")
        self.assertEqual(one.signals, [signal.SIGABRT])
        self.pass_(1, two)
        self.assertEqual(one.signals, [signal.SIGABRT, signal.SIGKILL])
        self.clock.advance(0.0)
        self.assertEqual(self.states(), [WorkerState.STARTING, WorkerState.READY])

    def test_whoEndsByTheFirstSignalIsNotSentASecond(self) -> None:
        one, two = self.begin()
        self.pass_(11, two)
        one.die("by SIGABRT")
        self.clock.advance(0.0)
        self.pass_(5, two, self.launcher.of(1))
        self.assertEqual(one.signals, [signal.SIGABRT])

    def test_whoStartsHasMoreTime(self) -> None:
        self.supervisor.start()
        one, two = self.launcher.of(1), self.launcher.of(2)
        self.pass_(60, two)
        self.assertEqual(one.signals, [])
        self.pass_(1, two)
        self.assertEqual(one.signals, [signal.SIGABRT])

    def test_aTimeInWhichNobodyLookedDoesNotCount(self) -> None:
        """
        Our process was stopped, or the machine has slept.
        """
        one, two = self.begin()
        for _ in range(5):
            self.clock.advance(3600.0)
        self.assertEqual(one.signals + two.signals, [])
        self.pass_(20, one, two)
        self.assertEqual(one.signals + two.signals, [])

    def test_answersThatNobodyAskedForAreRefused(self) -> None:
        """
        As is what only a parent says.
        """
        one, _ = self.begin()
        self.pass_(2, one)
        for number in (0, 1, 2, 3, -1):
            self.assertRaises(PeerError, one.say, AliveAnswer(number))
        self.assertRaises(PeerError, one.say, StopWorker())
        self.assertRaises(PeerError, one.say, AliveQuestion(3))

    def test_whoLosesItsChannelIsEnded(self) -> None:
        one, _ = self.begin()
        one.loseChannel()
        self.assertEqual(one.signals, [])
        self.clock.advance(1.0)
        self.assertEqual(one.signals, [signal.SIGKILL])

    def test_whereNobodyTellsOfDeathsItIsLooked(self) -> None:
        """
        In a program whose reactor leaves signals alone.
        """
        one, two = self.begin()
        two.reaped = 0
        one.loseChannel()
        self.assertEqual(one.reaped, 1)
        one.unseen = "with status 3"
        (line,) = self.linesOf(lambda: self.pass_(1, two))
        self.assertEqual(line, "worker 1 (process 1000) has ended with status 3: it is started again at once")
        self.assertEqual(two.reaped, 0)


class StopTests(SupervisorTestCase):
    """
    Stop them.
    """

    def test_allAreAskedToStop(self) -> None:
        processes = self.begin()
        done = self.supervisor.stop()
        for process in processes:
            self.assertTrue(process.wasAskedToStop)
            self.assertNoResult(done)
            process.die()
        self.successResultOf(done)
        self.assertNoTimer()
        self.assertEqual(self.states(), [WorkerState.GONE] * 2)
        self.assertEqual(self.owner.journal[-2:], [("lost", 1), ("lost", 2)])

    def test_whoDoesNotIsEnded(self) -> None:
        """
        So that all have ended within five seconds.
        """
        one, two = self.begin()
        done = self.supervisor.stop()
        two.die()
        self.clock.advance(4.6)
        self.assertEqual(one.signals, [])
        lines = self.linesOf(lambda: self.clock.advance(0.2))
        words = [
            "worker 1 has not stopped in 4.7 s: it is ended with force",
        ]
        self.assertEqual(lines, words)
        self.successResultOf(done)

    def test_whoHasNotStartedIsEndedSoon(self) -> None:
        """
        It would hear of the stop only when it has started, which may take longer.
        """
        self.supervisor.start()
        one, two = self.launcher.of(1), self.launcher.of(2)
        done = self.supervisor.stop()
        two.die()
        self.clock.advance(0.9)
        self.assertEqual(one.signals, [])
        lines = self.linesOf(lambda: self.clock.advance(0.2))
        self.assertEqual((lines, one.signals), ([], [signal.SIGKILL]))
        self.successResultOf(done)

    def test_whoEndsInGoodOrderIsNotTalkedAbout(self) -> None:
        processes = self.begin()

        def act() -> None:
            self.supervisor.stop()
            for process in processes:
                process.die()

        self.assertEqual(self.linesOf(act), [])

    def test_whoWaitsForItsStartNeverStarts(self) -> None:
        one, two = self.begin()
        one.die("by SIGSEGV")
        done = self.supervisor.stop()
        two.die()
        self.successResultOf(done)
        self.clock.advance(100.0)
        self.assertEqual(len(self.launcher.started), 2)

    def test_whoIsAboutToBeEndedIsEndedSoon(self) -> None:
        one, two = self.begin()
        one.loseChannel()
        done = self.supervisor.stop()
        two.die()
        self.clock.advance(1.0)
        self.successResultOf(done)
        self.assertEqual(one.signals, [signal.SIGKILL])

    def test_whoHasDiedUnseenIsSeen(self) -> None:
        one, two = self.begin()
        done = self.supervisor.stop()
        two.die()
        one.loseChannel()
        one.unseen = "with status 0"
        self.clock.advance(1.0)
        self.successResultOf(done)

    def test_stopTwiceIsOneStop(self) -> None:
        """
        Each caller is told.
        """
        processes = self.begin()
        first, second = self.supervisor.stop(), self.supervisor.stop()
        self.assertRaises(RuntimeError, self.supervisor.start)
        for process in processes:
            process.die()
            self.assertEqual(process.channel.messages().count(StopWorker()), 1)
        self.successResultOf(first)
        self.successResultOf(second)
        self.successResultOf(self.supervisor.stop())

    def test_theyMayBeStartedAfterThat(self) -> None:
        """
        As at first: at once after a death.
        """
        for _ in range(2):
            one, _ = self.begin()
            self.supervisor.start()
            one.die("by SIGSEGV")
            self.clock.advance(0.0)
            self.end()
        self.assertEqual(len(self.launcher.started), 6)

    def test_theOneWhoIsToldMayStartThemAgain(self) -> None:
        self.begin()
        self.supervisor.stop().addCallback(lambda _: self.supervisor.start())
        for _, process in list(self.launcher.started):
            process.die()
        self.assertEqual(self.states(), [WorkerState.STARTING] * 2)
        self.clock.advance(1.0)
        self.assertEqual(self.launcher.of(1).channel.messages(), [AliveQuestion(1)])

    def test_stopFromInsideOfAStart(self) -> None:
        self.owner.act = lambda entry: stops.append(self.supervisor.stop()) if entry[0] == "began" else None
        stops: list[object] = []
        self.supervisor.start()
        self.assertGreaterEqual(len(stops), 1)
        for _, process in list(self.launcher.started):
            self.assertTrue(process.wasAskedToStop)

    def test_beforeAStartThereIsNothingToStop(self) -> None:
        self.successResultOf(self.supervisor.stop())


class DelayTests(TimerTestCase):
    """
    Choose when to start again.
    """

    def test_delays(self) -> None:
        restarts = Restarts(60.0)
        found = [restarts.delayAfter(ran) for ran in (0, 0, 0, 0, 0, 0, 0, 59.9, 60.0, 0, 0)]
        self.assertEqual(found, [0, 1, 2, 4, 8, 16, 30, 30, 0, 1, 2])
