"""
What a service manager hears of our programs.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from uotp.cli.announcement import READY_SECONDS, Announcement
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

    def test_serviceIsReadyWhenItsEndIs(self) -> None:
        self.announcement.begin()
        self.announcement.around(lambda: None)
        self.clock.advance(READY_SECONDS - 1)
        self.assertEqual(self.told, ["STATUS=looking up the server's name"])
        self.ready.callback(None)
        self.assertEqual(self.told[1:], ["READY=1 STATUS=running"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

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
