"""
Networks that count connections, or what each carries: how they are told from bad days, and what
is done then.
"""

from __future__ import annotations

from twisted.internet import error
from twisted.trial.unittest import SynchronousTestCase

from tests.client.slots import REFUSAL, SESSION_ID, SlotTestCase
from tests.doubles.dialling import Attempt
from tests.doubles.sessions import RecordingSession
from uotp.boundaries import Security
from uotp.client.connectionlimit import (
    HEARD_SECONDS,
    LEAST_SPAN_SECONDS,
    MANY_FAILURES,
    TRY_SECONDS,
    ConnectionLimit,
)
from uotp.client.pool import Pool
from uotp.client.volumelimit import (
    ALIKE,
    ENDS_APART_SECONDS,
    KEPT_SECONDS,
    LEAST_VOLUME_BYTES,
    REPLACED_SHARE,
    VolumeLimit,
)
from uotp.errors import LookupFailed
from uotp.wire.negotiation import WireChoice

MEGABYTE = 1 << 20


class ConnectionLimitTests(SynchronousTestCase):
    """
    Let attempts fail.
    """

    def setUp(self) -> None:
        self.found: list[int] = []
        self.limit = ConnectionLimit(self.found.append)
        self.now = 100.0

    def fail(  # type: ignore[override]
        self, times: int, took: float = 4.0, heardAgo: float = 0.1, begunAgo: float | None = None
    ) -> None:
        """
        Let so many attempts fail, one after the other, beside three that carry.
        """
        for _ in range(times):
            self.now += took
            begunAt = self.now - (took - 0.001 if begunAgo is None else begunAgo)
            self.limit.stopped(3, begunAt, self.now - heardAgo, self.now)

    def test_attemptsThatFailOneAfterTheOtherBesideSomeThatCarryAreALimit(self) -> None:
        self.fail(MANY_FAILURES - 1)
        self.assertEqual((self.found, self.limit.most), ([], None))
        self.fail(1)
        self.assertEqual((self.found, self.limit.most), ([3], 3))
        self.assertEqual([self.limit.allows(count, self.now) for count in (2, 3, 4)], [True, False, False])

    def test_whatLooksAlikeIsNone(self) -> None:
        """
        Nothing came through the others; all were begun before the first had failed; it took no time.
        """
        for words, failures in (
            ("a path that is broken", {"times": 20, "heardAgo": HEARD_SECONDS + 0.1}),
            ("some at once", {"times": 20, "took": 0.01, "begunAgo": 4.0}),
            ("a server that restarts", {"times": 20, "took": LEAST_SPAN_SECONDS / 20}),
        ):
            self.setUp()
            self.fail(**failures)  # type: ignore[arg-type]
            self.assertEqual((words, self.found), (words, []))

    def test_successBetweenMeansThatThereIsNone(self) -> None:
        for _ in range(10):
            self.fail(MANY_FAILURES - 1)
            self.limit.opened(4, self.now)
        self.assertEqual((self.found, self.limit.most), ([], None))

    def test_oneMoreIsTriedAfterAWhile(self) -> None:
        """
        One, and not as many as ask.  When it opens, the next one may be tried at once.
        """
        self.fail(MANY_FAILURES)
        self.now += TRY_SECONDS - 1
        self.assertFalse(self.limit.allows(3, self.now))
        self.now += 2
        self.assertEqual([self.limit.allows(3, self.now) for _ in range(3)], [True, False, False])
        self.limit.opened(4, self.now)
        self.assertEqual([self.limit.allows(4, self.now) for _ in range(3)], [True, False, False])

    def test_limitThatBecomesLowerIsNotSaidAgain(self) -> None:
        self.fail(MANY_FAILURES)
        for _ in range(MANY_FAILURES):
            self.now += 4.0
            self.limit.stopped(2, self.now - 3.9, self.now, self.now)
        self.assertEqual((self.found, self.limit.most), ([3], 2))

    def test_itIsForgottenWhenThePathMayHaveChanged(self) -> None:
        self.fail(MANY_FAILURES)
        self.limit.forget()
        self.assertTrue(self.limit.allows(100, self.now))


class VolumeLimitTests(SynchronousTestCase):
    """
    Let connections end.
    """

    def setUp(self) -> None:
        self.found: list[int] = []
        self.limit = VolumeLimit(self.found.append)
        self.now = 0.0

    def end(self, *volumes: int, apart: float = 10.0) -> int | None:
        """
        @return: what a tunnel may carry after these have ended.
        """
        for volume in volumes:
            self.now += apart
            self.limit.ended(volume, self.now)
        return self.limit.most(self.now)

    def test_whatEndsMeans(self) -> None:
        """
        Three after about the same volume, which is not small.
        """
        for volumes, found in (
            ((MEGABYTE, MEGABYTE), []),
            ((MEGABYTE, MEGABYTE + 50_000, MEGABYTE + 9000), [MEGABYTE]),
            ((5 * MEGABYTE, MEGABYTE, MEGABYTE, MEGABYTE), [MEGABYTE]),
            ((MEGABYTE, int(MEGABYTE * ALIKE * 1.01), MEGABYTE), []),
            ((MEGABYTE, 9 * MEGABYTE, MEGABYTE, 200_000, MEGABYTE), []),
            ((LEAST_VOLUME_BYTES - 1,) * 9, []),
            ((0,) * 9, []),
            ((MEGABYTE, MEGABYTE, 10, MEGABYTE), []),
        ):
            self.setUp()
            most = self.end(*volumes)
            self.assertEqual((volumes, self.found), (volumes, found))
            self.assertEqual(most, int(REPLACED_SHARE * MEGABYTE) if found else None)

    def test_tunnelsThatEndTogetherAreOne(self) -> None:
        """
        As when the server is restarted, whose tunnels carry alike.
        """
        self.end(*[MEGABYTE] * 16, apart=ENDS_APART_SECONDS / 100)
        self.assertEqual(self.found, [])

    def test_itIsForgottenAfterAWhileOrWhenThePathMayHaveChanged(self) -> None:
        self.end(*[MEGABYTE] * 3)
        self.now += KEPT_SECONDS
        self.assertIsNone(self.limit.most(self.now))
        self.end(*[MEGABYTE] * 3)
        self.limit.forget()
        self.assertIsNone(self.limit.most(self.now))

    def test_itMayBecomeLessAndIsNotSaidAgain(self) -> None:
        self.end(*[MEGABYTE] * 3)
        self.end(*[MEGABYTE // 2] * 3)
        self.assertEqual((self.found, self.limit.most(self.now)), ([MEGABYTE], int(REPLACED_SHARE * MEGABYTE / 2)))


class PathLimitsTests(SlotTestCase):
    """
    Dial and carry over such a path.
    """

    def pool(self, size: int = 4, further: WireChoice = WireChoice.ONE) -> Pool:
        """
        @param further: the format of the tunnels that are dialled later.
        @return: a proved pool, whose first tunnel is up, in format 1, which has no pongs to miss.
        """
        self.context.choose(poolSize=size, wire=WireChoice.ONE)
        pool = Pool(self.context, self.session, SESSION_ID)
        self.addCleanup(self.end, pool)
        pool.start()
        self.openLast()
        self.context.choose(wire=further)
        pool.widen(size)
        return pool

    def under(self) -> list[Attempt]:
        """
        @return: the attempts that are under way.
        """
        return [attempt for attempt in self.context.attempts if not attempt.done.called and not attempt.cancelled]

    def failAll(self, pool: Pool, seconds: float) -> None:
        """
        Let whatever is dialled fail, for so long, while the first tunnel carries.
        """
        for _ in range(int(seconds / 0.5)):
            self.clock.advance(0.5)
            self.session.lastActive = self.clock.seconds()
            for attempt in self.under():
                attempt.fail(error.ConnectionRefusedError())
            pool.checkInvariant()

    def test_noMoreAreDialledThanGetThrough(self) -> None:
        """
        And one more after some minutes; when that opens, the next.
        """
        pool = self.pool()
        self.failAll(pool, 20.0)
        self.assertEqual((self.context.reachability.limits, self.under()), ([1], []))
        attempts = len(self.context.attempts)
        pool.review()
        self.failAll(pool, TRY_SECONDS - 25.0)
        pool.review()
        self.assertEqual(len(self.context.attempts), attempts)
        self.clock.advance(30.0)
        for count in (2, 3, 4):
            pool.review()
            self.assertEqual(len(self.under()), 1)
            self.openLast()
            self.assertEqual(pool.statistics().tunnels, count)
        self.assertEqual(self.context.reachability.limits, [1])

    def test_attemptsThatHangAreNoOtherThanThoseThatFail(self) -> None:
        pool = self.pool(2)
        for _ in range(100):
            self.clock.advance(0.5)
            self.session.lastActive = self.clock.seconds()
        self.assertEqual((self.context.reachability.limits, pool.statistics().tunnels), ([1], 1))

    def test_whatFailsForAnotherReasonIsNoLimit(self) -> None:
        """
        A refusal, a certificate, a name that is not found, a descriptor that is not there.
        """

        def refuse(attempt: Attempt) -> None:
            attempt.connect()
            attempt.tunnel.handshakeCompleted()
            attempt.tunnel.dataReceived(REFUSAL)

        def distrust(attempt: Attempt) -> None:
            attempt.connect()
            attempt.transport.security = Security(refusal="we do not trust it")
            attempt.transport.lose()

        for trouble in (refuse, distrust, lambda attempt: attempt.fail(error.ConnectError(24, "too many"))):
            pool = self.pool(2, WireChoice.TWO)
            for _ in range(60):
                self.clock.advance(0.5)
                self.session.lastActive = self.clock.seconds()
                for attempt in self.under():
                    trouble(attempt)
                self.context.settle()
            self.assertEqual(self.context.reachability.limits, [])
            pool.leave()
            self.context.attempts.clear()
        self.pool(2)
        self.context.dialer.addresses = LookupFailed("no such name")
        for attempt in self.under():
            attempt.fail(error.ConnectionRefusedError())
        for _ in range(60):
            self.clock.advance(0.5)
            self.session.lastActive = self.clock.seconds()
        self.assertEqual(self.context.reachability.limits, [])

    def test_whereNothingComesThroughTheOthersThePathIsBroken(self) -> None:
        pool = self.pool(2)
        for _ in range(60):
            self.clock.advance(0.5)
            for attempt in self.under():
                attempt.fail(error.ConnectionRefusedError())
        self.assertEqual((self.context.reachability.limits, pool.isDown), ([], False))

    def test_firstTunnelIsDialledWhateverTheLimit(self) -> None:
        pool = self.pool()
        self.failAll(pool, 20.0)
        self.context.attempts[0].transport.lose()
        self.waitForDial()
        self.assertEqual(len(self.under()), 1)

    def share(self, pool: Pool, other: Pool, seconds: float, most: int = 4, *, carries: bool = True) -> None:
        """
        Let so many connections through, for so long, while the first pool carries.
        """
        for step in range(int(seconds / 0.5)):
            self.clock.advance(0.5)
            if carries:
                self.session.lastActive = self.clock.seconds()
            for attempt in self.under():
                if pool.statistics().tunnels + other.statistics().tunnels < most:
                    attempt.open()
                else:
                    attempt.fail(error.ConnectionRefusedError())
            self.context.settle()
            if step % 4 == 0:
                for each in (pool, other):
                    each.review()
                    each.checkInvariant()

    def other(self) -> Pool:
        """
        @return: the pool of another source.
        """
        other = Pool(self.context, RecordingSession(), b"another session!")
        self.addCleanup(self.end, other)
        other.start()
        return other

    def fullPool(self) -> Pool:
        """
        @return: one with four tunnels.
        """
        pool = self.pool()
        while under := self.under():
            under[0].open()
        self.assertEqual(pool.statistics().tunnels, 4)
        return pool

    def test_whoHasNoTunnelGetsOneOfThoseWhoHaveSeveral(self) -> None:
        """
        One, and it is said once that there is a limit.
        """
        pool = self.fullPool()
        other = self.other()
        self.share(pool, other, 60.0)
        self.assertEqual(other.statistics().tunnels, 1)
        self.share(pool, other, 60.0)
        self.assertEqual((pool.statistics().tunnels, other.statistics().tunnels), (3, 1))
        self.assertEqual(self.context.reachability.limits, [4])

    def test_whereNothingComesThroughOthersNobodyGivesAnythingUp(self) -> None:
        pool = self.fullPool()
        other = self.other()
        self.share(pool, other, 60.0, carries=False)
        self.assertEqual((pool.statistics().tunnels, other.statistics().tunnels), (4, 0))
        self.assertEqual(self.context.reachability.limits, [])

    def test_nobodyGivesUpWhatTheUserWantsAtAllTimes(self) -> None:
        pool = self.fullPool()
        self.context.choose(minPool=4)
        other = self.other()
        self.share(pool, other, 60.0)
        self.assertEqual((pool.statistics().tunnels, other.statistics().tunnels), (4, 0))

    def test_whoHasOneKeepsIt(self) -> None:
        pool = self.pool(1)
        other = self.other()
        self.share(pool, other, 60.0, most=1)
        self.assertEqual((pool.statistics().tunnels, other.statistics().tunnels), (1, 0))

    def loseAfter(self, volume: int) -> None:
        """
        Let the newest tunnel carry so much, and be cut then.
        """
        link = self.last.tunnel.link
        assert link is not None
        link.bytesOut = volume
        self.clock.advance(2 * ENDS_APART_SECONDS)
        self.last.transport.lose()

    def test_tunnelsAreReplacedBeforeTheyAreCut(self) -> None:
        self.context.chance = 0.0
        pool = self.pool(1)
        for _ in range(3):
            self.assertEqual(self.context.reachability.volumes, [])
            self.loseAfter(MEGABYTE)
            self.waitForDial()
            self.openLast()
        self.assertEqual(self.context.reachability.volumes, [MEGABYTE])
        link = self.last.tunnel.link
        assert link is not None
        old, most = self.last, int(REPLACED_SHARE * MEGABYTE)
        for carried, isReplaced in ((most - 1, False), (most, True)):
            link.bytesOut = carried
            pool.renewOld()
            self.assertEqual(len(self.under()), int(isReplaced))
        self.openLast()
        self.assertTrue(old.transport.disconnecting)

    def test_tunnelsThatWeCloseDoNotCount(self) -> None:
        """
        Nor those that are replaced, nor those that the server drains.
        """
        pool = self.pool(1)
        for _ in range(5):
            link = self.last.tunnel.link
            assert link is not None
            link.bytesOut = MEGABYTE
            self.clock.advance(2 * ENDS_APART_SECONDS)
            pool._slots[0].renew()
            self.openLast()
            self.clock.advance(10.0)
            self.context.settle()
        self.assertEqual(self.context.reachability.volumes, [])

    def test_newPathIsLearnedAnew(self) -> None:
        pool = self.pool()
        self.failAll(pool, 20.0)
        self.context.volumeLimit.ended(MEGABYTE, 1000.0)
        self.context.pathChanged()
        self.assertIsNone(self.context.connectionLimit.most)
        pool.review()
        self.assertEqual(len(self.under()), 3)
