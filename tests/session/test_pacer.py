"""
How fast what came is handed to UDP: evenly, and never less than it comes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.process.turns import READ_UNITS, Turns, Unlimited
from uotp.session.backlog import SMALL_BYTES
from uotp.session.pacer import (
    BURST_BYTES,
    DATAGRAM_BYTES,
    LEAST_RATE,
    MAX_PACED_BYTES,
    RATE_SECONDS,
    TICK_SECONDS,
    Pacer,
    partsOf,
    sizeOf,
)
from uotp.telemetry.drops import Drop, Drops
from uotp.train import MAX_TRAIN_BYTES, Train, bytesOf, countOf, cut

LENGTH = 1400
SIZE = LENGTH + DATAGRAM_BYTES
BURST = BURST_BYTES // SIZE
"""Datagrams that may be handed on at one go."""


@functools.cache
def train(number: int, datagrams: int) -> Train:
    """
    @return: a train of full datagrams that one can tell from others.
    """
    return Train(LENGTH, number.to_bytes(4, "big") * (LENGTH // 4) * datagrams)


LENGTHS = st.integers(0, 2000) | st.integers(0, MAX_TRAIN_BYTES)
"""Of datagrams."""


class PacerTests(SynchronousTestCase):
    """
    Hand trains on at one session's pace.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.delivered: list[Train] = []
        self.drops = Drops()
        self.whenDelivered: Callable[[], None] = lambda: None
        self.pacer = Pacer(self.deliver, self.drops, self.clock, Unlimited())

    def deliver(self, trains: list[Train]) -> None:
        """
        What UDP is given.
        """
        self.delivered += trains
        self.whenDelivered()

    def send(self, *trains: Train) -> None:
        """
        Trains come, in one read.
        """
        self.pacer.send(list(trains), self.clock.seconds())

    def repair(self, datagrams: int) -> None:
        """
        So much comes at one go, a read at a time.
        """
        while datagrams:
            some = min(datagrams, MAX_TRAIN_BYTES // LENGTH)
            self.send(train(0, some))
            datagrams -= some

    def test_whatComesEvenlyIsHandedOnAtOnce(self) -> None:
        for number in range(200):
            self.send(train(number, BURST // 2))
            self.assertEqual(len(self.delivered), number + 1)
            self.clock.advance(BURST // 2 * SIZE / LEAST_RATE)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_burstIsHandedOnAtOnce(self) -> None:
        """
        What fits into a socket's buffer beside as much again.
        """
        self.send(train(1, BURST // 2), train(2, BURST - BURST // 2))
        self.assertEqual(countOf(self.delivered), BURST)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_repairedLossDoesNotOverflowTheTargetsBuffer(self) -> None:
        """
        What had waited behind it comes at one go, 60 ms of 50 Mbit/s, and the target reads 122 Mbit/s.
        """
        buffer, most = 0, 2 * BURST_BYTES
        seen = 0
        self.repair(268)
        for _ in range(30):
            buffer += sizeOf(self.delivered[seen:])
            seen = len(self.delivered)
            self.assertLessEqual(buffer, most)
            self.clock.advance(TICK_SECONDS)
            buffer = max(buffer - round(LEAST_RATE * TICK_SECONDS), 0)
        self.assertEqual(countOf(self.delivered), 268)

    def test_nothingOvertakesWhatWaits(self) -> None:
        self.send(train(1, BURST))
        self.send(train(2, 2))
        self.send(Train(0, b""))
        self.assertEqual(self.delivered, [train(1, BURST)])
        self.clock.advance(TICK_SECONDS)
        self.assertEqual(self.delivered, [train(1, BURST), train(2, 2), Train(0, b"")])

    def test_smallDatagramsGoAheadWhereTheUserSaysSo(self) -> None:
        """
        As soon as there is room for them, in their own order, and the rest in its own.
        """
        self.pacer = Pacer(self.deliver, self.drops, self.clock, Unlimited(), smallFirst=True)
        small = [Train(8, b"%08d" % number) for number in range(4)]
        self.send(train(1, BURST))
        tail = Train(LENGTH, train(2, BURST).payload + small[0].payload)
        self.send(tail)
        self.send(train(3, BURST))
        self.send(*small[1:3])
        self.send(small[3], train(4, 1))
        self.assertEqual(self.delivered, [train(1, BURST)])
        while self.clock.getDelayedCalls():
            self.clock.advance(TICK_SECONDS)
        self.assertEqual(self.delivered[1:5], small)
        others = [one.payload[:4] for one in self.delivered[5:]]
        self.assertEqual(others, sorted(others))
        self.assertEqual(countOf(self.delivered), 3 * BURST + 5)
        self.assertEqual(self.pacer.waiting, 0)

    def test_smallDatagramsThatGoAheadAreDroppedLast(self) -> None:
        self.pacer = Pacer(self.deliver, self.drops, self.clock, Unlimited(), smallFirst=True)
        self.repair(BURST)
        small = [Train(8, b"%08d" % number) for number in range(3)]
        self.send(*small)
        self.repair(2 * MAX_PACED_BYTES // SIZE)
        self.assertLessEqual(self.pacer.waiting, MAX_PACED_BYTES)
        self.assertGreater(self.drops.totals[Drop.PACED_OUT], 0)
        while self.clock.getDelayedCalls():
            self.clock.advance(TICK_SECONDS)
        self.assertLessEqual({one.payload for one in small}, {one.payload for one in self.delivered})
        self.repair(BURST)
        many = MAX_PACED_BYTES // (8 + DATAGRAM_BYTES) + 100
        dropped = self.drops.totals[Drop.PACED_OUT]
        self.send(*(Train(8, bytes(8)) for _ in range(many)))
        self.pacer.checkInvariant()
        self.assertGreater(self.drops.totals[Drop.PACED_OUT], dropped)
        self.assertLessEqual(self.pacer.waiting, MAX_PACED_BYTES)
        self.pacer.close()

    def test_whatWaitsIsHandedOnTickByTick(self) -> None:
        self.repair(5 * BURST)
        ticks = 0
        while self.clock.getDelayedCalls():
            before = sizeOf(self.delivered)
            self.clock.advance(TICK_SECONDS)
            self.assertLess(sizeOf(self.delivered) - before, 2 * BURST_BYTES)
            ticks += 1
        self.assertEqual(countOf(self.delivered), 5 * BURST)
        self.assertGreaterEqual(ticks, 3)
        self.assertEqual(self.pacer.waiting, 0)

    def test_fastFlowIsNotSlowed(self) -> None:
        some = round(8 * BURST_BYTES / SIZE)  # eight times as fast as anybody may be given
        for _ in range(round(2 * RATE_SECONDS / TICK_SECONDS)):
            self.repair(some)
            self.clock.advance(TICK_SECONDS)
        self.assertEqual(self.pacer.waiting, 0)
        for _ in range(100):
            self.repair(2 * some)
            self.assertEqual(self.pacer.waiting, 0)
            self.clock.advance(2 * TICK_SECONDS)

    def test_rateIsForgotten(self) -> None:
        for _ in range(round(2 * RATE_SECONDS / TICK_SECONDS)):
            self.repair(10 * BURST)
            self.clock.advance(TICK_SECONDS)
        for _ in range(3):
            self.clock.advance(RATE_SECONDS)
            self.send(train(0, 1))
        self.delivered.clear()
        self.repair(4 * BURST)
        self.assertLessEqual(sizeOf(self.delivered), BURST_BYTES)

    def test_whatIsTooMuchIsDroppedAndCounted(self) -> None:
        """
        The oldest goes.  Nothing makes what waits go at once, which would hold up everybody else.
        """
        every = 3 * MAX_PACED_BYTES // SIZE
        self.repair(every)
        self.assertLessEqual(self.pacer.waiting, MAX_PACED_BYTES)
        self.assertLessEqual(sizeOf(self.delivered), BURST_BYTES)
        dropped = self.drops.totals[Drop.PACED_OUT]
        self.assertEqual(countOf(self.delivered) + dropped + self.pacer.waiting // SIZE, every)
        self.send(train(7, 1))
        self.clock.pump([TICK_SECONDS] * 400)
        self.assertEqual(countOf(self.delivered) + self.drops.totals[Drop.PACED_OUT], every + 1)
        self.assertEqual(self.delivered[-1], train(7, 1))

    def test_emptyDatagramsAreBoundedToo(self) -> None:
        """
        They take room though they have no payload.
        """
        for _ in range(3 * MAX_PACED_BYTES // DATAGRAM_BYTES):
            self.send(Train(0, b""))
        self.assertLessEqual(self.pacer.waiting, MAX_PACED_BYTES)
        self.assertLessEqual(len(self.pacer._queue), MAX_PACED_BYTES // DATAGRAM_BYTES)

    def test_longReadIsHandedOnAsFarAsThereIsRoom(self) -> None:
        self.send(train(1, 30), train(2, 30), train(3, 30))
        self.assertEqual(
            self.delivered, [train(1, BURST // 2), train(1, 30 - BURST // 2), train(2, 2 * (BURST // 2) - 30)]
        )
        self.clock.pump([TICK_SECONDS] * 10)
        self.assertEqual(b"".join(t.payload for t in self.delivered), b"".join(train(n, 30).payload for n in (1, 2, 3)))

    def test_longReadsAtAnEvenPaceDoNotWait(self) -> None:
        for number in range(1, 20):
            self.send(train(number, BURST + 1))
            self.assertGreaterEqual(countOf(self.delivered), number * (BURST + 1) - BURST // 2 - 1)
            self.clock.pump([TICK_SECONDS] * 6)
            self.assertEqual(countOf(self.delivered), number * (BURST + 1))

    def test_smallDatagramsAreAsMuchAsTheyTake(self) -> None:
        small = Train(128, bytes(128 * 511))
        sizes: list[int] = []
        self.pacer.deliver = lambda trains: sizes.append(sizeOf(trains))
        self.send(small)
        self.clock.pump([TICK_SECONDS] * 30)
        self.assertEqual(sum(sizes), sizeOf([small]))
        self.assertGreaterEqual(len(sizes), 5)
        self.assertLessEqual(max(sizes), BURST_BYTES)

    def test_longestDatagramsAreParts(self) -> None:
        """
        Though one is more than what a part usually is.
        """
        for length in (BURST_BYTES // 2 - DATAGRAM_BYTES, BURST_BYTES // 2 - DATAGRAM_BYTES + 1, 65535):
            some = [Train(length, bytes(length)), Train(length, b"1" * length), Train(1, b"2")]
            self.assertEqual([t for _, part in islice(partsOf(some), 9) for t in part], some)
            self.assertEqual(next(partsOf(some))[0], length + DATAGRAM_BYTES)
            self.assertLessEqual(length + DATAGRAM_BYTES, BURST_BYTES)

    def test_lateTimersDoNotHoldUpWhatComesInBatches(self) -> None:
        """
        A tick that is late hands on what should have gone meanwhile.
        """
        for milliseconds, datagrams in ((4, 100), (8, 116), (16, 140)):
            self.setUp()
            least = MAX_PACED_BYTES
            for number in range(3000 // milliseconds):
                for call in self.clock.getDelayedCalls():
                    call.reset(0)
                self.clock.rightNow += milliseconds / 1000
                self.clock.advance(0)
                if number > 2000 // milliseconds:
                    least = min(least, self.pacer.waiting)
                self.repair(datagrams)
            self.assertEqual(least, 0)

    def test_pauseIsNoReasonForALargerBurst(self) -> None:
        for _ in range(100):
            self.send(train(0, 23))
            self.clock.advance(0.005)
        self.clock.advance(0.04)
        self.delivered.clear()
        self.repair(250)
        self.assertLessEqual(sizeOf(self.delivered), BURST_BYTES)

    def test_lateTimersDoNotHoldUpAFlow(self) -> None:
        """
        What waits goes when something comes, too: a system's timers may take 16 ms.
        """
        self.repair(10 * BURST)
        self.clock.rightNow += 0.0155
        for _ in range(40):
            self.send(train(0, 1))
            self.clock.rightNow += 0.001
        self.assertEqual(self.pacer.waiting, 0)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whatWaitsIsHandedOnBeforeTheEnd(self) -> None:
        done: list[int] = []
        self.repair(3 * BURST)
        self.pacer.finish(lambda: done.append(countOf(self.delivered)))
        self.assertEqual(done, [])
        self.clock.pump([TICK_SECONDS] * 20)
        self.assertEqual((done, self.clock.getDelayedCalls()), ([3 * BURST], []))
        self.send(train(0, 1))
        self.assertEqual(countOf(self.delivered), 3 * BURST)
        Pacer(self.deliver, self.drops, self.clock, Unlimited()).finish(lambda: done.append(0))
        self.assertEqual(done, [3 * BURST, 0])

    def test_whoDoesNotWaitForTheEndIsToldAllTheSame(self) -> None:
        done: list[None] = []
        self.repair(3 * BURST)
        self.pacer.finish(lambda: done.append(None))
        self.pacer.close()
        self.pacer.close()
        self.assertEqual((done, self.clock.getDelayedCalls()), ([None], []))

    def test_closedHandsOnNothing(self) -> None:
        self.repair(3 * BURST)
        self.delivered.clear()
        self.pacer.close()
        self.pacer.close()
        self.repair(3 * BURST)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(1)
        self.assertEqual((self.delivered, self.pacer.waiting), ([], 0))

    def test_emptyOrClosedItTakesNoRoom(self) -> None:
        turns = Turns(self.clock)
        for isClosed in (False, True):
            pacer = Pacer(self.deliver, self.drops, self.clock, turns.allowanceOf("somebody"))
            pacer.send([train(0, 40)] * 20, self.clock.seconds())
            self.assertGreater(turns.memory.used, BURST_BYTES)
            if isClosed:
                pacer.close()
            self.clock.pump([TICK_SECONDS] * 200)
            self.assertEqual((pacer.waiting, turns.memory.used), (0, 0))

    def test_sessionsWhoseOwnerHasHadEnoughHandOnNothingInThisTurn(self) -> None:
        """
        Though none of them has spent anything, and what waits is due for all at the same time.
        """
        turns = Turns(self.clock)
        counts: list[int] = []
        self.clock.callLater(TICK_SECONDS, turns.allowanceOf("somebody").spend, READ_UNITS)
        pacers = [Pacer(self.deliver, self.drops, self.clock, turns.allowanceOf("somebody")) for _ in range(40)]
        for pacer in pacers:
            pacer.send([train(1, BURST)], self.clock.seconds())
            pacer.send([train(2, 2)], self.clock.seconds())
        self.clock.callLater(TICK_SECONDS, lambda: counts.append(self.delivered.count(train(2, 2))))
        self.clock.advance(TICK_SECONDS)
        self.assertEqual(counts, [0])
        self.clock.pump([TICK_SECONDS] * 40)
        self.assertEqual(self.delivered.count(train(2, 2)), 40)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whoeverIsGivenTrainsMayClose(self) -> None:
        for first, more in ((0, 3 * BURST), (BURST, 3 * BURST), (BURST, 2 * MAX_PACED_BYTES // SIZE)):
            pacer = Pacer(self.delivered.extend, self.drops, self.clock, Unlimited())
            pacer.send([train(0, first)] if first else [], self.clock.seconds())
            calls: list[list[Train]] = []

            def closeUpon(trains: list[Train], pacer: Pacer = pacer, calls: list[list[Train]] = calls) -> None:
                calls.append(trains)
                pacer.close()

            pacer.deliver = closeUpon
            pacer.send([train(0, 40)] * (more // 40), self.clock.seconds())
            self.clock.advance(1)
            self.assertEqual(len(calls), 1)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whoeverIsGivenTrainsMaySendMore(self) -> None:
        self.send(train(1, BURST))
        self.whenDelivered = lambda: None if len(self.delivered) > 8 else self.send(train(2, BURST))
        self.repair(3 * BURST)
        for _ in range(60):
            self.assertLessEqual(len(self.clock.getDelayedCalls()), 1)
            self.clock.advance(TICK_SECONDS)
        self.assertEqual((self.pacer.waiting, self.clock.getDelayedCalls()), (0, []))

    @given(
        st.lists(
            st.tuples(st.sampled_from([9, 200, 256, 257, 1400]), st.integers(1, 60), st.booleans(), st.integers(0, 30)),
            max_size=40,
        )
    )
    def test_smallAndLargeDatagramsKeepOrdersOfTheirOwn(self, steps: list[tuple[int, int, bool, int]]) -> None:
        """
        Where small ones go ahead; all arrive, also those that end a train of large ones.
        """
        self.setUp()
        self.pacer = Pacer(self.deliver, self.drops, self.clock, Unlimited(), smallFirst=True)
        sent: list[bytes] = []
        for length, count, hasTail, tenths in steps:
            datagrams = [(len(sent) + each).to_bytes(length, "big") for each in range(count)]
            if hasTail:
                datagrams[-1] = datagrams[-1][-8:]
            sent += datagrams
            self.send(Train(length, b"".join(datagrams)))
            self.pacer.checkInvariant()
            self.clock.advance(tenths * TICK_SECONDS / 10)
            self.pacer.checkInvariant()
        while self.clock.getDelayedCalls():
            self.clock.advance(TICK_SECONDS)
            self.pacer.checkInvariant()
        arrived = [datagram for some in self.delivered for datagram in cut(some)]
        for isSmall in (False, True):
            alike = [[one for one in row if (len(one) <= SMALL_BYTES) is isSmall] for row in (arrived, sent)]
            self.assertEqual(alike[0], alike[1])

    @given(st.lists(st.tuples(LENGTHS, st.integers(1, 90), st.integers(0, 30)), max_size=60))
    def test_everythingArrivesInOrder(self, steps: list[tuple[int, int, int]]) -> None:
        self.setUp()
        sent: list[bytes] = []
        for length, datagrams, tenths in steps:
            count = min(datagrams, MAX_TRAIN_BYTES // max(length, 1)) if length else 1
            some = Train(length, bytes([len(sent) % 256]) * length * count)
            sent += cut(some)
            self.send(some)
            self.clock.advance(tenths / 10000)
        self.clock.pump([TICK_SECONDS] * 100)
        self.assertEqual([datagram for one in self.delivered for datagram in cut(one)], sent)
        self.assertEqual((self.pacer.waiting, self.clock.getDelayedCalls()), (0, []))

    @given(st.lists(st.tuples(st.just(0) | st.integers(100, 1500), st.integers(0, 6000)), min_size=2, max_size=30))
    def test_trainThatComesAloneIsMeasuredAsAmongOthers(self, lengths: list[tuple[int, int]]) -> None:
        self.setUp()
        trains = [Train(segment, bytes(size if segment else 0)) for segment, size in lengths]
        together: list[Train] = []
        other = Pacer(together.extend, self.drops, self.clock, Unlimited())
        other.send(trains, self.clock.seconds())
        for some in trains:
            self.send(some)
        self.assertEqual((self.pacer._came, other._came), (sizeOf(trains), sizeOf(trains)))
        if sizeOf(trains) <= BURST_BYTES:
            self.assertEqual((self.delivered, together), (trains, trains))
            self.assertEqual((self.pacer._room, self.pacer.waiting), (other._room, other.waiting))
        else:
            self.assertGreater(self.pacer.waiting, 0)
        self.clock.pump([TICK_SECONDS] * 100)
        self.assertEqual([one for some in self.delivered for one in cut(some)], [one for t in trains for one in cut(t)])


class SizeTests(SynchronousTestCase):
    """
    Measure trains as all amounts are measured.
    """

    def test_smallDatagramsTakeMoreThanTheirPayload(self) -> None:
        """
        Ninety-two full ones fill what Linux gives a socket on its own.
        """
        self.assertEqual(sizeOf([]), 0)
        self.assertEqual(sizeOf([Train(0, b"")]), DATAGRAM_BYTES)
        self.assertEqual(sizeOf([train(0, 3), Train(2, b"abc")]), 5 * DATAGRAM_BYTES + bytesOf([train(0, 3)]) + 3)
        self.assertEqual(212992 // sizeOf([train(0, 1)]), 92)
