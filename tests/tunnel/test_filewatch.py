"""
Files that change while the program runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.threads import HeldThreads, WithThreads
from uotp.errors import ConfigurationError
from uotp.process import Aside
from uotp.tunnel.filewatch import FILES_LOOK_SECONDS, LOOKS_UNTIL_AGAIN, LOOKS_UNTIL_ANYWAY, FileWatch


class ChangingFiles:
    """
    Are the files of some credentials, by numbers.

    @ivar there: the number of what is there now.
    @ivar stampRead: the number of what was read last.
    @ivar trouble: why it cannot be used.
    @ivar isNew: whether it says anything new.
    @ivar reads: the numbers of what was read.
    """

    def __init__(self) -> None:
        self.there: int | None = 0
        self.stampRead: int | None = 0
        self.trouble: str | None = None
        self.isNew = True
        self.reads: list[int | None] = []
        self.later: Deferred[bool] | None = None

    def stamp(self) -> int | None:
        """
        Look at it.
        """
        return self.there

    def read(self) -> Deferred[bool]:
        """
        Use it.
        """
        self.stampRead = self.there
        self.reads.append(self.there)
        if self.trouble is not None:
            return fail(ConfigurationError(self.trouble))
        return succeed(self.isNew) if self.later is None else self.later


class FileWatchTests(SynchronousTestCase):
    """
    Change files, and look.
    """

    def setUp(self) -> None:
        self.files = ChangingFiles()
        self.tried: list[str] = []
        credentials: Any = self.files
        self.uncounted = 0
        self.trouble = ""
        self.watch = FileWatch(credentials, self.files.read, self.noteTried, lambda: self.trouble, Aside(Clock()))
        capture = capturedLogs()
        self.events: Sequence[dict[str, Any]] = capture.__enter__()
        self.addCleanup(capture.__exit__, None, None, None)

    def noteTried(self, trouble: str, isCounted: bool) -> None:  # noqa: FBT001 - so it is called
        self.trouble = trouble
        if isCounted:
            self.tried.append(trouble)
        else:
            self.assertEqual(trouble, "")
            self.uncounted += 1

    def change(self, looks: int = 2) -> None:
        """
        Other files are there, and are looked at.
        """
        self.files.there = (self.files.there or 0) + 1
        for _ in range(looks):
            self.watch.look()

    def said(self) -> list[tuple[LogLevel, str]]:
        return [(event["log_level"], formatEvent(event)) for event in self.events]

    def test_whatDoesNotChangeIsNotRead(self) -> None:
        for _ in range(5):
            self.watch.look()
        self.assertEqual((self.files.reads, self.tried, self.said()), ([], [], []))

    def test_whatHasChangedIsReadWhenItIsSteady(self) -> None:
        """
        So not while somebody writes one file after the other.
        """
        for _ in range(3):
            self.change(looks=1)
        self.assertEqual(self.files.reads, [])
        for _ in range(3):
            self.watch.look()
        self.assertEqual((self.files.reads, self.tried), ([3], [""]))
        self.assertEqual(self.said(), [])  # who uses them says which files they are

    def test_whatCannotBeUsedIsSaidOnceAndTriedAgainWhenItChanges(self) -> None:
        self.files.trouble = "the key does not match"
        for _ in range(2):
            self.change(looks=5)
        self.files.trouble = None
        self.change()
        words = "certificates, keys or lists have changed and cannot be used, so all old ones stay in use: the key does"
        levels = [(level, text.startswith(words)) for level, text in self.said()]
        self.assertEqual(levels, [(LogLevel.error, True), (LogLevel.error, True)])
        self.assertEqual((self.files.reads, self.tried), ([1, 2, 3], ["the key does not match"] * 2 + [""]))

    def test_whatSaysTheSameIsNoNews(self) -> None:
        """
        Somebody has touched a file.
        """
        self.files.isNew = False
        self.change(looks=5)
        self.assertEqual((self.files.reads, self.tried, self.said()), ([1], [], []))

    def test_whatIsAgainAsItWasIsNoTroubleAnyMore(self) -> None:
        """
        Somebody has put a bad file there, and then the old one back.
        """
        self.files.trouble = "the key does not match"
        self.change()
        self.assertEqual(self.uncounted, 0)
        self.files.trouble, self.files.isNew = None, False
        self.change(looks=5)
        self.assertEqual((self.tried, self.uncounted), (["the key does not match"], 1))
        words = "certificates, keys and lists can be used again; they say what is in use already"
        self.assertEqual(self.said()[1:], [(LogLevel.info, words)])
        self.change(looks=5)
        self.assertEqual(len(self.said()), 2)

    def test_whatAReloadHasFoundIsTriedAgainAndSaidNoMoreThanOnce(self) -> None:
        """
        SIGHUP has read files that cannot be used.
        """
        self.files.trouble = self.trouble = "the key does not match"
        self.files.there = self.files.stampRead = 1
        for _ in range(LOOKS_UNTIL_AGAIN + 1):
            self.watch.look()
        self.assertEqual((self.files.reads, self.said()), ([1], []))
        self.files.trouble, self.files.isNew = None, False
        self.change()
        self.assertEqual([level for level, _ in self.said()], [LogLevel.info])

    def test_whatAReloadCouldUseIsNoTroubleAnyMore(self) -> None:
        """
        Which was said by whoever asked for it.
        """
        self.files.trouble = "the key does not match"
        self.change()
        self.trouble = ""
        for _ in range(2 * LOOKS_UNTIL_AGAIN):
            self.watch.look()
        self.assertEqual((self.files.reads, len(self.said())), ([1], 1))

    def test_whatChangesAtEachLookIsReadAllTheSame(self) -> None:
        """
        Somebody writes a list each second: who is taken out of it has to go.
        """
        for _ in range(2 * LOOKS_UNTIL_ANYWAY):
            self.change(looks=1)
        self.assertEqual(self.files.reads, [LOOKS_UNTIL_ANYWAY, 2 * LOOKS_UNTIL_ANYWAY])

    def test_whatCannotBeUsedNowIsTriedAgainAfterAWhile(self) -> None:
        """
        It was there when no descriptor was left.
        """
        self.files.trouble = "too many open files"
        self.change(looks=2 + 3 * LOOKS_UNTIL_AGAIN)
        self.assertEqual((len(self.files.reads), self.tried, len(self.said())), (4, ["too many open files"], 1))
        self.files.trouble = None
        for _ in range(3 * LOOKS_UNTIL_AGAIN):
            self.watch.look()
        self.assertEqual((len(self.files.reads), self.tried), (5, ["too many open files", ""]))
        self.assertEqual(len(self.said()), 1)

    def test_anotherReasonIsSaid(self) -> None:
        self.files.trouble = "too many open files"
        self.change()
        self.files.trouble = "it is not valid yet"
        for _ in range(LOOKS_UNTIL_AGAIN):
            self.watch.look()
        self.assertEqual(self.tried, ["too many open files", "it is not valid yet"])
        self.assertEqual(len(self.said()), 2)

    def test_whatWasReadMeanwhileIsNotReadAgain(self) -> None:
        """
        By SIGHUP, with whatever outcome.
        """
        self.files.there = self.files.stampRead = 7
        self.watch.look()
        self.watch.look()
        self.assertEqual(self.files.reads, [])

    def test_whatIsHiddenIsSaidOnceAndNothingIsRead(self) -> None:
        """
        In a chroot, for example.
        """
        self.files.there = None
        for _ in range(5):
            self.watch.look()
        self.assertEqual((self.files.reads, self.tried), ([], []))
        ((level, text),) = self.said()
        self.assertEqual(level, LogLevel.info)
        self.assertIn("cannot be seen from here", text)

    def test_aLookThatHangsIsTheOnlyOne(self) -> None:
        """
        A network file system hangs.  The program goes on, and what has changed is taken up when it is back.
        """
        clock, threads = Clock(), HeldThreads()
        credentials: Any = self.files
        aside = Aside(WithThreads(clock), threads.start)
        watch = FileWatch(credentials, self.files.read, self.noteTried, lambda: self.trouble, aside)
        for _ in range(20):
            watch.look()
            clock.advance(FILES_LOOK_SECONDS)
        self.assertEqual(len(threads.waiting), 1)
        ((level, text),) = self.said()
        self.assertEqual(level, LogLevel.warn)
        self.assertIn("a file system hangs", text)
        self.files.there = 1
        for _ in range(2):
            threads.run()
            clock.advance(FILES_LOOK_SECONDS)
            watch.look()
        threads.run()
        clock.advance(0)
        self.assertEqual((self.files.reads, self.tried), ([1], [""]))

    def test_noThreadForALookIsNoTrouble(self) -> None:
        """
        The next look has one.
        """
        clock, threads = Clock(), HeldThreads()
        credentials: Any = self.files
        aside = Aside(WithThreads(clock), threads.start)
        watch = FileWatch(credentials, self.files.read, self.noteTried, lambda: self.trouble, aside)
        threads.hasRoom = False
        self.files.there = 1
        watch.look()
        clock.advance(0)
        threads.hasRoom = True
        for _ in range(2):
            watch.look()
            threads.run()
            clock.advance(0)
        self.assertEqual((self.files.reads, self.said()[1:]), ([1], []))

    def test_workersMayTakeTheirTime(self) -> None:
        self.files.later = Deferred()
        self.change(looks=5)
        self.assertEqual((self.files.reads, self.tried), ([1], []))
        self.files.later.errback(ConfigurationError("worker 1: it cannot"))
        self.assertEqual(self.tried, ["worker 1: it cannot"])
        self.assertIn("worker 1: it cannot", self.said()[0][1])
