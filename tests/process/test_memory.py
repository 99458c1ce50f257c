"""
How much of the memory each owner may fill.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.process.memory import GRANT_BYTES, LEAST_GRANT_BYTES, MOST_GIVEN_UP, HeldRoom, Memory, MemoryShare, Room
from uotp.process.turns import Turns

BUDGET = 60 * GRANT_BYTES


class MemoryTests(SynchronousTestCase):
    """
    Let owners fill it.
    """

    def setUp(self) -> None:
        self.memory = Memory(BUDGET)
        self.later: list[Callable[[], None]] = []

    def share(self) -> MemoryShare:
        """
        @return: of one more owner.
        """
        return MemoryShare(self.memory, self.later.append)

    def fill(self, share: MemoryShare) -> tuple[list[Room], int]:
        """
        Take as much as can be had, with queues of four parts each.

        @return: the queues, and how much room they have.
        """
        rooms = []
        while True:
            rooms.append(Room(share, 4 * GRANT_BYTES))
            if not rooms[-1].reaches(4 * GRANT_BYTES):
                break
        return rooms, sum(room.granted for room in rooms)

    def test_roomComesInPartsAsItIsNeeded(self) -> None:
        room = Room(self.share(), 3 * GRANT_BYTES)
        self.assertTrue(room.reaches(0))
        self.assertEqual(self.memory.used, 0)
        self.assertTrue(room.reaches(GRANT_BYTES - 1))
        self.assertEqual((room.granted, self.memory.used), (GRANT_BYTES, GRANT_BYTES))
        self.assertTrue(room.reaches(GRANT_BYTES + 1))
        self.assertEqual(room.granted, 2 * GRANT_BYTES)

    def test_queueThatHoldsLittleGetsLittle(self) -> None:
        """
        Not more than twice what it holds, or the least that is given at all.
        """
        room = Room(self.share(), 3 * GRANT_BYTES)
        asked = 0
        for needed in range(1, GRANT_BYTES + 1):
            asked += needed > room.granted
            self.assertTrue(room.reaches(needed))
            self.assertLess(room.granted, max(2 * needed, LEAST_GRANT_BYTES + 1))
            self.assertEqual(self.memory.used, room.granted)
        self.assertEqual(room.granted, GRANT_BYTES)
        self.assertLess(asked, 6)

    def test_queueHasABoundOfItsOwn(self) -> None:
        """
        Up to that it gets what there is, also when it asks for more.
        """
        room = Room(self.share(), 3 * GRANT_BYTES - 5)
        self.assertFalse(room.reaches(3 * GRANT_BYTES))
        self.assertEqual(room.granted, 3 * GRANT_BYTES - 5)
        self.assertTrue(room.reaches(3 * GRANT_BYTES - 5))

    def test_aPartIsLeftToAQueueThatHoldsMuch(self) -> None:
        """
        Where it goes up and down a little, nobody is asked each time.
        """
        room = Room(self.share(), 9 * GRANT_BYTES)
        room.reaches(9 * GRANT_BYTES)
        room.shrink(5 * GRANT_BYTES - 1)
        self.assertEqual((room.granted, self.memory.used), (6 * GRANT_BYTES, 6 * GRANT_BYTES))
        room.shrink(5 * GRANT_BYTES)
        self.assertEqual(room.granted, 6 * GRANT_BYTES)

    def test_littleIsLeftToAQueueThatHoldsLittle(self) -> None:
        """
        And nothing to one that is empty, however much it held before.
        """
        for before in (LEAST_GRANT_BYTES, GRANT_BYTES, 9 * GRANT_BYTES):
            room = Room(self.share(), 9 * GRANT_BYTES)
            room.reaches(before)
            room.shrink(LEAST_GRANT_BYTES // 2)
            self.assertEqual((room.granted, self.memory.used), (LEAST_GRANT_BYTES, LEAST_GRANT_BYTES))
            room.shrink(0)
            self.assertEqual((room.granted, self.memory.used), (0, 0))

    def test_roomOfAQueueThatIsGoneIsFree(self) -> None:
        share = self.share()
        room = Room(share, 9 * GRANT_BYTES)
        room.reaches(9 * GRANT_BYTES)
        del room
        self.assertEqual((share.used, self.memory.used), (0, 0))

    def test_oneOwnerFillsHalfAndTwoAThirdEach(self) -> None:
        """
        Whoever comes later finds room, without anybody having to give any up.
        """
        one, other = self.share(), self.share()
        rooms, size = self.fill(one)
        self.assertLessEqual(size, BUDGET // 2)
        self.assertGreater(size, BUDGET // 2 - 5 * GRANT_BYTES)
        more, left = self.fill(other)
        self.assertGreater(left, BUDGET // 4 - 5 * GRANT_BYTES)
        self.assertLessEqual(self.memory.used, BUDGET)
        for each in (rooms, more):
            for room in each:
                room.shrink(0)
        self.assertEqual(self.memory.used, 0)

    def test_whatIsNobodysIsKeptFree(self) -> None:
        self.memory.reserve(BUDGET // 2)
        _, size = self.fill(self.share())
        self.assertLessEqual(size, BUDGET // 4)
        self.assertGreater(size, BUDGET // 4 - 5 * GRANT_BYTES)

    def nextTurn(self) -> None:
        """
        Come to the next turn.
        """
        calls, self.later[:] = list(self.later), []
        for call in calls:
            call()

    def hold(self, share: MemoryShare, streams: int) -> tuple[list[HeldRoom], list[int]]:
        """
        Let streams hold a part each.

        @return: them, and the numbers of those that were given up.
        """
        rooms = [HeldRoom(share) for _ in range(streams)]
        given: list[int] = []
        for number, room in enumerate(rooms):
            room.hold(GRANT_BYTES, partial(given.append, number))
        return rooms, given

    def test_streamsMayHoldTwiceWhatIsFree(self) -> None:
        """
        Two thirds of the budget, if there is one owner.
        """
        rooms, given = self.hold(self.share(), 40)
        self.assertEqual((self.memory.used, self.later), (40 * GRANT_BYTES, []))
        for room in rooms:
            room.release()
            room.release()
        self.assertEqual((self.memory.used, given), (0, []))

    def test_streamThatHasHeldForLongestIsGivenUp(self) -> None:
        """
        Not at once, but in the next turn, and not more of them than have to be.
        """
        rooms, given = self.hold(self.share(), 40)
        rooms[0].release()
        more = [HeldRoom(rooms[0]._share) for _ in range(3)]
        for room in more:
            room.hold(GRANT_BYTES, self.fail)
        self.assertEqual((given, len(self.later)), ([], 1))
        self.nextTurn()
        self.assertEqual(given, [1, 2])
        self.assertEqual(self.memory.used, 40 * GRANT_BYTES)

    def test_roomThatComesBackInTimeSavesTheStream(self) -> None:
        rooms, given = self.hold(self.share(), 41)
        rooms[17].release()
        self.nextTurn()
        self.assertEqual((given, self.later), ([], []))

    def test_fewStreamsAreGivenUpInOneTurn(self) -> None:
        _, given = self.hold(self.share(), 60)
        self.nextTurn()
        self.assertEqual(given, [*range(MOST_GIVEN_UP)])
        while self.later:
            self.nextTurn()
        self.assertEqual(given, [*range(20)])

    def test_streamsOfAllOwnersHoldNoMoreThanThereIs(self) -> None:
        """
        And those of one that has little are left alone.
        """
        _, small = self.hold(self.share(), 1)
        many = [self.hold(self.share(), 60)[1] for _ in range(5)]
        while self.later:
            self.nextTurn()
        self.assertEqual(small, [])
        self.assertTrue(all(many))
        self.assertLessEqual(self.memory.used, BUDGET)

    def test_whateverHappensTheSumIsRightAndWithinTheBudget(self) -> None:
        chance = random.Random(5)  # noqa: S311 - a test
        shares = [self.share() for _ in range(4)]
        rooms: dict[Room, MemoryShare] = {}
        for _ in range(3000):
            deed = chance.random()
            if deed < 0.2 and len(rooms) < 40:
                share = chance.choice(shares)
                rooms[Room(share, chance.choice((GRANT_BYTES // 2, 7 * GRANT_BYTES)))] = share
            elif rooms and deed < 0.8:
                room = chance.choice(list(rooms))
                needed = chance.randrange(8 * GRANT_BYTES)
                self.assertEqual(room.reaches(needed), room.granted >= needed)
            elif rooms and deed < 0.9:
                room = chance.choice(list(rooms))
                needed = chance.randrange(room.granted + 1)
                room.shrink(needed)
                self.assertGreaterEqual(room.granted, needed)
            elif rooms:
                del rooms[chance.choice(list(rooms))]
                room = None
            room = None
            self.assertEqual(self.memory.used, sum(each.granted for each in rooms))
            self.assertLessEqual(self.memory.used, BUDGET)
            for share in shares:
                self.assertEqual(share.used, sum(each.granted for each, of in rooms.items() if of is share))
        rooms.clear()
        self.assertEqual(self.memory.used, 0)

    def test_sessionsOfOneOwnerShareItsPart(self) -> None:
        turns = Turns(Clock(), self.memory)
        sessions = [turns.allowanceOf("one") for _ in range(3)]
        rooms = [session.room(BUDGET) for session in sessions]
        for room in rooms:
            room.reaches(BUDGET // 2)
        self.assertEqual(sum(room.granted for room in rooms), BUDGET // 2)
        self.assertTrue(turns.allowanceOf("other").room(BUDGET).reaches(BUDGET // 4))
