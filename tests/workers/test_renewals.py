"""
How workers change to new files together, message by message.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from tests.doubles.contracts import TimerTestCase
from uotp.errors import ConfigurationError, PeerError
from uotp.workers.reasons import MOST_REASON_LENGTH
from uotp.workers.renewals import PREPARE_SECONDS, Renewals
from uotp.workers.work import AdoptFiles, FilesPrepared, PrepareFiles

FILES = {"/etc/cert.pem": b"new"}


class RenewalsTests(TimerTestCase):
    """
    Lead some workers through renewals.
    """

    def setUp(self) -> None:
        super().setUp()
        self.sent: list[tuple[int, object]] = []
        self.unreachable: set[int] = set()
        self.error: Exception | None = None
        self.adopted = 0
        self.renewals = Renewals(self.send, self.clock)

    def send(self, worker: int, message: object) -> bool:
        if self.error is not None:
            raise self.error
        if worker in self.unreachable:
            return False
        self.sent.append((worker, message))
        return True

    def adopt(self) -> None:
        self.adopted += 1

    def renew(self, *workers: int) -> Deferred[None]:
        return self.renewals.renew(FILES, workers, self.adopt)

    def took(self) -> list[tuple[int, object]]:
        """
        @return: what was sent since this was asked last.
        """
        sent, self.sent = self.sent, []
        return sent

    def answer(self, worker: int, renewal: int = 1, reason: str = "") -> None:
        self.renewals.prepared(worker, FilesPrepared(renewal, reason))

    def test_allUseItWhenAllHavePrepared(self) -> None:
        """
        We last.
        """
        self.assertIsNone(self.renewals._done)
        done = self.renew(1, 2)
        self.assertIsNotNone(self.renewals._done)
        self.assertEqual(self.took(), [(1, PrepareFiles(1, FILES)), (2, PrepareFiles(1, FILES))])
        self.answer(2)
        self.assertEqual((self.took(), self.adopted), ([], 0))
        self.answer(1)
        self.assertEqual((self.took(), self.adopted), ([(1, AdoptFiles(1)), (2, AdoptFiles(1))], 1))
        self.successResultOf(done)
        self.assertIsNone(self.renewals._done)

    def test_whereThereIsNobodyItIsUsedAtOnce(self) -> None:
        self.successResultOf(self.renew())
        self.assertEqual((self.sent, self.adopted), ([], 1))

    def test_whoCannotBeReachedIsNotWaitedFor(self) -> None:
        """
        It is about to end, and the next one begins with the new files.
        """
        self.unreachable = {1}
        done = self.renew(1, 2)
        self.took()
        self.answer(2)
        self.assertEqual(self.took(), [(2, AdoptFiles(1))])
        self.successResultOf(done)

    def test_oneAtATime(self) -> None:
        self.renew(1)
        self.assertRaises(RuntimeError, self.renew, 1)
        self.answer(1)
        self.took()
        self.renew(1)
        self.assertEqual(self.took(), [(1, PrepareFiles(2, FILES))])
        self.answer(1, 2)

    def test_oneThatCannotStopsAll(self) -> None:
        """
        Those that have prepared are told nothing, and later answers change nothing.
        """
        done = self.renew(1, 2, 3)
        self.took()
        self.answer(1)
        self.answer(2, reason="no such curve")
        error = self.failureResultOf(done, ConfigurationError).value
        self.assertEqual(str(error), "worker 2: no such curve")
        self.answer(3, reason="neither can we")
        self.answer(3)
        self.assertEqual((self.sent, self.adopted, self.renewals._done), ([], 0, None))

    def test_aReasonIsShortAndOneLine(self) -> None:
        done = self.renew(1)
        self.answer(1, reason="no\n\x1b[31mred" + "x" * 10000)
        error = self.failureResultOf(done, ConfigurationError).value
        said = str(error)
        self.assertTrue(said.startswith("worker 1: no??[31mredxxx"), said)
        self.assertEqual(len(said), len("worker 1: ") + MOST_REASON_LENGTH)

    def test_whatNobodyWasAskedForIsRefused(self) -> None:
        """
        Whoever is not awaited must not make others wait less.
        """
        self.renew(1, 2)
        self.answer(1)
        for worker, renewal in ((1, 1), (3, 1), (1, 2), (2, 2)):
            self.assertRaises(PeerError, self.answer, worker, renewal)
        self.assertEqual(self.adopted, 0)
        self.answer(2)
        self.answer(2)
        self.answer(2, 7)
        self.assertEqual(self.adopted, 1)

    def test_answersToTheLastRenewalChangeNothing(self) -> None:
        """
        Not those that say no, either.
        """
        done = self.renew(1, 2)
        self.answer(2, reason="no")
        self.failureResultOf(done, ConfigurationError)
        again = self.renew(1, 2)
        self.took()
        self.answer(1, 1)
        self.answer(1, 1, "no")
        self.assertNoResult(again)
        self.answer(1, 2)
        self.answer(2, 2)
        self.assertEqual(self.took(), [(1, AdoptFiles(2)), (2, AdoptFiles(2))])
        self.successResultOf(again)

    def test_whoPreparedBeforeHasToPrepareAgain(self) -> None:
        """
        What it has prepared are other files.
        """
        done = self.renew(1, 2)
        self.answer(1)
        self.answer(2, reason="no")
        self.failureResultOf(done, ConfigurationError)
        self.took()
        again = self.renew(2)
        self.answer(2, 2)
        self.assertEqual(self.took(), [(2, PrepareFiles(2, FILES)), (2, AdoptFiles(2))])
        self.successResultOf(again)

    def test_oneThatIsGoneIsNotWaitedFor(self) -> None:
        """
        Whether or not it had prepared.
        """
        done = self.renew(1, 2, 3)
        self.took()
        self.answer(1)
        self.renewals.lost(1)
        self.renewals.lost(2)
        self.assertNoResult(done)
        self.answer(3)
        self.assertEqual(self.took(), [(3, AdoptFiles(1))])
        self.successResultOf(done)

    def test_theLastThatIsAwaitedMayBeGone(self) -> None:
        done = self.renew(1, 2)
        self.took()
        self.answer(1)
        self.renewals.lost(2)
        self.assertEqual(self.took(), [(1, AdoptFiles(1))])
        self.successResultOf(done)

    def test_oneThatBeginsMeanwhileTakesPart(self) -> None:
        """
        Also in the place of one that had prepared.
        """
        done = self.renew(1, 2)
        self.answer(1)
        self.renewals.lost(1)
        self.took()
        self.renewals.began(1)
        self.assertEqual(self.took(), [(1, PrepareFiles(1, FILES))])
        self.answer(2)
        self.assertNoResult(done)
        self.answer(1)
        self.assertEqual(self.took(), [(1, AdoptFiles(1)), (2, AdoptFiles(1))])
        self.successResultOf(done)

    def test_oneThatBeginsAndCannotBeReachedIsNotWaitedFor(self) -> None:
        done = self.renew(1, 2)
        self.renewals.lost(1)
        self.unreachable = {1}
        self.renewals.began(1)
        self.answer(2)
        self.successResultOf(done)

    def test_oneThatBeginsOtherwiseIsSentNothing(self) -> None:
        """
        It has the files already, and these hold a key.
        """
        self.renewals.began(1)
        done = self.renew(1)
        self.answer(1, reason="no")
        self.failureResultOf(done, ConfigurationError)
        self.took()
        self.renewals.began(2)
        self.renewals.lost(2)
        self.assertEqual((self.sent, self.renewals._contents), ([], {}))

    def test_nobodyIsWaitedForWithoutEnd(self) -> None:
        """
        Who lives and does not prepare was taken over, or hangs somewhere.
        """
        done = self.renew(1, 2, 3)
        self.answer(1)
        self.clock.advance(PREPARE_SECONDS - 0.1)
        self.assertNoResult(done)
        self.clock.advance(0.1)
        error = self.failureResultOf(done, ConfigurationError).value
        self.assertEqual(str(error), "worker 2 has not prepared for it in 30 s")
        self.answer(2)
        self.assertEqual(self.adopted, 0)

    def test_whatCannotBeSentIsNoRenewal(self) -> None:
        """
        The next one is tried as if nothing had been.
        """
        self.error = ValueError("it is too long")
        self.assertRaises(ValueError, self.renew, 1)
        self.assertIsNone(self.renewals._done)
        self.error = None
        done = self.renew(1)
        self.answer(1, 2)
        self.successResultOf(done)

    def test_whatWeCannotUseAfterAllIsTold(self) -> None:
        def fail() -> Any:
            raise ZeroDivisionError

        done = self.renewals.renew(FILES, [1], fail)
        self.answer(1)
        self.failureResultOf(done, ZeroDivisionError)
        self.assertIsNone(self.renewals._done)
