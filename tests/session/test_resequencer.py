"""
Trains in the order of their numbers again: nothing waits for longer than it may, nothing
is lost or passed on twice, and no peer makes us keep more than a bounded amount.
"""

from __future__ import annotations

import math
from collections import Counter
from copy import deepcopy
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from uotp.order import Order, OrderMode
from uotp.process.memory import FixedRoom
from uotp.session.backlog import SMALL_BYTES
from uotp.session.reordering import hold as holding
from uotp.session.reordering import resequencer
from uotp.session.reordering.hold import (
    LEAST_HOLD_SECONDS,
    LONGEST_HOLD_SECONDS,
    MARGIN,
    REMEMBERED_PER_SECOND,
    ROUND_TRIPS,
    Hold,
)
from uotp.session.reordering.resequencer import (
    FIRST_NUMBERS,
    MAX_HELD_BYTES,
    MAX_LOOKED_AT,
    MAX_READY_TRAINS,
    MISSED_SECONDS,
    Resequencer,
)
from uotp.train import (
    HALF_NUMBERS,
    LAST_NUMBER,
    MAX_TRAIN_BYTES,
    TRAIN_OVERHEAD_BYTES,
    Arrival,
    Train,
    bytesOf,
    cut,
    gather,
)

START = 1000.0
"""When the tests begin."""

HOLD = 0.125
"""Seconds that a train may wait where a test does not say otherwise."""

FIRST = 0.15
"""Before anything was seen, where a test is about what is learnt."""

SOON = 0.003
"""Seconds after which a train may go ahead."""

FAR = HALF_NUMBERS - 1
"""As far ahead as a number can be."""

MAX_GONE = 96
"""Entries of the list by age that may be of trains that have gone, in the tests."""

MAX_GIVEN_UP = 64
"""Gaps that are remembered, in the tests."""

WIDTH = 8
"""Bytes of a datagram of the tests: it is the number of the datagram."""

BEFORE = 5000
"""What a peer has counted to before it was started again."""

BASES = (0, LAST_NUMBER - 4, LAST_NUMBER, HALF_NUMBERS - 3, HALF_NUMBERS, 123456)
"""Where a peer may begin to count."""


MODES = st.sampled_from([OrderMode.AUTO, OrderMode.OFF, OrderMode.BULK])
"""Which trains wait."""

LARGE = SMALL_BYTES + 1
"""Bytes of a datagram that waits where bulk does; it is the number of the datagram, too."""


def arrival(number: int, datagrams: int = 1) -> Arrival:
    """
    @param number: which may be negative, or more than 32 bits hold.
    @return: a train whose datagrams tell their numbers.
    """
    payload = b"".join(each.to_bytes(WIDTH, "big", signed=True) for each in range(number, number + datagrams))
    return number & LAST_NUMBER, Train(WIDTH, payload)


def mixed(number: int, datagrams: int = 1) -> list[Arrival]:
    """
    @return: trains as they are read: of datagrams that tell their numbers, of which each third or so
        is small.  What ends a train of large ones may be small.
    """
    widths = (LARGE, LARGE, WIDTH, LARGE, WIDTH)
    numbers = range(number, number + datagrams)
    trains = gather(each.to_bytes(widths[each % len(widths)], "big") for each in numbers)
    arrivals: list[Arrival] = []
    for train in trains:
        arrivals.append((number, train))
        number += train.datagrams
    return arrivals


def trainOf(number: int, datagrams: int) -> list[Arrival]:
    """
    @return: one train as it is read, see L{arrival}.
    """
    return [arrival(number, datagrams)]


def isSmallNumber(number: int) -> bool:
    """
    @return: whether the datagram of L{mixed} with this number is small.
    """
    return number % 5 in {2, 4}


def numbersOf(trains: list[Train]) -> list[int]:
    """
    @return: what the datagrams of some trains tell.
    """
    return [int.from_bytes(each, "big", signed=True) for train in trains for each in cut(train)]


def stateOf(resequencer: Resequencer) -> dict[str, object]:
    """
    @return: all that a re-sequencer knows.
    """
    state = {name: value for name, value in vars(resequencer).items() if name != "_room"}
    parts = {name: vars(state[name]) for name in ("_hold", "_missed", "_again", "_early")}
    return deepcopy({**state, **parts})


class _ResequencerTestCase(SynchronousTestCase):
    """
    Has a re-sequencer, and a time.
    """

    mostHeld = MAX_HELD_BYTES

    def setUp(self) -> None:
        """
        Begin with nothing known, and with small bounds, so that few trains pass them.
        """
        self.patch(resequencer, "MAX_GONE", MAX_GONE)
        self.patch(resequencer, "MAX_GIVEN_UP", MAX_GIVEN_UP)
        self.patch(resequencer, "FIRST_NUMBERS", 0)  # sessions that are not new, which may go on with any number
        self.begin()

    def begin(self, hold: float | None = HOLD, mode: OrderMode = OrderMode.AUTO) -> None:
        """
        @param hold: seconds that a train may wait, or L{None} to follow what is seen.
        @param mode: which trains wait.
        """
        self.now = START
        self.hold = Hold(self.now, hold)
        self.room = FixedRoom(self.mostHeld)
        self.resequencer = Resequencer(self.hold, self.room, Order(mode))

    def holdAtMost(self, size: int) -> None:
        """
        Give less room, also to those that are begun from now on.
        """
        self.mostHeld = self.room.granted = size

    def come(self, *numbers: int | tuple[int, int]) -> list[int]:
        """
        Trains come in one read: each the number of a lone datagram, or a number and how many datagrams there are.

        @return: the numbers of the datagrams that are passed on.
        """
        arrivals = [arrival(each) if isinstance(each, int) else arrival(*each) for each in numbers]
        passed = numbersOf(self.resequencer.put(arrivals, self.now))
        self.resequencer.checkInvariant()
        return passed

    def expire(self) -> list[int]:
        """
        @return: the numbers of the datagrams that have waited for long enough.
        """
        passed: list[int] = []
        while some := numbersOf(self.resequencer.expire(self.now)):
            passed += some
            self.resequencer.checkInvariant()
        self.resequencer.checkInvariant()
        return passed

    def restart(self) -> list[int]:
        """
        The peer counts anew.

        @return: the numbers of the datagrams that had waited.
        """
        self.resequencer.restart()
        self.resequencer.checkInvariant()
        passed = numbersOf(self.resequencer.more())
        self.resequencer.checkInvariant()
        return passed

    def passTime(self, seconds: float) -> None:
        self.now += seconds


class OrderTests(_ResequencerTestCase):
    """
    See what is passed on, and when.
    """

    def test_whatComesInOrderPassesAtOnce(self) -> None:
        self.assertEqual(self.come(7), [7])
        self.assertEqual(self.come((8, 3), 11), [8, 9, 10, 11])
        self.assertEqual(self.come(12), [12])
        self.assertIsNone(self.resequencer.deadline(self.now))
        self.assertEqual((self.resequencer.held, self.resequencer.late), (0, 0))

    def test_emptyDatagramHasANumberToo(self) -> None:
        """
        It is a train without bytes, and what follows it waits for it.
        """
        empty = Train(0, b"")
        self.come(0)
        self.assertEqual(self.resequencer.put([arrival(2)], self.now), [])
        self.assertEqual(self.resequencer.put([(1, empty)], self.now), [empty, arrival(2)[1]])

    def test_shorterLastDatagramCounts(self) -> None:
        some = Train(4, b"onetwothr1")
        self.assertEqual(self.resequencer.put([(5, some)], self.now), [some])
        self.assertEqual(self.come(8), [8])

    def test_firstTrainThatComesIsTheBase(self) -> None:
        """
        Whatever its number is: nothing is known of those before it.
        """
        for base in BASES:
            self.begin()
            self.assertEqual(self.come(base), [base])
            self.assertEqual(self.come(base + 1), [base + 1])

    def test_earlyTrainWaitsUntilTheGapIsFilled(self) -> None:
        self.come(0)
        self.assertEqual(self.come((3, 2), 8), [])
        self.assertEqual(self.come((5, 3)), [])
        self.assertEqual(self.resequencer.held, 3 * TRAIN_OVERHEAD_BYTES + 6 * WIDTH)
        self.passTime(HOLD / 2)
        self.assertEqual(self.come(1), [1])
        self.assertEqual(self.come(2), [2, 3, 4, 5, 6, 7, 8])
        self.assertEqual(self.come(9), [9])
        self.assertIsNone(self.resequencer.deadline(self.now))
        self.assertEqual((self.resequencer.held, self.resequencer.late), (0, 0))

    def test_gapsAreFilledOneByOne(self) -> None:
        self.come(0)
        self.assertEqual(self.come(2, 4, 6), [])
        self.assertEqual(self.come(3), [])
        self.assertEqual(self.come(1), [1, 2, 3, 4])
        self.assertEqual(self.come(5), [5, 6])

    def test_orderWithinOneReadIsMendedToo(self) -> None:
        self.assertEqual(self.come(0, 3, 1, 2, 4), [0, 1, 2, 3, 4])

    def test_trainThatHasWaitedLongEnoughPassesOverTheGap(self) -> None:
        """
        To the moment, and what stands behind it without a gap goes along.
        """
        self.come(0)
        self.come(2)
        self.passTime(HOLD / 2)
        self.assertEqual(self.come(4, 3, 6), [])
        self.assertEqual(self.resequencer.deadline(self.now), START + HOLD)
        self.passTime(HOLD / 2 - 0.001)
        self.assertEqual(self.expire(), [])
        self.passTime(0.001)
        self.assertEqual(self.expire(), [2, 3, 4])
        self.assertEqual(self.resequencer.deadline(self.now), START + HOLD / 2 + HOLD)
        self.assertEqual(self.come(5), [5, 6])

    def test_trainThatHasWaitedLongEnoughTakesAllBeforeItAlong(self) -> None:
        """
        Also what came later and stands before it, behind gaps of its own.
        """
        self.come(0)
        self.come(9)
        self.passTime(HOLD / 2)
        self.come(2, 4, 5, 12)
        self.passTime(HOLD / 2)
        self.assertEqual(self.expire(), [2, 4, 5, 9])
        self.passTime(HOLD / 2)
        self.assertEqual(self.expire(), [12])
        self.assertIsNone(self.resequencer.deadline(self.now))

    def test_everyTrainHasATimeOfItsOwn(self) -> None:
        """
        Nothing waits for as long as it likes behind a gap that was given up before.
        """
        self.come(0)
        for number in range(2, 20, 2):
            self.come(number)
            self.passTime(HOLD / 16)
        passed = []
        for _ in range(9):
            deadline = self.resequencer.deadline(self.now)
            assert deadline is not None
            self.now = deadline
            passed.append(self.expire())
        self.assertEqual(passed, [[number] for number in range(2, 20, 2)])
        self.assertEqual(self.now, START + 8 * HOLD / 16 + HOLD)

    def test_lateExpiryPassesOnAllThatIsDue(self) -> None:
        self.come(0)
        self.come(2)
        self.passTime(HOLD / 8)
        self.come(4)
        self.passTime(HOLD / 2)
        self.come(6)
        self.passTime(HOLD / 2)
        self.assertEqual(self.expire(), [2, 4])

    def test_lateTrainPassesAtOnceAndIsCounted(self) -> None:
        self.come(0)
        self.come(4)
        self.passTime(HOLD)
        self.assertEqual(self.expire(), [4])
        self.assertEqual(self.come((2, 2)), [2, 3])
        self.assertEqual(self.come(5, 1, 6), [5, 1, 6])
        self.assertEqual(self.resequencer.late, 3)

    def test_deadlineFindsSomethingToExpire(self) -> None:
        """
        Also where sums are rounded: a timer that was set for it is not set again.
        """
        for hold in (0.1, 0.15, 0.5, 0.7):
            for step in range(250):
                self.begin(hold)
                self.now = 1024.0 - hold * step / 250
                self.come(0, 2)
                deadline = self.resequencer.deadline(self.now)
                assert deadline is not None
                self.now = deadline
                self.assertEqual((step, self.expire()), (step, [2]))

    def test_whatHasComeTwiceIsOwedOnce(self) -> None:
        self.come(0, (2, 3), 7)
        self.resequencer.putAgain([arrival(3, 3), arrival(7)], self.now)
        self.assertEqual(self.restart(), [2, 3, 4, 5, 7])

    def test_restartPassesOnWhatWaits(self) -> None:
        self.come(10, 14, 12)
        self.assertEqual(self.restart(), [12, 14])
        self.assertEqual((self.resequencer.held, self.resequencer.deadline(self.now)), (0, None))
        self.assertEqual(self.restart(), [])
        self.assertEqual(self.come(3, 5, 4), [3, 4, 5])
        self.assertEqual(self.resequencer.late, 0)


class GapsTests(_ResequencerTestCase):
    """
    See which gaps there are.
    """

    def gaps(self, most: int = 99) -> list[tuple[int, int]]:
        """
        @return: the first gaps, each of which is known since the beginning.
        """
        gaps = self.resequencer.gaps(most)
        self.assertEqual({since for _, _, since in gaps} - {START}, set())
        return [(begin, end) for begin, end, _ in gaps]

    def test_whereNothingWaitsThereIsNone(self) -> None:
        self.assertEqual(self.gaps(), [])
        self.come(4, 5)
        self.assertEqual(self.gaps(), [])

    def test_whatIsMissingBeforeEachThatWaitsIsAGap(self) -> None:
        self.come(0)
        self.come(2, (5, 3), 8, 12)
        self.assertEqual(self.gaps(), [(1, 2), (3, 5), (9, 12)])
        self.assertEqual(self.gaps(2), [(1, 2), (3, 5)])
        self.come(4)
        self.assertEqual(self.gaps(), [(1, 2), (3, 4), (9, 12)])
        self.come(1)
        self.assertEqual(self.gaps(), [(3, 4), (9, 12)])

    def test_whatOverlapsIsNoGap(self) -> None:
        self.come(0)
        self.come((2, 4), (3, 1), (5, 3))
        self.assertEqual(self.gaps(), [(1, 2)])

    def test_whatWasGivenUpIsNone(self) -> None:
        self.come(0)
        self.come(2)
        self.passTime(HOLD)
        self.expire()
        self.assertEqual(self.gaps(), [])

    def test_whereMuchWaitsTheFirstIsFound(self) -> None:
        """
        So that it costs the same however much waits.
        """
        self.come(0)
        for number in range(2, 2 * resequencer.MAX_LOOKED_AT + 2, 2):
            self.come(number)
        self.assertEqual(len(self.gaps()), resequencer.MAX_LOOKED_AT)
        self.come(1001)
        self.assertEqual(self.gaps(), [(1, 2)])

    def test_whereNobodyWaitsThereIsNone(self) -> None:
        """
        But for what is large, where bulk waits.  Where nothing does, the last ones are told that may be filled yet.
        """
        self.begin(mode=OrderMode.OFF)
        self.come(0, 1)
        self.assertEqual((self.gaps(), self.resequencer.misses), ([], False))
        self.come(5, 7, 10)
        self.assertEqual((self.gaps(), self.resequencer.misses), ([(2, 5), (6, 7), (8, 10)], True))
        self.assertEqual([gap[:2] for gap in self.resequencer.gaps(2)], [(6, 7), (8, 10)])
        self.assertEqual([self.resequencer.isMissing(end) for end in (5, 6, 7, 10)], [True, False, True, True])
        self.come(6)
        self.assertEqual((self.gaps(), self.resequencer.isMissing(7)), ([(2, 5), (8, 10)], False))
        self.begin(mode=OrderMode.BULK)
        self.come(0, 5)
        self.assertEqual(self.gaps(), [(1, 5)])

    def test_whatWaitedWhenThePeerBeganAnewHasNone(self) -> None:
        self.come(7)
        self.come(9)
        self.restart()
        self.assertEqual(self.gaps(), [])


class PortionTests(_ResequencerTestCase):
    """
    Let a peer make as much work as it can.
    """

    def comeEach(self, *numbers: int) -> None:
        """
        Lone datagrams come, each in a read of its own.
        """
        for number in numbers:
            self.come(number)

    def test_whatIsPassedOnAtOneGoIsBounded(self) -> None:
        """
        A gap that is filled lets all go that waited behind it, a portion at a time.
        """
        self.comeEach(0, *range(2, 300))
        passed = self.come(1)
        self.assertLessEqual(len(passed), 2 * MAX_READY_TRAINS)
        while self.resequencer.owes:
            some = numbersOf(self.resequencer.more())
            self.resequencer.checkInvariant()
            self.assertLessEqual(len(some), MAX_READY_TRAINS)
            passed += some
        self.assertEqual(passed, list(range(1, 300)))
        self.assertEqual(self.resequencer.held, 0)

    def test_whatComesWhileSomethingIsOwedStandsBehindIt(self) -> None:
        self.comeEach(0, *range(2, 250))
        passed = self.come(1)
        passed += self.come(250, 252)
        while self.resequencer.owes:
            passed += numbersOf(self.resequencer.more())
            self.resequencer.checkInvariant()
        self.assertEqual(passed, list(range(1, 251)))
        self.assertEqual(self.come(251), [251, 252])

    def test_gapsAreGivenUpAPortionAtATime(self) -> None:
        """
        However the numbers come: each second one is missing, the highest comes first.
        """
        for numbers in (range(2, 400, 2), range(400, 2, -2)):
            self.begin()
            self.come(0, *numbers)
            self.passTime(HOLD)
            passed: list[int] = []
            while some := numbersOf(self.resequencer.expire(self.now)):
                self.assertLessEqual(len(some), MAX_READY_TRAINS)
                self.resequencer.checkInvariant()
                passed += some
            self.assertEqual(passed, sorted(numbers))
            self.assertIsNone(self.resequencer.deadline(self.now))

    def test_soManyRunsWaitAndNoMore(self) -> None:
        """
        A peer pays for a run with twelve bytes, and it costs us much more.
        """
        self.patch(resequencer, "MAX_HELD_RUNS", 30)
        self.come(0)
        passed: list[int] = []
        for number in range(2, 300, 2):
            passed += self.come(number)
            self.assertLessEqual(len(self.resequencer._waiting), 30)
        self.assertEqual(passed, list(range(2, 300 - 60, 2)))

    def test_whatWaitsAtARestartIsOwed(self) -> None:
        self.come(0, *range(2, 300, 2))
        self.resequencer.restart()
        self.resequencer.checkInvariant()
        self.assertEqual(self.come(0, 2), [0])
        self.assertEqual(self.resequencer.deadline(self.now), self.now + HOLD)
        passed: list[int] = []
        while self.resequencer.owes:
            passed += numbersOf(self.resequencer.more())
            self.resequencer.checkInvariant()
        self.assertEqual(passed, list(range(2, 300, 2)))
        self.assertEqual(self.come(1), [1, 2])

    def test_duplicatesOfWhatIsOwedPassOnce(self) -> None:
        self.comeEach(0, *range(2, 300))
        passed = self.come(1)
        self.assertTrue(self.resequencer.owes)
        passed += self.come(*range(passed[-1] + 1, 300))
        while self.resequencer.owes:
            passed += numbersOf(self.resequencer.more())
            self.resequencer.checkInvariant()
        self.assertEqual(passed, list(range(1, 300)))


class NewSessionTests(_ResequencerTestCase):
    """
    Begin a session, whose first number is 0 at both ends.
    """

    def setUp(self) -> None:
        super().setUp()
        self.patch(resequencer, "FIRST_NUMBERS", FIRST_NUMBERS)

    def test_whatOvertookTheFirstWaitsForIt(self) -> None:
        self.assertEqual(self.come(2), [])
        self.assertFalse(self.resequencer.passLone(1, 1))
        self.assertEqual(self.come(1), [])
        self.assertEqual(self.come(0), [0, 1, 2])
        self.assertEqual(self.resequencer.late, 0)

    def test_theFirstPassesAtOnce(self) -> None:
        self.assertTrue(self.resequencer.passLone(0, 2))
        self.assertEqual(self.come(2), [2])

    def test_copiesOfTheFirstPassOnce(self) -> None:
        """
        Each was sent again through another link, and comes twice.
        """
        passed = numbersOf(self.resequencer.putAgain([arrival(1)], self.now))
        passed += numbersOf(self.resequencer.putAgain([arrival(0)], self.now))
        passed += self.come(0, 1, 2)
        self.assertEqual(passed, [0, 1, 2])

    def test_sessionThatGoesOnDoesNotWait(self) -> None:
        """
        Its first datagrams went to a server that has forgotten it.
        """
        for number in (FIRST_NUMBERS, FIRST_NUMBERS + 5, LAST_NUMBER):
            for lone in (False, True):
                self.begin()
                if lone:
                    self.assertTrue(self.resequencer.passLone(number, 1))
                else:
                    self.assertEqual(self.come(number), [number])
                self.assertEqual(self.come(number + 1), [number + 1])

    def test_gapBeforeTheFirstIsGivenUp(self) -> None:
        self.come(3)
        self.passTime(HOLD)
        self.assertEqual(self.expire(), [3])

    def test_afterARestartTheFirstIsExpectedAgain(self) -> None:
        self.come((0, 5))
        self.restart()
        self.assertEqual(self.come(1), [])
        self.assertEqual(self.come(0), [0, 1])


class LoneTests(_ResequencerTestCase):
    """
    Bring one train in a read, which is most often the next.
    """

    def test_nextTrainPasses(self) -> None:
        for base in BASES:
            self.begin()
            self.assertTrue(self.resequencer.passLone(base, 3))
            self.assertTrue(self.resequencer.passLone(base + 3 & LAST_NUMBER, 2))
            self.resequencer.checkInvariant()
            self.assertEqual(self.come(base + 5), [base + 5])
            self.assertEqual((self.resequencer.held, self.resequencer.late), (0, 0))

    def test_otherTrainsChangeNothing(self) -> None:
        self.come((0, 3))
        before = stateOf(self.resequencer)
        for number in (4, 2, 0, LAST_NUMBER, HALF_NUMBERS, HALF_NUMBERS + 3):
            self.assertFalse(self.resequencer.passLone(number, 1))
        self.assertEqual(stateOf(self.resequencer), before)
        self.assertEqual(self.come(4), [])
        before = stateOf(self.resequencer)
        self.assertFalse(self.resequencer.passLone(3, 1))
        self.assertEqual(stateOf(self.resequencer), before)
        self.assertEqual(self.come(3), [3, 4])
        self.assertTrue(self.resequencer.passLone(5, 1))

    def test_nextTrainShowsThatThePeerDoesNotCountAnew(self) -> None:
        """
        Trains that are late, long before and after it, are no restart.
        """
        self.come((0, 10))
        self.assertEqual(self.come(5), [5])
        self.passTime(HOLD * 1.5)
        self.assertTrue(self.resequencer.passLone(10, 1))
        self.assertEqual(self.come(6), [6])
        self.assertTrue(self.resequencer.passLone(11, 1))

    EVENTS = st.lists(
        st.tuples(
            st.sampled_from(["come"] * 12 + ["again", "again", "start", "restart"]),
            st.sampled_from([0] * 8 + [1, 1, 2, 3, -1, -2, -4, -9, 20, FAR - 40, FAR + 40]),
            st.integers(1, 4),
            st.sampled_from([0.0, 0.0, 0.0, HOLD / 8, HOLD / 2, HOLD]),
        ),
        max_size=60,
    )
    """What comes, how far ahead of what is expected, how many datagrams, and seconds before that."""

    @settings(max_examples=100)
    @given(st.sampled_from(BASES), EVENTS, st.booleans(), MODES)
    def test_itIsAsIfAllWerePutInOrder(
        self,
        base: int,
        events: list[tuple[str, int, int, float]],
        follow: bool,  # noqa: FBT001
        mode: OrderMode,
    ) -> None:
        """
        Whatever is lost, late, sent again or counted anew: whoever passes on what is
        simple passes on the same, and knows the same, as who puts everything in order.
        """
        self.begin(None if follow else HOLD, mode)
        other = Resequencer(Hold(self.now, None if follow else HOLD), FixedRoom(MAX_HELD_BYTES), Order(mode))
        for what, further, datagrams, seconds in [("come", 0, 1, 0.0), *events]:
            self.passTime(seconds)
            self.assertEqual(self.resequencer.expire(self.now), other.expire(self.now))
            if what == "restart":
                restarted = self.restart()
                other.restart()
                self.assertEqual(restarted, numbersOf(other.more()))
                continue
            expected = base if other._expected is None or what == "start" else other._expected
            number, train = arrival(expected + further, datagrams)
            if what == "again":
                passed = self.resequencer.putAgain([(number, train)], self.now)
                self.assertEqual(passed, other.putAgain([(number, train)], self.now))
            else:
                lone = self.resequencer.passLone(number, datagrams)
                passed = [train] if lone else self.resequencer.put([(number, train)], self.now)
                self.assertEqual(passed, other.put([(number, train)], self.now))
            self.assertEqual(stateOf(self.resequencer), stateOf(other))
            self.resequencer.checkInvariant()


class NumberTests(_ResequencerTestCase):
    """
    Pass the end of the numbers, which begin anew after 2^32.
    """

    def test_orderIsKeptWhereNumbersBeginAnew(self) -> None:
        self.assertEqual(arrival(LAST_NUMBER + 1)[0], 0)
        self.assertEqual(self.come(LAST_NUMBER - 2), [LAST_NUMBER - 2])
        self.assertEqual(self.come((LAST_NUMBER + 2, 2), LAST_NUMBER + 4), [])
        self.assertEqual(self.come((LAST_NUMBER - 1, 3)), list(range(LAST_NUMBER - 1, LAST_NUMBER + 5)))

    def test_lateTrainFromBeforeTheEndIsLate(self) -> None:
        self.come(LAST_NUMBER - 1, LAST_NUMBER + 3)
        self.passTime(HOLD)
        self.assertEqual(self.expire(), [LAST_NUMBER + 3])
        self.assertEqual(self.come(LAST_NUMBER), [LAST_NUMBER])
        self.assertEqual(self.come(LAST_NUMBER + 1), [LAST_NUMBER + 1])
        self.assertEqual(self.resequencer.late, 2)
        self.assertEqual(self.come(LAST_NUMBER + 4), [LAST_NUMBER + 4])

    def test_halfOfTheNumbersAreAheadAndHalfAreBehind(self) -> None:
        self.assertEqual(2 * HALF_NUMBERS, LAST_NUMBER + 1)
        for base in BASES:
            self.begin()
            self.come(base)
            self.assertEqual(self.come(base + 1 + FAR), [])
            self.assertEqual(self.come(base + 1 + HALF_NUMBERS), [base + 1 + HALF_NUMBERS])
            self.assertEqual(self.come(base - 1), [base - 1])
            self.assertEqual(self.resequencer.late, 2)

    def test_countingGoesRoundAndRound(self) -> None:
        self.come(0)
        expected = 1
        for _ in range(9):  # four times round
            expected += FAR
            self.assertEqual(self.come(expected), [])
            self.passTime(HOLD)
            self.assertEqual(self.expire(), [expected])
            self.assertEqual(self.come(expected + 2, expected + 1), [expected + 1, expected + 2])
            expected += 3

    EVENTS = st.lists(
        st.tuples(
            st.sampled_from([0, 0, 0, 1, 2, 3, 5, 8, -1, -4, 20, FAR - 40, FAR + 40, 1000 - FAR]),
            st.integers(1, 4),
            st.sampled_from([0.0, 0.0, HOLD / 8, HOLD / 2, HOLD]),
        ),
        max_size=40,
    )
    """Trains as they come: how far from what is expected about now, datagrams, and seconds before them."""

    @given(EVENTS)
    def test_itDoesNotMatterWhereThePeerBeginsToCount(self, events: list[tuple[int, int, float]]) -> None:
        """
        Whatever comes, what is passed on is the same from any base on; all of it, not
        more often than it came, and nothing stays.
        """
        outputs = []
        for base in BASES:
            self.begin(None)
            output = [self.come(base)]
            at, sent = base + 1, [base]
            for further, datagrams, seconds in events:
                self.passTime(seconds)
                output += [self.expire(), self.come((at + further, datagrams))]
                sent += range(at + further, at + further + datagrams)
                at += datagrams
            self.passTime(LONGEST_HOLD_SECONDS)
            output.append(self.expire())
            self.assertIsNone(self.resequencer.deadline(self.now))
            passed = [number for numbers in output for number in numbers]
            self.assertEqual(set(passed), set(sent))
            self.assertEqual(Counter(passed) - Counter(sent), Counter())
            outputs.append([[number - base for number in numbers] for numbers in output])
        for output in outputs:
            self.assertEqual(output, outputs[0])


class BoundTests(_ResequencerTestCase):
    """
    Try to make us keep more than there is room for.
    """

    def test_whatWaitsIsBounded(self) -> None:
        self.come(0)
        self.come(2, 3, 5)
        number = 7
        while (room := MAX_HELD_BYTES - self.resequencer.held) > 0:
            size = min(room - TRAIN_OVERHEAD_BYTES, MAX_TRAIN_BYTES)
            if room - size < 3 * TRAIN_OVERHEAD_BYTES and size == MAX_TRAIN_BYTES:
                size //= 2
            self.assertEqual(self.resequencer.put([(number, Train(size, bytes(size)))], self.now), [])
            number += 2
        self.assertEqual(self.resequencer.held, MAX_HELD_BYTES)
        self.resequencer.checkInvariant()
        self.assertEqual(self.come(number), [2, 3])
        self.assertEqual(self.come(4), [4, 5])
        self.assertEqual(self.come(1), [1])

    def test_asManyGapsAreGivenUpAsItTakes(self) -> None:
        """
        Small trains may stand before a long one.
        """
        self.holdAtMost(10 * TRAIN_OVERHEAD_BYTES)
        self.come(0)
        self.come(2, 4, 6, 8)
        train = Train(7 * TRAIN_OVERHEAD_BYTES, bytes(7 * TRAIN_OVERHEAD_BYTES))
        self.assertEqual(numbersOf(self.resequencer.put([(10, train)], self.now)), [2, 4, 6])
        self.resequencer.checkInvariant()
        self.assertEqual(self.come(7), [7, 8])

    def test_tinyTrainsTakeRoomToo(self) -> None:
        self.holdAtMost(1000 * TRAIN_OVERHEAD_BYTES)
        empty = Train(0, b"")
        self.resequencer.put([(0, empty)], self.now)
        passed = self.resequencer.put([(2 + 2 * each, empty) for each in range(2000)], self.now)
        self.resequencer.checkInvariant()
        self.assertEqual((len(passed), len(self.resequencer._waiting)), (1000, 1000))
        self.assertLessEqual(len(self.resequencer._byAge), 1000)
        self.assertEqual(len(self.resequencer._missed), MAX_GIVEN_UP)

    def test_trainThatIsFarAheadDoesNotMakeUsRememberTheOthers(self) -> None:
        """
        It is the oldest for a long time, while other gaps come and go; and all keep their times.
        """
        self.come(0)
        self.come(FAR)
        self.passTime(HOLD / 2)
        self.come(100000)
        most = 0
        for number in range(1, 4 * MAX_GONE, 2):
            self.assertEqual(self.come(number + 1, number), [number, number + 1])
            most = max(most, len(self.resequencer._byAge))
        self.assertGreater(most, MAX_GONE // 2)  # it is not tidied up each time
        self.passTime(HOLD / 2)
        self.assertEqual(self.expire(), [100000, FAR])
        self.assertIsNone(self.resequencer.deadline(self.now))

    def test_agesAreKeptWhenGoneTrainsAreForgotten(self) -> None:
        self.come(0)
        self.come(FAR - 2)
        self.passTime(HOLD / 4)
        self.come(FAR)
        for number in range(1, 4 * MAX_GONE, 2):
            self.come(number + 1, number)
        self.passTime(HOLD * 3 / 4)
        self.assertEqual(self.expire(), [FAR - 2])
        self.assertEqual(self.resequencer.deadline(self.now), START + HOLD / 4 + HOLD)
        self.passTime(HOLD / 4)
        self.assertEqual(self.expire(), [FAR])

    HOSTILE = st.lists(
        st.tuples(
            st.sampled_from(
                [
                    0,
                    1,
                    2,
                    3,
                    7,
                    50,
                    51,
                    1000,
                    HALF_NUMBERS - 1,
                    HALF_NUMBERS,
                    HALF_NUMBERS + 1,
                    LAST_NUMBER,
                    LAST_NUMBER - 5,
                ]
            ),
            st.booleans(),
            st.integers(1, 90),
            st.sampled_from([0.0, 0.0, 0.0, HOLD / 3, HOLD]),
        ),
        max_size=60,
    )
    """Trains of a peer that wants no good: a number, whether it is relative, datagrams, and seconds."""

    @example(
        [
            *[(0, False, 1, 0.0)] * 2,
            (0, False, 1, HOLD / 3),
            (HALF_NUMBERS, True, 1, HOLD),
            (1, False, 1, 0.0),
            (0, False, 2, 0.0),  # a small datagram that has the number of a large one
        ],
        False,
        OrderMode.BULK,
    )
    @given(HOSTILE, st.booleans(), MODES)
    def test_hostilePeerGainsNothing(
        self,
        events: list[tuple[int, bool, int, float]],
        follow: bool,  # noqa: FBT001
        mode: OrderMode,
    ) -> None:
        self.holdAtMost(8 * TRAIN_OVERHEAD_BYTES)
        self.begin(None if follow else HOLD, mode)
        put: list[Train] = []
        passed: list[Train] = []
        for mark, (number, isRelative, datagrams, seconds) in enumerate(events):
            self.passTime(seconds)
            passed += self.resequencer.expire(self.now)
            self.resequencer.checkInvariant()
            width = LARGE if number % 2 else WIDTH
            put.append(Train(width, mark.to_bytes(width, "big") * datagrams))
            base = (self.resequencer._expected or 0) if isRelative else 0
            passed += self.resequencer.put([(number + base & LAST_NUMBER, put[-1])], self.now)
            self.resequencer.checkInvariant()
        self.passTime(LONGEST_HOLD_SECONDS)
        passed += self.resequencer.expire(self.now)
        self.resequencer.checkInvariant()
        self.assertEqual(self.resequencer.held, 0)
        self.assertEqual(Counter(numbersOf(passed)) - Counter(numbersOf(put)), Counter())


class AgainTests(_ResequencerTestCase):
    """
    Send again what was in a tunnel that stands still.
    """

    def again(self, *numbers: int | tuple[int, int]) -> list[int]:
        """
        Trains come in one read that were sent before.

        @return: the numbers of the datagrams that are passed on.
        """
        arrivals = [arrival(each) if isinstance(each, int) else arrival(*each) for each in numbers]
        passed = numbersOf(self.resequencer.putAgain(arrivals, self.now))
        self.resequencer.checkInvariant()
        return passed

    def test_whatHasComeDoesNotPassTwice(self) -> None:
        self.assertEqual(self.come((0, 3)), [0, 1, 2])
        self.assertEqual(self.again((0, 3), 1, (1, 2)), [])
        self.assertEqual(self.come((5, 2)), [])
        self.assertEqual(self.again((5, 2), 6), [])
        self.assertEqual(self.come((3, 2)), [3, 4, 5, 6])
        self.assertEqual(self.again((3, 2), (0, 7)), [])
        self.assertEqual((self.resequencer.late, self.resequencer.held), (0, 0))
        self.assertIsNone(self.resequencer.deadline(self.now))

    def test_whatHasComeAgainDoesNotPassWhenItComesAfterAll(self) -> None:
        self.come(0, 10)
        self.passTime(HOLD)
        self.assertEqual(self.expire(), [10])
        self.assertEqual(self.again((1, 3), (11, 2), (15, 2)), [1, 2, 3, 11, 12])
        self.assertEqual(self.come((1, 3), (11, 2), (15, 2)), [])
        self.assertEqual(self.come((13, 2)), [13, 14, 15, 16])
        self.assertEqual(self.come((15, 2)), [])
        self.assertEqual(self.resequencer.late, 3)

    def test_copiesInOtherPiecesAreRememberedAsWell(self) -> None:
        """
        Two tunnels send some of the same again, before the first tunnel brings it after all.
        """
        self.come(0)
        self.assertEqual(self.again((2, 9), (5, 2)), [])
        self.assertEqual(self.come(1), list(range(1, 11)))
        self.assertEqual(self.come(5, (8, 2), 6, 2), [])

    def test_copiesFromBeforeTheBasePassOnce(self) -> None:
        self.come(1000)
        self.assertEqual(self.again((998, 2), (997, 3)), [998, 999, 997])

    def test_whatIsNewOfATrainPasses(self) -> None:
        self.assertEqual(self.come((0, 2)), [0, 1])
        self.assertEqual(self.again((0, 5)), [2, 3, 4])
        self.assertEqual(self.come((2, 5)), [5, 6])
        self.assertEqual(self.come((8, 2)), [])
        self.assertEqual(self.again((8, 4), (9, 1)), [])
        self.assertEqual(self.come((7, 1)), [7, 8, 9, 10, 11])
        self.assertEqual(self.resequencer.late, 0)

    def test_runsAreTakenApartWhereTheyHaveTo(self) -> None:
        self.come((0, 2))
        self.assertEqual(self.come((4, 2), (6, 1), (7, 3)), [])
        self.assertEqual(len(self.resequencer._waiting), 1)
        self.assertEqual(self.again((2, 3)), [2, 3, 4, 5, 6, 7, 8, 9])
        self.assertEqual(self.come((13, 1), (14, 2)), [])
        self.assertEqual(self.again((10, 1), (11, 3), (14, 1)), [10, 11, 12, 13, 14, 15])

    def test_gapIsFilledOnce(self) -> None:
        self.come(0, 10, 20)
        self.passTime(HOLD)
        self.assertEqual(self.expire(), [10, 20])
        self.assertEqual(self.come((3, 2)), [3, 4])
        self.assertEqual(self.again((2, 4)), [2, 5])
        self.assertEqual(self.again((1, 15)), [1, 6, 7, 8, 9, 11, 12, 13, 14, 15])
        self.assertEqual(self.again((1, 15), (0, 12), 10), [])
        self.assertEqual(self.resequencer.late, 14)
        self.assertEqual(self.come((11, 5)), [])
        self.assertEqual(self.again((12, 10)), [16, 17, 18, 19, 21])
        self.assertEqual(self.resequencer.late, 18)

    def test_lastDatagramMayBeShorter(self) -> None:
        self.resequencer.put([(0, Train(2, b"aa"))], self.now)
        again = [(0, Train(2, b"aabbc")), (2, Train(2, b"c")), (3, Train(0, b"")), (3, Train(0, b""))]
        self.assertEqual(self.resequencer.putAgain(again, self.now), [Train(2, b"bbc"), Train(0, b"")])

    def test_whatIsFromBeforeTheBaseMayBeNew(self) -> None:
        """
        The first tunnel of all may be the one that died: it is late.
        """
        self.come(1000)
        self.assertEqual(self.again((998, 4)), [998, 999, 1001])
        self.assertEqual(self.come((998, 2)), [])
        self.assertEqual(self.resequencer.late, 2)

    def test_itMayBeTheFirstThatComes(self) -> None:
        self.assertEqual(self.again((LAST_NUMBER, 3), LAST_NUMBER), [LAST_NUMBER, LAST_NUMBER + 1, LAST_NUMBER + 2])
        self.assertEqual(self.come(LAST_NUMBER + 3), [LAST_NUMBER + 3])

    def test_copiesSayNothingOfARestart(self) -> None:
        """
        Nor how long a train may wait, unless they fill a gap.
        """
        self.come((0, 5000))
        for number in range(100):
            self.assertEqual(self.again(number), [])
            self.passTime(HOLD / 4)
        self.assertEqual(self.come(5001, 5000), [5000, 5001])

    def test_whatComesTwiceByItselfPassesTwice(self) -> None:
        """
        Nobody has said that it might: it may be a peer that counts anew.
        """
        self.come((0, 3))
        self.assertEqual(self.come(1, (0, 2)), [1, 0, 1])
        self.assertEqual(self.come((2, 2)), [2, 3])
        self.assertEqual(self.resequencer.late, 4)

    def test_manyCopiesAreRememberedWhereTheyFollowOneAnother(self) -> None:
        """
        A tunnel that moves again brings all that it held, whatever came first.
        """
        self.come(0)
        numbers = list(range(1, 4 * MAX_GIVEN_UP))
        self.assertEqual(self.again(*numbers), numbers)
        self.assertEqual(self.come(*numbers), [])
        self.assertEqual((self.resequencer.late, len(self.resequencer._again)), (0, 0))

    def test_whatIsRememberedIsBounded(self) -> None:
        self.come(0)
        for number in range(2, 2 * MAX_GIVEN_UP + 20, 2):
            self.again(number)
        self.passTime(HOLD)
        self.expire()
        self.assertEqual((len(self.resequencer._missed), len(self.resequencer._again)), (MAX_GIVEN_UP, MAX_GIVEN_UP))
        self.passTime(MISSED_SECONDS + 0.001)
        self.assertEqual(self.again(2 * MAX_GIVEN_UP + 1), [])
        self.assertEqual((len(self.resequencer._missed), len(self.resequencer._again)), (0, MAX_GIVEN_UP))

    @given(
        st.lists(
            st.tuples(
                st.booleans(), st.integers(0, 40), st.integers(1, 9), st.sampled_from([0.0, 0.0, HOLD / 3, HOLD])
            ),
            max_size=40,
        )
    )
    def test_eachDatagramPassesOnce(self, events: list[tuple[bool, int, int, float]]) -> None:
        """
        Whatever is sent again before or after it comes, once or more often and in whatever
        pieces, as long as no tunnel brings a datagram twice by itself.
        """
        self.begin()
        passed = self.come(0)
        came, copied = {0}, set[int]()
        for isAgain, begin, size, seconds in events:
            self.passTime(seconds)
            passed += self.expire()
            numbers = set(range(begin, begin + size))
            if isAgain:
                passed += self.again((begin, size))
                copied |= numbers
            elif not numbers & came:
                passed += self.come((begin, size))
                came |= numbers
        self.passTime(LONGEST_HOLD_SECONDS)
        passed += self.expire()
        self.assertEqual(sorted(passed), sorted(came | copied))
        self.assertEqual(self.resequencer.held, 0)


class OffTests(_ResequencerTestCase):
    """
    Put nothing in order, and drop copies.
    """

    def setUp(self) -> None:
        super().setUp()
        self.begin(mode=OrderMode.OFF)

    def again(self, *numbers: int | tuple[int, int]) -> list[int]:
        """
        Trains come in one read that were sent before.

        @return: the numbers of the datagrams that are passed on.
        """
        arrivals = [arrival(each) if isinstance(each, int) else arrival(*each) for each in numbers]
        passed = numbersOf(self.resequencer.putAgain(arrivals, self.now))
        self.resequencer.checkInvariant()
        return passed

    def test_whatComesPassesAtOnce(self) -> None:
        self.assertEqual(self.come(0, (5, 2), 3), [0, 5, 6, 3])
        self.assertEqual(self.come(1, 9, (7, 2), 2), [1, 9, 7, 8, 2])
        self.assertIsNone(self.resequencer.deadline(self.now))
        self.assertEqual((self.resequencer.held, self.resequencer.owes), (0, False))

    def test_nothingIsLate(self) -> None:
        """
        Nobody has asked for the order in which it does not come.
        """
        self.come(0, 5)
        self.passTime(1.0)
        self.assertEqual(self.come(1, 2), [1, 2])
        self.assertEqual(self.again(3), [3])
        self.assertEqual(self.resequencer.late, 0)

    def test_loneTrainsPassTheShortWay(self) -> None:
        self.assertTrue(self.resequencer.passLone(0, 1))
        self.assertEqual(self.come(3), [3])
        self.assertTrue(self.resequencer.passLone(4, 2))
        self.assertEqual(self.come(6), [6])
        self.resequencer.checkInvariant()

    def test_copyOfWhatHasComeIsDropped(self) -> None:
        self.come((0, 3), (10, 3))
        self.assertEqual(self.again((0, 3), 11, 10, (0, 2)), [])

    def test_copyOfWhatHasNotComePassesAndTheFirstIsDroppedThen(self) -> None:
        self.come((0, 3), (10, 3))
        self.assertEqual(self.again((2, 9)), [3, 4, 5, 6, 7, 8, 9])
        self.assertEqual(self.come((3, 7)), [])
        self.assertEqual(self.again((12, 5)), [13, 14, 15, 16])
        self.assertEqual(self.come((13, 6)), [17, 18])

    def test_copyMayBeTheFirstThatComes(self) -> None:
        self.assertEqual(self.again((5, 2)), [5, 6])
        self.assertEqual(self.come((5, 3)), [7])
        self.assertEqual(self.again((3, 3), (3, 3)), [3, 4])
        self.assertEqual(self.come((3, 2)), [])

    def test_overtakenFirstDatagramsOfASessionPass(self) -> None:
        self.patch(resequencer, "FIRST_NUMBERS", FIRST_NUMBERS)
        self.assertEqual(self.come(2), [2])
        self.assertEqual(self.again((0, 3)), [0, 1])
        self.assertEqual(self.come((0, 2)), [])

    def test_whatIsRememberedIsBounded(self) -> None:
        self.come(0)
        for number in range(2, 4 * MAX_GIVEN_UP, 2):
            self.come(number)
        for number in range(4 * MAX_GIVEN_UP, 8 * MAX_GIVEN_UP, 2):
            self.again(number)
        self.assertEqual((len(self.resequencer._missed), len(self.resequencer._again)), (MAX_GIVEN_UP, MAX_GIVEN_UP))

    def test_peerMayCountAnew(self) -> None:
        """
        What it sends passes at once, and copies are dropped again after a hold.
        """
        self.come((BEFORE, 100))
        for number in range(20):
            self.assertEqual(self.come(number), [number])
            self.passTime(HOLD / 16)
        self.assertEqual(self.come(21), [21])
        self.assertEqual(self.again((19, 3)), [20])
        self.resequencer.restart()
        self.assertEqual(self.come(7, 9, 8), [7, 9, 8])

    @given(
        st.sampled_from(BASES),
        st.lists(
            st.tuples(
                st.booleans(), st.integers(0, 40), st.integers(1, 9), st.sampled_from([0.0, 0.0, HOLD / 3, HOLD])
            ),
            max_size=40,
        ),
    )
    def test_eachDatagramPassesAtOnceAndOnce(self, base: int, events: list[tuple[bool, int, int, float]]) -> None:
        """
        Whatever is lost, late or sent again, once or more often and in whatever pieces, as long
        as no tunnel brings a datagram twice by itself.
        """
        self.begin(mode=OrderMode.OFF)
        passed = set(self.come(base))
        came = set(passed)
        for isAgain, begin, size, seconds in events:
            self.passTime(seconds)
            numbers = set(range(base + begin, base + begin + size))
            if isAgain or not numbers & came:
                found = self.again((base + begin, size)) if isAgain else self.come((base + begin, size))
                self.assertEqual(found, sorted(numbers - passed))
                passed |= numbers
            if not isAgain:
                came |= numbers
            self.assertEqual(self.expire(), [])
        self.assertEqual((self.resequencer.held, self.resequencer.late), (0, 0))


class BulkTests(_ResequencerTestCase):
    """
    Put large datagrams in order, and let small ones go ahead.
    """

    def setUp(self) -> None:
        super().setUp()
        self.begin(mode=OrderMode.BULK)

    def small(self, number: int, datagrams: int = 1) -> list[int]:
        """
        A train of small datagrams comes.
        """
        return self.come((number, datagrams))

    def large(self, number: int, datagrams: int = 1) -> list[int]:
        """
        A train of large ones comes.
        """
        payload = b"".join(each.to_bytes(LARGE, "big") for each in range(number, number + datagrams))
        return self.take([(number, Train(LARGE, payload))])

    def take(self, arrivals: list[Arrival]) -> list[int]:
        """
        Any trains come.
        """
        passed = numbersOf(self.resequencer.put(arrivals, self.now))
        self.resequencer.checkInvariant()
        return passed

    def again(self, arrivals: list[Arrival]) -> list[int]:
        """
        They come though they were sent before.
        """
        passed = numbersOf(self.resequencer.putAgain(arrivals, self.now))
        self.resequencer.checkInvariant()
        return passed

    def test_smallOnesGoAheadAndLargeOnesWait(self) -> None:
        self.large(0)
        self.assertEqual(self.large(2), [])
        self.assertEqual(self.small(3, 2), [3, 4])
        self.assertEqual(self.large(5), [])
        self.assertEqual(self.small(7), [7])
        self.assertEqual(self.large(1), [1, 2, 5])
        self.assertEqual(self.large(6), [6])
        self.assertEqual(self.small(8), [8])
        self.assertEqual((self.resequencer.held, self.resequencer.late), (0, 0))
        self.assertIsNone(self.resequencer.deadline(self.now))

    def test_sizeDecidesToTheByte(self) -> None:
        self.large(0)
        for number, size, isPassed in ((2, SMALL_BYTES, True), (4, SMALL_BYTES + 1, False), (6, 0, True)):
            train = Train(size, bytes(size))
            self.assertEqual(self.resequencer.put([(number, train)], self.now), [train] if isPassed else [])

    def test_smallEndOfALargeTrainGoesAhead(self) -> None:
        """
        The network's stack joins what comes in a row, so that a voice may end a train of bulk.
        """
        self.large(0)
        bulk, voice = bytes(LARGE), b"voice"
        self.assertEqual(
            self.resequencer.put([(2, Train(LARGE, 2 * bulk + voice))], self.now), [Train(len(voice), voice)]
        )
        self.assertEqual(self.large(5), [])
        passed = self.resequencer.put([(1, Train(LARGE, bulk))], self.now)
        self.assertEqual([len(each) for train in passed for each in cut(train)], [LARGE] * 4)

    def test_whatWentAheadDoesNotPassAgain(self) -> None:
        """
        Neither a copy does, nor what comes after a copy; before its turn, in it, or later.
        """
        self.large(0)
        self.assertEqual(self.small(2), [2])
        self.assertEqual(self.again([arrival(4, 2)]), [4, 5])
        self.assertEqual(self.again([arrival(2), arrival(5)]), [])
        self.assertEqual(self.small(4, 2), [])
        self.assertEqual(self.small(6), [6])
        self.assertEqual(self.again([arrival(1, 6)]), [1, 3])
        self.assertEqual(self.resequencer.held, 0)
        self.assertEqual(self.again([arrival(0, 7)]), [])
        self.assertEqual(self.small(7), [7])

    def test_whatFillsAGapMayBringMoreThanThat(self) -> None:
        """
        Some of which went ahead, and some has waited.
        """
        self.take([mixed(0)[0]])
        self.assertEqual(self.take(mixed(2, 3)), [2, 4])
        self.assertEqual(self.again(mixed(1, 6)), [1, 3, 5, 6])
        self.assertEqual(self.take(mixed(5, 4)), [7, 8])
        self.assertEqual(self.resequencer.held, 0)

    def test_whatBeginsBehindMayReachToWhatWentAhead(self) -> None:
        self.small(0, 3)
        self.assertEqual(self.small(4), [4])
        self.assertEqual(self.small(2, 4), [2, 3, 5])
        self.assertEqual(self.resequencer.held, 0)

    def test_gapBeforeSmallOnesIsGivenUpInTime(self) -> None:
        """
        What is remembered of them ends with that, and a late datagram passes.
        """
        self.large(0)
        self.assertEqual(self.small(2), [2])
        self.assertEqual(self.resequencer.deadline(self.now), START + HOLD)
        self.passTime(HOLD)
        self.assertEqual(self.expire(), [])
        self.assertEqual((self.resequencer.held, self.resequencer.deadline(self.now)), (0, None))
        self.assertEqual(self.large(1), [1])
        self.assertEqual(self.resequencer.late, 1)

    def test_onlyLargeOnesAreLate(self) -> None:
        self.large(0)
        self.large(9)
        self.passTime(HOLD)
        self.assertEqual(self.expire(), [9])
        self.assertEqual(self.small(1, 2), [1, 2])
        self.assertEqual(self.again([arrival(3)]), [3])
        self.assertEqual(self.resequencer.late, 0)
        payload = (5).to_bytes(LARGE, "big") + (6).to_bytes(WIDTH, "big")
        self.assertEqual(self.take([(5, Train(LARGE, payload))]), [5, 6])
        self.assertEqual(self.resequencer.late, 1)
        self.assertEqual(self.again([(7, Train(LARGE, (7).to_bytes(LARGE, "big")))]), [7])
        self.assertEqual(self.resequencer.late, 2)

    def test_whatSmallOnesWaitForTeaches(self) -> None:
        """
        How long a gap takes to be filled is seen also where nothing waits behind it.
        """
        self.begin(None, OrderMode.BULK)
        self.large(0)
        self.small(2)
        self.passTime(0.14)
        self.assertEqual(self.large(1), [1])
        self.assertAlmostEqual(self.hold.seconds(self.now), 0.14 * MARGIN)

    def test_whatIsRememberedIsBounded(self) -> None:
        """
        In runs as in bytes; when there would be more, the first gaps are given up.
        """
        self.patch(resequencer, "MAX_HELD_RUNS", 30)
        self.large(0)
        for number in range(2, 300, 2):
            self.assertEqual(self.small(number), [number])
            self.assertLessEqual(len(self.resequencer._waiting), 30)
        self.assertEqual(self.small(3), [3])
        self.assertEqual(self.small(297), [297])
        self.patch(resequencer, "MAX_HELD_RUNS", 4096)
        self.holdAtMost(10 * TRAIN_OVERHEAD_BYTES)
        self.begin(mode=OrderMode.BULK)
        self.large(0)
        for number in range(2, 300, 2):
            self.assertEqual(self.small(number), [number])
            self.assertLessEqual(self.resequencer.held, 10 * TRAIN_OVERHEAD_BYTES)

    def test_whatIsForgottenAtOneGoIsBounded(self) -> None:
        """
        Numbers whose datagrams went ahead cost time as well, when their turn or their time comes.
        """
        for isFilled in (True, False):
            self.begin(mode=OrderMode.BULK)
            self.large(0)
            for number in range(2, 400, 1 if isFilled else 2):
                self.small(number)
            before = len(self.resequencer._waiting)
            if isFilled:
                self.assertEqual(self.large(1), [1])
            else:
                self.passTime(HOLD)
                self.assertEqual(self.resequencer.expire(self.now), [])
            rounds = 1
            while self.resequencer._waiting:
                self.resequencer.checkInvariant()
                self.assertLessEqual(before - len(self.resequencer._waiting), MAX_READY_TRAINS)
                before = len(self.resequencer._waiting)
                self.assertTrue(self.resequencer.owes if isFilled else self.resequencer.deadline(self.now) == self.now)
                self.assertEqual(self.resequencer.expire(self.now), [])
                rounds += 1
            self.assertGreater(rounds, 2)
            self.assertEqual(self.resequencer.held, 0)

    def test_afterARestartNothingIsRememberedOfThem(self) -> None:
        self.large(0)
        self.small(2)
        self.large(4)
        self.small(5)
        self.assertEqual(self.restart(), [4])
        self.assertEqual(self.resequencer.held, 0)
        self.assertEqual(self.small(2), [2])
        self.small(4)
        left: list[int] = []
        self.patch(FixedRoom, "shrink", lambda _, needed: left.append(needed))
        self.resequencer.restart()
        self.assertEqual(left, [0])
        self.resequencer.checkInvariant()
        self.assertEqual((self.resequencer.held, self.resequencer.owes), (0, False))

    @given(
        st.lists(
            st.tuples(
                st.booleans(),
                st.integers(1, 40),
                st.integers(1, 9),
                st.sampled_from([0.0, 0.0, HOLD / 8, HOLD / 3, HOLD]),
            ),
            max_size=40,
        )
    )
    def test_eachDatagramPassesOnceAndSmallOnesAtOnce(self, events: list[tuple[bool, int, int, float]]) -> None:
        """
        Whatever is lost, late or sent again, once or more often and in whatever pieces, as long as
        no tunnel brings a datagram twice by itself.  Large ones stay in order among all,
        unless one that waits has waited for a hold.
        """
        self.begin(mode=OrderMode.BULK)
        self.take(mixed(0))
        passed, came, cameAt, top, late = {0}, {0}, {0: self.now}, 0, 0

        def see(numbers: list[int]) -> None:
            nonlocal top, late
            for number in numbers:
                self.assertNotIn(number, passed)
                passed.add(number)
                if not isSmallNumber(number):
                    if number < top:
                        late += 1
                    elif not passed.issuperset(range(number)):
                        missing = max(set(range(number)) - passed)
                        waited = [each for each in cameAt if each > missing and cameAt[each] + HOLD <= self.now]
                        self.assertNotEqual(waited, [])
                    top = max(top, number)

        for isAgain, begin, size, seconds in events:
            until = self.now + seconds
            while (deadline := self.resequencer.deadline(self.now)) is not None and deadline <= until:
                self.now = max(deadline, self.now)
                see(self.expire())
            self.now = until
            numbers = set(range(begin, begin + size))
            if not isAgain and numbers & came:
                continue
            new = numbers - cameAt.keys()
            cameAt.update(dict.fromkeys(new, self.now))
            found = self.again(mixed(begin, size)) if isAgain else self.take(mixed(begin, size))
            see(found)
            self.assertLessEqual({number for number in new if isSmallNumber(number)}, set(found))
            if not isAgain:
                came |= numbers
        self.passTime(LONGEST_HOLD_SECONDS)
        see(self.expire())
        self.assertEqual(passed, cameAt.keys())
        self.assertEqual((self.resequencer.held, len(self.resequencer._early)), (0, 0))
        self.assertGreaterEqual(self.resequencer.late, late)


class OvertakingTests(_ResequencerTestCase):
    """
    Let what waits go ahead before its gap is given up.
    """

    def overtake(self, seconds: float = SOON) -> list[int]:
        """
        @return: the numbers of the datagrams that go ahead.
        """
        passed: list[int] = []
        self.resequencer.overtakesAt = self.now
        while self.resequencer.overtakesAt <= self.now:
            passed += numbersOf(self.resequencer.overtake(self.now, seconds, 3))
            self.resequencer.checkInvariant()
        return passed

    def test_whatHasWaitedForAMomentGoesAhead(self) -> None:
        self.come(0, (2, 3), 6)
        self.assertEqual((self.overtake(), self.resequencer.overtakesAt), ([], self.now + SOON))
        self.passTime(SOON)
        self.assertEqual((self.overtake(), self.resequencer.overtakesAt), ([2, 3, 4, 6], math.inf))
        self.assertEqual((self.come(1), self.come(5)), ([1], [5]))
        self.assertEqual((self.come(7), self.resequencer.held, self.resequencer.late), ([7], 0, 0))

    def test_whereNothingWaitsNothingDoes(self) -> None:
        self.assertEqual((self.overtake(), self.resequencer.overtakesAt), ([], math.inf))

    def test_whatFollowsOneThatWentAheadDoesToo(self) -> None:
        self.come(0, 2)
        self.passTime(SOON)
        self.overtake()
        self.come(3, 5)
        self.assertEqual((self.overtake(), self.resequencer.overtakesAt), ([3], self.now + SOON))

    def test_smallOnesThatNeedNotWaitTakeNothingAlong(self) -> None:
        self.begin(mode=OrderMode.BULK)
        payload = bytes(LARGE)
        passed = self.resequencer.put([arrival(0), arrival(2), (3, Train(LARGE, payload))], self.now)
        self.assertEqual((numbersOf(passed), self.overtake()), ([0, 2], []))
        self.passTime(SOON)
        self.assertEqual(len(self.overtake()), 1)

    def test_allOfALongRepairDo(self) -> None:
        """
        Their numbers take little room, and a look at them little time.
        """
        self.come(0, 2)
        self.passTime(SOON)
        self.overtake()
        for number in range(3, 5 * MAX_LOOKED_AT):
            self.come(number)
            self.assertEqual(self.overtake(), [number])
        self.assertEqual((self.resequencer.runs, self.resequencer.held), (1, TRAIN_OVERHEAD_BYTES))
        self.assertEqual(self.come(2, 1, 5 * MAX_LOOKED_AT), [1, 5 * MAX_LOOKED_AT])

    def test_whatGoesAheadAtOneGoIsBounded(self) -> None:
        self.come(0, *range(2, 22, 2))
        self.passTime(SOON)
        self.assertEqual(numbersOf(self.resequencer.overtake(self.now, SOON, 4)), [2, 4, 6, 8])
        self.assertEqual((self.resequencer.overtakesAt, self.overtake()), (self.now, [10, 12, 14, 16, 18, 20]))

    def test_whatStandsBeforeOneThatHasWaitedDoesToo(self) -> None:
        """
        The gap before it has been known for as long.
        """
        self.come(0, 5)
        self.passTime(SOON)
        self.come(2)
        self.assertEqual(self.overtake(), [2, 5])

    def test_whatWentAheadComesOnceThoughPiecesOverlap(self) -> None:
        """
        Copies may have come in other pieces, before and after.
        """
        self.come(0, (3, 2), (2, 5), 4)
        self.passTime(SOON)
        self.assertEqual(self.overtake(), [2, 3, 4, 5, 6])
        self.come((3, 6))
        self.assertEqual(self.overtake(), [7, 8])
        self.assertEqual((self.come(1), self.come(9), self.resequencer.held), ([1], [9], 0))

    def test_gapIsGivenUpInTimeAllTheSame(self) -> None:
        self.come(0, 2)
        self.passTime(SOON)
        self.overtake()
        self.passTime(HOLD - SOON)
        self.assertEqual((self.expire(), self.resequencer.gapsGivenUp, self.resequencer.held), ([], 1, 0))
        self.assertEqual((self.come(3), self.come(1), self.resequencer.late), ([3], [1], 1))

    def test_whereMuchWaitsItWaits(self) -> None:
        """
        That is no light flow, and to look at all of it would take long.
        """
        self.come(0, *range(2, 2 * MAX_LOOKED_AT + 2, 2))
        self.passTime(SOON)
        self.assertEqual(len(self.overtake()), MAX_LOOKED_AT)
        self.come(2 * MAX_LOOKED_AT + 4)
        self.passTime(SOON)
        self.assertEqual((self.overtake(), self.resequencer.overtakesAt), ([], math.inf))
        self.passTime(HOLD)
        self.assertEqual(numbersOf(self.resequencer.expire(self.now, 2 * MAX_LOOKED_AT)), [2 * MAX_LOOKED_AT + 4])

    def test_whatIsOwedGoesFirst(self) -> None:
        """
        Of what waits some may have come twice by then.
        """
        numbers = [*range(2, 12), *range(13, 23)]
        self.come(0, *numbers)
        self.resequencer.putAgain([arrival(number) for number in numbers], self.now)
        self.passTime(HOLD)
        passed = numbersOf(self.resequencer.expire(self.now, 4))
        self.assertTrue(self.resequencer.owes)
        self.assertEqual((self.overtake(), self.resequencer.overtakesAt), ([], math.inf))
        self.assertEqual(passed + self.expire(), numbers)

    def test_whoCountsAnewGetsNothingTwice(self) -> None:
        self.come(0, 2, 4)
        self.passTime(SOON)
        self.overtake()
        self.come(6)
        self.assertEqual((self.restart(), self.come(0), self.come(1)), ([6], [0], [1]))

    def see(self, numbers: list[int]) -> None:
        """
        These are passed on, once.
        """
        self.resequencer.checkInvariant()
        for number in numbers:
            self.assertNotIn(number, self.passed)
            self.passed.add(number)

    def live(self, seconds: float, *, isLight: bool) -> None:
        """
        Let time pass, and do what is due.
        """
        until = self.now + seconds
        while True:
            overtakesAt = self.resequencer.overtakesAt if isLight else math.inf
            due = min(self.resequencer.deadline(self.now) or math.inf, overtakesAt)
            if due > until:
                break
            self.now = max(due, self.now)
            self.see(self.expire())
            if isLight:
                self.see(self.overtake())
        self.now = until

    @given(
        st.lists(
            st.tuples(
                st.booleans(),
                st.integers(1, 90),
                st.integers(1, 9),
                st.sampled_from([0.0, 0.0, SOON / 2, SOON, HOLD / 3, HOLD]),
                st.booleans(),
            ),
            max_size=40,
        ),
        st.sampled_from([OrderMode.AUTO, OrderMode.BULK]),
    )
    def test_eachDatagramPassesOnceAndSoon(
        self, events: list[tuple[bool, int, int, float, bool]], mode: OrderMode
    ) -> None:
        """
        Whatever is lost, late or sent again, and in whatever pieces; while the flow is light, and after it was.
        """
        self.begin(mode=mode)
        make = mixed if mode is OrderMode.BULK else trainOf
        self.passed = set(numbersOf(self.resequencer.put(make(0, 1), self.now)))
        came, cameAt = {0}, {0: self.now}
        for isAgain, begin, size, seconds, isLight in events:
            self.live(seconds, isLight=isLight)
            if isLight:
                self.see(self.overtake())
                waiting = [cameAt[number] for number in cameAt.keys() - self.passed]
                self.assertLess(self.now - SOON, min(waiting, default=math.inf))
            numbers = set(range(begin, begin + size))
            if not isAgain and numbers & came:
                continue
            cameAt.update(dict.fromkeys(numbers - cameAt.keys(), self.now))
            take = self.resequencer.putAgain if isAgain else self.resequencer.put
            self.see(numbersOf(take(make(begin, size), self.now)))
            if not isAgain:
                came |= numbers
        self.live(LONGEST_HOLD_SECONDS, isLight=False)
        self.assertEqual(self.passed, cameAt.keys())
        self.assertEqual((self.resequencer.held, len(self.resequencer._early)), (0, 0))


class RestartTests(_ResequencerTestCase):
    """
    Start a peer again, which counts anew.
    """

    def test_lowerNumbersCostOneHold(self) -> None:
        """
        They are taken for late ones, and passed on at once; after a hold there is order again.
        """
        self.come((BEFORE, 100))
        for number in range(20):
            self.assertEqual(self.come(number), [number])
            self.passTime(HOLD / 16)
        late = self.resequencer.late
        self.assertEqual(self.come(21, 20), [20, 21])
        self.assertEqual(self.resequencer.late, late)

    def test_orderIsNotKeptBeforeAHoldIsOver(self) -> None:
        """
        A few late trains may come in a row from a peer that was never away.
        """
        self.come((BEFORE, 100))
        for number in range(16):
            self.assertEqual(self.come(number), [number])
            self.passTime(HOLD / 16)
        self.assertEqual(self.come(18, 17), [18, 17])
        self.assertEqual(self.come(BEFORE + 101, BEFORE + 100), [BEFORE + 100, BEFORE + 101])

    def test_gapIsNotRememberedForEver(self) -> None:
        """
        A number far ahead, whose gap is given up, costs the order of a few seconds only of what comes in the gap.
        """
        self.come(0, HALF_NUMBERS - 1)
        self.passTime(LONGEST_HOLD_SECONDS)
        self.resequencer.expire(self.now)
        self.assertEqual(self.come(2, 1), [2, 1])
        self.passTime(MISSED_SECONDS)
        self.come(3)
        self.passTime(2 * LONGEST_HOLD_SECONDS)
        self.come(4)
        self.assertEqual(self.come(6, 5), [5, 6])

    def test_whatWaitsPassesBeforeThePeerCountsAnew(self) -> None:
        self.come(BEFORE, BEFORE + 2, 1)
        self.passTime(HOLD * 1.5)
        self.assertEqual(self.come(2), [BEFORE + 2, 2])
        self.assertEqual(self.come(4, 3), [3, 4])

    def test_peerMayCountAnewInTheMidstOfARead(self) -> None:
        self.come((BEFORE, 100))
        self.assertEqual(self.come(-8), [-8])
        self.passTime(HOLD * 1.1)
        self.assertEqual(self.come(*range(-7, 3)), list(range(-7, 3)))
        self.assertEqual(self.come(4, 3), [3, 4])
        self.assertEqual(self.resequencer.late, 1)

    def test_numbersFarAheadCostOneHold(self) -> None:
        self.come((BEFORE, 100))
        ahead = BEFORE + FAR // 2
        self.assertEqual(self.come(ahead, ahead + 2), [])
        self.passTime(HOLD / 2)
        self.assertEqual(self.come(ahead + 1, ahead + 3), [])
        self.passTime(HOLD / 2)
        self.assertEqual(self.expire(), [ahead, ahead + 1, ahead + 2, ahead + 3])
        self.assertEqual(self.come(ahead + 5, ahead + 4), [ahead + 4, ahead + 5])

    AROUND = tuple(BEFORE + each for each in (-1000, -10, 0, 1, 5, 1000))
    PLACES = (0, 1, *AROUND, HALF_NUMBERS, HALF_NUMBERS + BEFORE - 1000, HALF_NUMBERS + BEFORE + 10, LAST_NUMBER - 8)
    """Where a peer may begin to count anew."""

    def test_everyRestartCostsNoMoreThanOneHold(self) -> None:
        """
        Wherever a peer begins that sends at an even pace, and whatever still waits: a
        hold and a train later everything passes on in order and at once.
        """
        for gap in (0, 2):
            for place in self.PLACES:
                self.begin()
                self.come((BEFORE - 100, 100))
                self.come(BEFORE + gap)
                self.passTime(HOLD / 8)
                number = place
                begun = self.now
                while self.now <= begun + HOLD + HOLD / 8:
                    self.come(number)
                    number += 1
                    self.passTime(HOLD / 16)
                    self.expire()
                late = self.resequencer.late
                for _ in range(100):
                    self.assertEqual((place, self.come(number)), (place, [number]))
                    number += 1
                    self.passTime(HOLD / 16)
                self.assertEqual((place, self.resequencer.late), (place, late))

    def test_twoLateTrainsAreNoRestart(self) -> None:
        """
        Two tunnels that stalled may bring them at any time, in a session that is
        quiet otherwise: nothing has to wait for that.
        """
        self.come(0)
        self.come(3)
        self.passTime(HOLD)
        self.assertEqual(self.expire(), [3])
        self.passTime(1.0)
        self.assertEqual(self.come(2), [2])
        self.passTime(1.0)
        self.assertEqual(self.come(1), [1])
        self.assertEqual(self.come(4), [4])

    def test_lateTrainsAmongOthersAreNoRestart(self) -> None:
        """
        Whatever comes between them, in order or early, is not behind.
        """
        for between in (11, 12):
            self.begin()
            self.come(10)
            self.assertEqual(self.come(9), [9])
            self.passTime(HOLD / 2)
            self.come(between)
            self.passTime(HOLD)
            self.expire()
            self.assertEqual(self.come(8), [8])
            self.assertEqual(self.come(between + 1), [between + 1])

    def test_tunnelThatIsAlwaysLateIsNoRestart(self) -> None:
        """
        Half of the trains come by one that takes longer than any train may wait: they
        do not hold the others up for more than a hold, nor each other at all.
        """
        events = [(self.now + 0.02 * number, number) for number in range(1, 150, 2)]
        events += [(self.now + 0.02 * number + 0.6, number) for number in range(0, 150, 2)]
        passedAt: dict[int, float] = {}
        self.come(-1)
        for at, number in sorted(events):
            while (deadline := self.resequencer.deadline(self.now)) is not None and deadline <= at:
                self.now = deadline
                passedAt.update((each, self.now) for each in self.expire())
            self.now = at
            passedAt.update((each, self.now) for each in self.come(number))
        for at, number in sorted(events)[10:-10]:
            self.assertAlmostEqual(passedAt[number], at + (HOLD if number % 2 else 0))


class LearningTests(_ResequencerTestCase):
    """
    Teach the re-sequencer how long a train may wait.
    """

    def setUp(self) -> None:
        """
        Let it begin with so little that what is learnt is not cut off soon.
        """
        self.patch(holding, "FIRST_HOLD_SECONDS", FIRST)
        super().setUp()

    def assertHold(self, seconds: float) -> None:
        """
        A train may wait for so long.
        """
        self.assertAlmostEqual(self.hold.seconds(self.now), seconds)

    def test_filledGapTeaches(self) -> None:
        self.begin(None)
        self.come(0)
        self.come(2)
        self.passTime(0.05)
        self.come(5)
        self.passTime(0.07)
        self.come(1)
        self.assertHold(0.12 * MARGIN)
        self.passTime(0.05)
        self.come(3)
        self.passTime(0.02)
        self.come(4)
        self.assertHold(0.14 * MARGIN)

    def test_orderThatWasNeverBrokenTeachesNothing(self) -> None:
        """
        What is known decays until a repair takes longer.
        """
        self.begin(None)
        for number in range(600):
            self.come(number)
            self.passTime(1)
        self.assertHold(LEAST_HOLD_SECONDS)

    def test_gapThatIsFilledTooLateTeaches(self) -> None:
        """
        The next train may wait for as long as that took.
        """
        self.begin(None)
        self.come(0)
        self.come(3)
        self.passTime(FIRST)
        self.assertEqual(self.expire(), [3])
        self.come(5)
        self.passTime(0.05)
        self.come(2)
        self.assertHold((FIRST + 0.05) * MARGIN)
        self.passTime(0.05)
        self.come(1)
        self.assertHold((FIRST + 0.1) * MARGIN)
        self.passTime(0.05)
        self.come(4)
        self.assertHold((FIRST + 0.1) * MARGIN * math.pow(REMEMBERED_PER_SECOND, 0.05))

    def test_eachOfSeveralGapsTeaches(self) -> None:
        for number in (1, 3, 5):
            self.begin(None)
            self.come(0)
            self.come(6)
            self.passTime(0.02)
            self.come(4, 2)
            self.passTime(FIRST - 0.02)
            self.assertEqual(self.expire(), [2, 4, 6])
            self.passTime(0.05)
            self.come(number)
            self.assertHold((FIRST + 0.05) * MARGIN)
        self.holdAtMost(2 * (TRAIN_OVERHEAD_BYTES + WIDTH))
        self.begin(None)
        self.come(0)
        self.assertEqual(self.come(2, 4, 6), [2])
        self.passTime(0.2)
        self.come(1)
        self.assertHold(0.2 * MARGIN)

    def test_lateTrainOfNoKnownGapTeachesNothing(self) -> None:
        self.begin(None)
        self.come((10, 10))
        self.come(22)
        self.passTime(FIRST)
        self.expire()
        self.passTime(0.1)
        expected = FIRST * math.pow(REMEMBERED_PER_SECOND, self.now - START)
        self.come(19, 22, 9)
        self.assertHold(expected)
        self.come(20)
        self.assertHold((FIRST + 0.1) * MARGIN)

    def test_gapsBeforeARestartTeachNothing(self) -> None:
        """
        The numbers mean something else now.
        """
        self.begin(None)
        self.come(0, 2)
        self.passTime(FIRST)
        self.expire()
        self.resequencer.restart()
        self.come(5)
        self.passTime(0.1)
        self.come(1)
        self.assertLess(self.hold.seconds(self.now), FIRST)

    def test_latestGapsAreRemembered(self) -> None:
        self.begin(None)
        self.come(0)
        for number in range(2, 2 * MAX_GIVEN_UP + 4, 2):
            self.come(number)
        self.passTime(FIRST)
        self.expire()
        self.passTime(0.1)
        before = self.hold.seconds(self.now)
        self.come(1)
        self.assertHold(before)
        self.come(3)
        self.assertHold((FIRST + 0.1) * MARGIN)

    def test_deadlineFollowsWhatIsKnown(self) -> None:
        """
        A train that waits already may wait for longer, when that is learnt meanwhile.
        """
        self.begin(None)
        self.come(0, 2)
        self.assertEqual(self.resequencer.deadline(self.now), START + FIRST)
        self.hold.roundTrip = FIRST
        self.assertEqual(self.resequencer.deadline(self.now), START + FIRST * ROUND_TRIPS)
        self.passTime(FIRST)
        self.assertEqual(self.expire(), [])
        self.passTime(FIRST * ROUND_TRIPS - FIRST)
        self.assertEqual(self.expire(), [2])


class Sent(NamedTuple):
    """
    Holds a train on its way.

    @ivar comesAt: L{None} for one that is lost.
    """

    number: int
    datagrams: int
    comesAt: float | None


JOURNEYS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(1, 4),
        st.sampled_from([0, 0, 0, 1, 4, 20]),
        st.integers(0, 29),
        st.integers(0, 9),
    ),
    max_size=50,
)
"""
Trains in the order in which they are sent: tunnel, datagrams, and in units of a tenth of
the longest delay the time since the one before and what it is held up; whether it is lost.
"""


def send(journeys: list[tuple[int, int, int, int, int]], unit: float) -> list[Sent]:
    """
    Let trains travel through tunnels that keep their own order.

    @param unit: of the times, in seconds.
    """
    now, number = START, 1
    free: dict[int, float] = {}
    sent = []
    for tunnel, datagrams, since, delay, _ in journeys:
        now += since * unit
        free[tunnel] = max(free.get(tunnel, now), now + delay * unit)
        sent.append(Sent(number, datagrams, free[tunnel]))
        number += datagrams
    return sent


class WholeTests(_ResequencerTestCase):
    """
    Send through several tunnels, each of which keeps its own order.
    """

    def carry(self, sent: list[Sent]) -> list[tuple[float, int]]:
        """
        Let trains come, and expire what waits at each deadline.

        @return: when each datagram was passed on, and its number.
        """
        passed: list[tuple[float, int]] = []
        arrivals = [(train.comesAt, train) for train in sent if train.comesAt is not None]
        arrivals.sort(key=lambda each: each[0])
        self.come(0)
        for at, train in [*arrivals, (math.inf, None)]:
            while (deadline := self.resequencer.deadline(self.now)) is not None and deadline <= at:
                self.now = deadline
                passed += [(self.now, number) for number in self.expire()]
            if train is not None:
                self.now = at
                passed += [(self.now, number) for number in self.come((train.number, train.datagrams))]
        self.assertEqual(self.resequencer.held, 0)
        return passed

    @given(JOURNEYS)
    def test_nothingIsOutOfOrderWhereNothingIsLost(self, journeys: list[tuple[int, int, int, int, int]]) -> None:
        self.begin()
        sent = send(journeys, HOLD / 30)
        passed = self.carry(sent)
        self.assertEqual([number for _, number in passed], list(range(1, 1 + sum(train.datagrams for train in sent))))
        self.assertEqual(self.resequencer.late, 0)

    @given(JOURNEYS)
    def test_nothingIsLostOrWaitsTooLong(self, journeys: list[tuple[int, int, int, int, int]]) -> None:
        """
        Whatever is lost, and however late the rest comes: each datagram that comes is passed on once, no later than a
        hold after it came, and at once when all before it has been passed on, or it is late.  Nothing goes before
        what it may wait for unless one that waits has waited for a hold.
        """
        self.begin()
        sent = [
            train._replace(comesAt=None) if journey[4] == 0 else train
            for train, journey in zip(send(journeys, HOLD / 10), journeys, strict=True)
        ]
        passed = self.carry(sent)
        cameAt = {
            number: train.comesAt
            for train in sent
            if train.comesAt is not None
            for number in range(train.number, train.number + train.datagrams)
        }
        self.assertEqual(sorted(number for _, number in passed), sorted(cameAt))
        gone, top, late = {0}, 0, 0
        passedAt = {number: at for at, number in passed}
        for at, number in passed:
            self.assertLessEqual(at, cameAt[number] + HOLD)
            if number < top:
                late += 1
                self.assertEqual(at, cameAt[number])
            elif number != top + 1:
                waited = [each for each in cameAt if each >= number and cameAt[each] + HOLD <= at <= passedAt[each]]
                self.assertNotEqual(waited, [])
            gone.add(number)
            top = max(top, number)
        self.assertEqual(self.resequencer.late, late)
        for at, number in passed:
            before = [passedAt[each] for each in range(1, number) if each in passedAt]
            if len(before) == number - 1:
                self.assertLessEqual(at, max([cameAt[number], *before]))

    def test_sizesOfTheTestsAreWhatTheySeem(self) -> None:
        """
        A datagram of these tests tells its number, also where that is negative.
        """
        self.assertEqual(numbersOf([arrival(-2, 3)[1]]), [-2, -1, 0])
        self.assertEqual(arrival(-2, 3)[0], LAST_NUMBER - 1)
        self.assertEqual(bytesOf([arrival(0, 3)[1]]), 3 * WIDTH)
