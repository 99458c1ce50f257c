"""
What a service manager hears of our programs.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from uotp.cli.announcement import READY_SECONDS, STATUS_SECONDS, Announcement
from uotp.errors import StartError
from uotp.process.notify import ServiceNotifier


class AnnouncementTests(SynchronousTestCase):
    """
    Start an end, reload it, and stop it.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.ready: Deferred[None] = Deferred()
        self.told: list[str] = []
        self.isHeard = True
        self.patch(ServiceNotifier, "isHeard", property(lambda _: self.isHeard))
        self.patch(ServiceNotifier, "_send", lambda _, *lines: self.told.append(" ".join(lines).partition(" MONO")[0]))
        self.announcement = Announcement(ServiceNotifier({}), lambda: self.ready, self.clock)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.endIt)

    def endIt(self) -> None:
        """
        Stop what a test has begun.
        """
        self.announcement.end()

    def test_allOfALifeIsTold(self) -> None:
        self.ready = succeed(None)
        self.announcement.begin()
        self.assertEqual(self.told, ["READY=1 STATUS=running"])
        self.successResultOf(self.announcement.around(lambda: self.told.append("reload")))
        self.assertEqual(self.told[1:], ["RELOADING=1", "reload", "READY=1"])
        self.announcement.end()
        self.assertEqual(self.told[4:], ["STOPPING=1"])

    def test_aReloadThatRaisesIsOverToo(self) -> None:
        """
        Whoever wanted it has the error.
        """

        def reload() -> None:
            raise ZeroDivisionError

        self.ready = succeed(None)
        self.announcement.begin()
        self.failureResultOf(self.announcement.around(reload), ZeroDivisionError)
        self.assertEqual(self.told[1:], ["RELOADING=1", "READY=1"])

    def test_aReloadMayTakeTime(self) -> None:
        """
        Workers prepare new files before all of them use these.
        """
        self.ready = succeed(None)
        self.announcement.begin()
        done: Deferred[None] = Deferred()
        self.announcement.around(lambda: done)
        self.assertEqual(self.told[1:], ["RELOADING=1"])
        done.callback(None)
        self.assertEqual(self.told[1:], ["RELOADING=1", "READY=1"])

    def test_itIsReadyAgainAfterTheLastReload(self) -> None:
        """
        More are asked for while one is under way.
        """
        self.ready = succeed(None)
        self.announcement.begin()
        several: list[Deferred[None]] = [Deferred(), Deferred()]
        for each in several:
            self.announcement.around(lambda each=each: each)  # type: ignore[misc]
        several[0].callback(None)
        self.assertEqual(self.told[1:], ["RELOADING=1"] * 2)
        several[1].callback(None)
        self.assertEqual(self.told[1:], ["RELOADING=1"] * 2 + ["READY=1"])

    def test_whoStopsIsNotReadyAgain(self) -> None:
        """
        A reload is given up then.
        """
        self.ready = succeed(None)
        self.announcement.begin()
        done: Deferred[None] = Deferred()
        self.announcement.around(lambda: done)
        self.announcement.end()
        done.callback(None)
        self.assertEqual(self.told[1:], ["RELOADING=1", "STOPPING=1"])

    def useStatus(self) -> None:
        """
        Let the end say how it is, and whether it lives.
        """
        self.status, self.isAlive = "1 session", True
        self.announcement = Announcement(
            ServiceNotifier({}),
            lambda: self.ready,
            self.clock,
            status=lambda: self.status,
            isAlive=lambda: self.isAlive,
        )

    def test_theStatusIsToldWhenItHasChanged(self) -> None:
        """
        And no more often than somebody reads it.
        """
        self.useStatus()
        self.ready = succeed(None)
        self.announcement.begin()
        self.assertEqual(self.told, ["READY=1 STATUS=1 session"])
        self.clock.pump([STATUS_SECONDS] * 3)
        self.assertEqual(self.told[1:], [])
        for self.status in ("2 sessions", "3 sessions"):
            self.clock.advance(STATUS_SECONDS / 2)
        self.announcement.trouble = "the files were not taken up: no certificate"
        self.clock.advance(STATUS_SECONDS)
        expected = ["STATUS=3 sessions", "STATUS=3 sessions; the files were not taken up: no certificate"]
        self.assertEqual(self.told[1:], expected)

    def test_signsOfLifeAreGivenTwiceInTheirTime(self) -> None:
        """
        From the beginning on, and only while the end does its work.
        """
        self.patch(ServiceNotifier, "watchdogSeconds", property(lambda _: 30.0))
        self.useStatus()
        self.announcement.begin()
        self.assertEqual(self.told[0], "WATCHDOG=1")
        self.clock.pump([5.0] * 6)
        self.assertEqual(self.told.count("WATCHDOG=1"), 3)
        self.isAlive = False
        self.clock.pump([5.0] * 6)
        self.assertEqual(self.told.count("WATCHDOG=1"), 3)
        self.isAlive = True
        self.clock.advance(15.0)
        self.assertEqual(self.told.count("WATCHDOG=1"), 4)

    def test_whoWantsNoSignsGetsNone(self) -> None:
        self.useStatus()
        self.announcement.begin()
        self.clock.advance(50.0)
        self.assertNotIn("WATCHDOG=1", self.told)

    def test_serviceIsReadyWhenItsEndIs(self) -> None:
        self.announcement.begin()
        self.announcement.around(lambda: None)
        self.clock.advance(READY_SECONDS - 1)
        self.assertEqual(self.told, ["STATUS=looking up the server's name"])
        self.ready.callback(None)
        self.assertEqual(self.told[1:], ["READY=1 STATUS=running"])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)  # for the status

    def test_whatCanNeverBeReadyIsNot(self) -> None:
        """
        The program ends, and that is told then.
        """
        self.announcement.begin()
        self.ready.errback(StartError("no worker can be started"))
        self.clock.advance(READY_SECONDS)
        self.assertEqual(self.told, ["STATUS=looking up the server's name"])

    def test_bootDoesNotWaitForAName(self) -> None:
        """
        It is said to the log why what comes after this program has begun without it.
        """
        self.announcement.begin()
        with capturedLogs() as events:
            self.clock.advance(READY_SECONDS)
        self.assertEqual(self.told[1:], ["READY=1 STATUS=the server's name is not found yet"])
        (said,) = [formatEvent(event) for event in events]
        self.assertIn("the server's name is not found yet: after 60 s", str(said))
        self.ready.callback(None)
        self.assertEqual(self.told[2:], ["READY=1 STATUS=running"])

    def test_itIsSaidWhatIsWaitedFor(self) -> None:
        """
        A server with workers looks up no name.
        """
        waits = ("starting workers", "not all workers are ready yet")
        self.announcement = Announcement(ServiceNotifier({}), lambda: self.ready, self.clock, *waits)
        self.announcement.begin()
        with capturedLogs() as events:
            self.clock.advance(READY_SECONDS)
        self.assertEqual(self.told, ["STATUS=starting workers", "READY=1 STATUS=not all workers are ready yet"])
        (said,) = [formatEvent(event) for event in events]
        words = "not all workers are ready yet: after 60 s what waits for this program is started"
        self.assertEqual(said, words)

    def test_stopBeforeAllIsReadyIsTheLastThatIsTold(self) -> None:
        self.announcement.begin()
        self.announcement.end()
        self.ready.callback(None)
        self.assertEqual(self.told[1:], ["STOPPING=1"])

    def test_whatHasStoppedBeforeTheReactorRunsIsNotReady(self) -> None:
        self.announcement.end()
        self.announcement.begin()
        self.assertEqual(self.told, ["STOPPING=1"])

    def test_whereNobodyListensNothingIsWaitedFor(self) -> None:
        self.isHeard = False
        self.announcement.begin()
        self.assertEqual((self.told, self.clock.getDelayedCalls()), ([], []))
