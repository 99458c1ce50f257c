"""
How the sources that share one port share its time.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.contracts import TimerTestCase
from uotp.telemetry.drops import Drop, Drops
from uotp.train import TRAIN_OVERHEAD_BYTES, Train, countOf
from uotp.udp.crowd import (
    COMPANY_SECONDS,
    FULL_READS,
    HAND_ON_BYTES,
    HAND_ON_SECONDS,
    HEAVY_BYTES,
    LEVEL_SHARE,
    MAX_READS,
    MIN_LEVEL_BYTES,
    READ_SECONDS,
    SOURCE_BYTES,
    SOURCE_TRAINS,
    WEIGH_SECONDS,
    Intake,
    Scales,
    SourceQueue,
)

FULL = Train(1000, bytes(64_000))
LONE = Train(100, bytes(100))

MOST = 1_000_000


class SourceQueueTests(SynchronousTestCase):
    """
    Let heavy and light sources wait.
    """

    def setUp(self) -> None:
        self.drops = Drops()
        self.queue = SourceQueue(self.drops, MOST)
        self.addCleanup(self.queue.checkInvariant)

    def put(self, source: Hashable, *trains: Train) -> None:
        """
        Let trains wait.
        """
        self.queue.put(source, list(trains))
        self.queue.checkInvariant()

    def takeAll(self) -> list[tuple[Hashable, int]]:
        """
        @return: whose turn it was, and how many trains each had handed on.
        """
        taken = []
        while self.queue:
            source, trains = self.queue.take()
            self.queue.checkInvariant()
            taken.append((source, len(trains)))
        return taken

    def test_eachSourceHasItsTurn(self) -> None:
        """
        A heavy one has a part handed on, and then the others come.
        """
        self.put("heavy", FULL, FULL, FULL)
        for source in ("light", "other"):
            self.put(source, LONE)
        self.assertEqual(self.takeAll(), [("heavy", 1), ("light", 1), ("other", 1), ("heavy", 1), ("heavy", 1)])
        self.assertRaises(LookupError, self.queue.take)

    def test_turnIsBoundedInTrainsAndInBytes(self) -> None:
        self.put("small", *[LONE] * (SOURCE_TRAINS + 1))
        large = Train(1400, bytes(SOURCE_BYTES // 3))
        self.put("large", *[large] * 4)
        self.assertEqual(self.takeAll(), [("small", SOURCE_TRAINS), ("large", 3), ("small", 1), ("large", 1)])

    def test_orderOfOneSourceIsKept(self) -> None:
        trains = [Train(1, bytes([number])) for number in range(100)]
        for number in range(0, 100, 10):
            self.put("one", *trains[number : number + 10])
        came: list[Train] = []
        while self.queue:
            came += self.queue.take()[1]
        self.assertEqual(came, trains)

    def test_whoHasMostLosesItsOldest(self) -> None:
        """
        And the light ones nothing.
        """
        for number in range(10):
            self.put(number, LONE)
        sent = [Train(1000, bytes([number]) * 64_000) for number in range(40)]
        for train in sent:
            self.put("heavy", train)
        came: dict[Hashable, list[Train]] = {}
        while self.queue:
            source, trains = self.queue.take()
            came.setdefault(source, []).extend(trains)
        kept = came.pop("heavy")
        self.assertEqual(came, {number: [LONE] for number in range(10)})
        self.assertEqual(kept, sent[-len(kept) :])
        self.assertEqual(self.drops.totals, {Drop.SOURCE_TOO_MUCH: countOf(sent[: -len(kept)])})
        self.assertGreater(len(kept), MOST * LEVEL_SHARE // 65_000 - 2)

    def test_twoHeavyOnesAreLevelled(self) -> None:
        self.put("more", *[FULL] * 11)
        self.put("less", *[FULL] * 5)
        kept = {"more": 0, "less": 0}
        for source, trains in self.takeAll():
            assert isinstance(source, str)
            kept[source] += trains
        self.assertEqual(kept, {"more": 6, "less": 5})

    def test_veryManySourcesAreBoundedToo(self) -> None:
        """
        Each keeps a little, and what comes when that is too much already is dropped.
        """
        each = MIN_LEVEL_BYTES - TRAIN_OVERHEAD_BYTES
        sources = 2 * MOST // MIN_LEVEL_BYTES
        for number in range(sources):
            self.put(number, Train(each, bytes(each)))
        self.assertEqual(len(self.queue), MOST // MIN_LEVEL_BYTES)
        self.assertEqual(self.drops.totals[Drop.SOURCE_TOO_MUCH], sources - len(self.queue))

    def test_whoHasMostIsFoundOutSeldom(self) -> None:
        """
        To find it out takes longer the more sources wait.  Where very many do, each with
        one small datagram, it is no use, and is not tried for each that comes.
        """
        levels: list[int] = []

        class CountedQueue(SourceQueue):
            def _level(self) -> None:
                levels.append(len(self))
                super()._level()

        queue = CountedQueue(self.drops, MOST)
        datagram = [Train(1, b"1")]
        most = MOST // (TRAIN_OVERHEAD_BYTES + 1)
        for number in range(3 * most):
            queue.put(number, datagram)
        queue.checkInvariant()
        self.assertEqual(len(queue), most)
        self.assertLessEqual(len(levels), 1 + 2 / (1 - LEVEL_SHARE))

    def test_emptyDatagramsAreBoundedToo(self) -> None:
        self.put("one", *[Train(0, b"")] * (2 * MOST // TRAIN_OVERHEAD_BYTES))
        self.assertLessEqual(self.queue.cost, MOST)

    @given(
        st.lists(
            st.tuples(st.integers(0, 5), st.lists(st.integers(0, 65_000), max_size=6), st.integers(0, 3)), max_size=60
        )
    )
    def test_nothingIsLostUncounted(self, steps: list[tuple[int, list[int], int]]) -> None:
        """
        Whatever comes and is handed on, all that is not handed on is counted.
        """
        self.setUp()
        put = taken = 0
        for source, sizes, takes in steps:
            self.put(source, *[Train(max(size, 1), bytes(size)) for size in sizes])
            put += len(sizes)
            for _ in range(min(takes, len(self.queue))):
                taken += len(self.queue.take()[1])
        taken += sum(trains for _, trains in self.takeAll())
        self.assertEqual(taken + self.drops.totals[Drop.SOURCE_TOO_MUCH], put)
        self.assertEqual(self.queue.cost, 0)


class ScalesTests(SynchronousTestCase):
    """
    Weigh what sources bring.
    """

    def setUp(self) -> None:
        self.scales = Scales()

    def weigh(self, *sources: str, now: float = 0.0) -> Hashable:
        """
        Read once for each of the sources, all that a read can bring.

        @return: the one that sends too much.
        """
        for source in sources:
            self.scales.addFullRead(now)
            self.scales.add(source, [FULL])
        return self.scales.takeHeavy()

    def test_whoBringsMoreThanAllOthersIsHeavy(self) -> None:
        """
        It is told once, and again when it has brought as much again.
        """
        few = ["light", "other"]
        self.assertEqual(self.weigh(*few, *["heavy"] * FULL_READS), "heavy")
        self.assertIsNone(self.weigh())
        self.assertEqual(self.weigh(*["heavy"] * FULL_READS), "heavy")

    def test_noneOfManyAlikeIsHeavy(self) -> None:
        self.assertIsNone(self.weigh(*["one", "two", "three"] * 50))

    def test_fewFullReadsAreABurst(self) -> None:
        """
        Those of one time, and those of two times that have some each.
        """
        self.assertGreater((FULL_READS - 1) * len(FULL.payload), HEAVY_BYTES)
        self.assertIsNone(self.weigh(*["heavy"] * (FULL_READS - 1)))
        self.assertIsNone(self.weigh(*["heavy"] * (FULL_READS - 1), now=WEIGH_SECONDS))
        self.assertEqual(self.weigh("heavy", now=WEIGH_SECONDS), "heavy")

    def test_littleIsNotHeavy(self) -> None:
        """
        However often it is all that a small buffer holds.
        """
        for _ in range(10 * FULL_READS):
            self.scales.addFullRead(0)
            self.scales.add("small", [LONE])
        self.assertIsNone(self.scales.takeHeavy())


class ReadPort:
    """
    Brings what a test has laid out, a batch for each read.

    @ivar batches: what is still to be read, by source.
    @ivar handedOn: the sources of what was handed on, and how many trains each time.
    @ivar tooMuch: the sources that were told to send too much.
    """

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.batches: list[list[tuple[str, list[Train]]]] = []
        self.handedOn: list[tuple[str, int]] = []
        self.tooMuch: list[str] = []
        self.readTakes = self.handingOnTakes = 0.0
        self.reads = 0
        self.intake: Intake

    def readMore(self) -> bool:
        self.reads += 1
        self.clock.rightNow += self.readTakes
        if not self.batches:
            return False
        for source, trains in self.batches.pop(0):
            self.intake.put(source, trains)
        return True

    def handOn(self, source: Any, trains: list[Train]) -> None:
        self.clock.rightNow += self.handingOnTakes
        if source == "broken":
            raise ValueError(source)
        self.handedOn.append((source, len(trains)))

    def tooMuchOf(self, source: Any) -> None:
        self.tooMuch.append(source)


class IntakeTests(TimerTestCase):
    """
    Let a port be read while it is crowded.
    """

    def setUp(self) -> None:
        super().setUp()
        self.port = ReadPort(self.clock)
        self.intake = self.port.intake = Intake(self.clock, Drops(), self.port)
        self.turns: list[Any] = []

    def holdTurns(self) -> None:
        """
        Let the test say when a turn of the reactor comes.
        """

        def callLater(_: float, call: Any) -> IntakeTests:
            self.turns.append(call)
            return self

        self.patch(self.clock, "callLater", callLater)

    def cancel(self) -> None:
        """
        The call for the next turn is not wanted any more.
        """
        self.turns.clear()

    def test_lonelySourceIsNotHeldUp(self) -> None:
        """
        However much it sends.
        """
        for _ in range(9):
            self.assertFalse(self.intake.wants("heavy", several=False, full=True))

    def test_portThatIsNotFullIsNotCrowded(self) -> None:
        """
        However many send.
        """
        for source in "abcabc":
            self.assertFalse(self.intake.wants(source, several=True, full=False))

    def test_portIsCrowdedWhenSeveralFillIt(self) -> None:
        """
        For a while after another has sent than the one before.
        """
        self.assertTrue(self.intake.wants("heavy", several=True, full=True))
        self.clock.advance(COMPANY_SECONDS - 0.01)
        self.assertTrue(self.intake.wants("heavy", several=False, full=True))
        self.clock.advance(0.02)
        self.assertFalse(self.intake.wants("heavy", several=False, full=True))
        self.assertTrue(self.intake.wants("other", several=False, full=True))

    def test_socketIsReadEmptyBeforeAnythingIsHandedOn(self) -> None:
        """
        So that a light source is served before a heavy one has had its second turn.
        """
        self.port.batches = [[("heavy", [FULL])], [("heavy", [FULL])], [("heavy", [FULL]), ("light", [LONE])]]
        self.intake.readOn()
        self.assertEqual(self.port.handedOn, [("heavy", 1), ("light", 1), ("heavy", 1), ("heavy", 1)])
        self.assertFalse(self.intake.isBusy)

    def test_readingIsBoundedInCountAndInTime(self) -> None:
        self.port.batches = [[("heavy", [LONE])]] * (2 * MAX_READS)
        self.intake.readOn()
        self.assertEqual(self.port.reads, MAX_READS)
        self.port.reads = 0
        self.port.readTakes = READ_SECONDS / 3.5
        self.intake.readOn()
        self.assertEqual(self.port.reads, 4)

    def test_handingOnIsBoundedInBytes(self) -> None:
        """
        The rest comes in the next turns, and what is read meanwhile waits behind it.
        """
        self.holdTurns()
        self.port.batches = [[("heavy", [FULL] * 9)]]
        self.intake.readOn()
        most = -(-HAND_ON_BYTES // len(FULL.payload))
        self.assertEqual(len(self.port.handedOn), most)
        self.assertTrue(self.intake.wants("light", several=False, full=False))
        self.port.batches = [[("light", [LONE])]]
        self.intake.readOn()
        self.assertEqual((len(self.port.handedOn), len(self.turns)), (most, 1))
        self.turns.pop()()
        self.assertEqual(self.port.handedOn[most : most + 2], [("heavy", 1), ("light", 1)])
        self.assertEqual((len(self.port.handedOn), self.turns, self.intake.isBusy), (10, [], False))

    def test_handingOnIsBoundedInTime(self) -> None:
        self.holdTurns()
        self.port.handingOnTakes = HAND_ON_SECONDS / 2.5
        self.port.batches = [[(str(number), [LONE]) for number in range(8)]]
        self.intake.readOn()
        for number in (3, 6, 8):
            self.assertEqual(len(self.port.handedOn), number)
            if self.turns:
                self.turns.pop()()
        self.assertFalse(self.intake.isBusy)

    def readHeavy(self, *, shared: bool) -> list[str]:
        """
        Read so much of one source that it is heavy.

        @return: what the port was told.
        """
        for _ in range(FULL_READS):
            if self.intake.wants("heavy", several=shared, full=True):
                self.intake.put("heavy", [FULL])
        self.intake.readOn()
        self.clock.pump([0] * FULL_READS)
        return self.port.tooMuch

    def test_portIsToldWhoSendsTooMuch(self) -> None:
        self.assertEqual(self.readHeavy(shared=True), ["heavy"])

    def test_portOfOneSourceIsToldNothing(self) -> None:
        """
        However much it sends.
        """
        self.assertEqual(self.readHeavy(shared=False), [])

    def test_whatIsReadApartIsNotWeighed(self) -> None:
        """
        Since it fills the port no more.
        """
        for _ in range(FULL_READS):
            self.intake.wants("heavy", several=True, full=True)
            self.intake.putAside("heavy", [FULL])
        self.assertEqual(self.intake.costOf("heavy"), FULL_READS * (len(FULL.payload) + TRAIN_OVERHEAD_BYTES))
        self.intake.readOn()
        self.clock.pump([0] * FULL_READS)
        self.assertEqual(self.port.tooMuch, [])

    def test_whatComesApartIsReadBehindThePort(self) -> None:
        """
        It hears whether the port is empty, and is handed on in the same turn.
        """
        self.port.batches = [[("light", [LONE])]]

        def readBehind(isEmpty: bool) -> None:  # noqa: FBT001 - as the intake calls it
            self.assertEqual((isEmpty, self.port.batches, self.intake.isReading), (True, [], False))
            self.intake.putAside("heavy", [FULL])

        self.intake.readOn(readBehind)
        self.assertEqual(self.port.handedOn, [("light", 1), ("heavy", 1)])
        self.port.batches = [[("light", [LONE])]] * (MAX_READS + 1)
        told: list[bool] = []
        self.intake.readOn(told.append)
        self.assertEqual(told, [False])

    def test_errorCostsNoOther(self) -> None:
        self.port.batches = [[("broken", [LONE]), ("light", [LONE])]]
        self.intake.readOn()
        self.assertEqual(self.port.handedOn, [("light", 1)])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_stopLeavesNothing(self) -> None:
        self.port.batches = [[("heavy", [FULL] * 20)]]
        self.port.handingOnTakes = HAND_ON_SECONDS
        self.intake.readOn()
        self.assertTrue(self.intake.isBusy)
        self.intake.stop()
        self.assertFalse(self.intake.isBusy)
        self.assertNoTimer()
        self.intake.stop()
