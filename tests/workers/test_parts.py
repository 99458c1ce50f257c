"""
The parts that workers have of a total follow what they use, and never come to more than the total.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from uotp.workers.parts import Parts


class World:
    """
    Has workers that keep to the parts that they have heard of.  What is said on either way comes in order, and as
    late as the test wants.

    @ivar parts: the parts.
    @ivar heard: the part that each worker goes by.
    @ivar uses: what each uses.
    """

    def __init__(self, total: int, count: int) -> None:
        self.parts = Parts(total, count, self.tell)
        self.numbers = range(1, count + 1)
        self.heard: dict[int, int] = {}
        self.uses: dict[int, int] = {}
        self.told: dict[int, deque[int]] = {}
        self.reports: dict[int, deque[tuple[int, int]]] = {}

    def tell(self, number: int, part: int) -> None:
        """
        A part is on its way to its worker.
        """
        self.told[number].append(part)

    def begin(self, number: int) -> None:
        """
        A worker begins.
        """
        if number not in self.heard:
            self.told[number], self.reports[number] = deque(), deque()
            self.uses[number] = 0
            self.heard[number] = self.parts.began(number)

    def end(self, number: int) -> None:
        """
        A worker ends, and all that was said to it and by it is lost.
        """
        if number in self.heard:
            for each in (self.heard, self.uses, self.told, self.reports):
                del each[number]
            self.parts.gone(number)

    def want(self, number: int, amount: int) -> None:
        """
        A worker uses as much as it wants, and may.  What it has it gives up when it wants.
        """
        if number in self.heard:
            self.uses[number] = min(amount, max(self.heard[number], min(self.uses[number], amount)))

    def hear(self, number: int) -> None:
        """
        What was told to a worker arrives.
        """
        if self.told.get(number):
            self.heard[number] = self.told[number].popleft()

    def report(self, number: int) -> None:
        """
        A worker says what it uses.
        """
        if number in self.heard:
            self.reports[number].append((self.uses[number], self.heard[number]))

    def arrive(self, number: int) -> None:
        """
        What a worker has said arrives.
        """
        if self.reports.get(number):
            self.parts.used(number, *self.reports[number].popleft())

    def second(self, **wanted: int) -> None:
        """
        Let each worker want something, and all that is said arrive.

        @param wanted: by C{w1} and so on; otherwise nothing.
        """
        for number in self.numbers:
            self.hear(number)
            self.want(number, wanted.get(f"w{number}", 0))
            self.report(number)
            self.arrive(number)

    def check(self) -> None:
        """
        What holds at any time.
        """
        self.parts.checkInvariant()
        told = self.parts.parts()
        assert set(told) == set(self.heard)
        total = sum(max(self.uses[number], self.heard[number], told[number]) for number in told)
        assert total <= self.parts.total, (total, self.parts.total)
        assert sum(told.values()) <= self.parts.total


ACTIONS: dict[str, Callable[[World, int, int], None]] = {
    "begin": lambda world, number, _: world.begin(number),
    "end": lambda world, number, _: world.end(number),
    "want": lambda world, number, amount: world.want(number, amount),
    "hear": lambda world, number, _: world.hear(number),
    "report": lambda world, number, _: world.report(number),
    "arrive": lambda world, number, _: world.arrive(number),
}


class PartsTests(SynchronousTestCase):
    """
    Share a total out.
    """

    def world(self, total: int, count: int) -> World:
        """
        @return: workers that have begun.
        """
        world = World(total, count)
        for number in world.numbers:
            world.begin(number)
        world.check()
        return world

    @given(
        st.integers(0, 2000),
        st.integers(1, 5),
        st.lists(st.tuples(st.sampled_from(sorted(ACTIONS)), st.integers(1, 5), st.integers(0, 3000)), max_size=200),
    )
    def test_theyNeverComeToMoreThanTheTotal(self, total: int, count: int, steps: list[tuple[str, int, int]]) -> None:
        """
        Whatever workers want, however late they hear of it, and whoever comes and goes.
        """
        world = World(total, count)
        for number in world.numbers:
            world.begin(number)
        for action, number, amount in steps:
            ACTIONS[action](world, 1 + number % count, amount)
            world.check()

    def test_atFirstAllHaveTheSame(self) -> None:
        self.assertEqual(self.world(1000, 4).parts.parts(), {1: 250, 2: 250, 3: 250, 4: 250})

    def test_busyOneAmongIdleOnesGetsMost(self) -> None:
        """
        The others keep a floor.
        """
        for count in (2, 4, 8):
            world = self.world(1 << 20, count)
            for _ in range(30):
                world.second(w2=1 << 30)
                world.check()
            parts = world.parts.parts()
            self.assertGreater(parts[2], (1 << 20) // 2)
            for number in set(world.numbers) - {2}:
                self.assertGreaterEqual(parts[number], world.parts.floor)
            self.assertEqual(world.uses[2], parts[2])

    def test_twoThatAreEquallyBusyGetAboutTheSame(self) -> None:
        """
        Also when one of them was alone before.
        """
        for alone in (0, 30):
            world = self.world(1 << 20, 4)
            for _ in range(alone):
                world.second(w1=1 << 30)
            # The first gives up what is too much, as sessions end and queues drain.
            for _ in range(60):
                world.second(w1=min(1 << 30, world.heard[1]), w3=1 << 30)
                world.check()
            parts = world.parts.parts()
            self.assertLess(abs(parts[1] - parts[3]), max(parts[1], parts[3]) // 8)
            self.assertGreater(parts[1] + parts[3], 3 * (1 << 20) // 5)

    def test_oneThatIsGoneGivesItsPartBack(self) -> None:
        """
        All but the floor, which the next one gets at once.
        """
        world = self.world(1000, 2)
        for _ in range(30):
            world.second(w1=1 << 30)
        world.end(1)
        for _ in range(30):
            world.second(w2=1 << 30)
        self.assertEqual(world.parts.parts(), {2: 750})
        world.begin(1)
        self.assertEqual(world.parts.parts(), {1: 250, 2: 750})
        for _ in range(30):
            world.second(w1=1 << 30, w2=min(world.heard[2], 1 << 30))
            world.check()
        self.assertLess(abs(world.heard[1] - world.heard[2]), 100)

    def test_smallChangesAreNotTold(self) -> None:
        """
        Nobody is told every second.
        """
        world = self.world(1 << 20, 3)
        for _ in range(30):
            world.second(w1=50_000, w2=90_000)
        told: list[int] = []
        world.parts._changed = lambda number, _: told.append(number)
        for step in range(60):
            world.second(w1=50_000 + 100 * (step % 3), w2=90_000)
        self.assertEqual(told, [])

    def test_reportsOfOneThatIsGoneChangeNothing(self) -> None:
        world = self.world(1000, 2)
        world.end(1)
        world.parts.used(1, 10**9, 10**9)
        world.parts.used(2, -5, 7)
        world.check()

    def test_whoBeginsHasItsFloorWhateverOthersSay(self) -> None:
        """
        Somebody may have taken another one over, that says that it uses all.
        """
        parts = Parts(1000, 2, lambda *_: None)
        parts.began(1)
        parts.used(1, 1 << 64, 500)
        self.assertEqual(parts.began(2), parts.floor)

    def test_aTotalThatIsLessThanTheWorkers(self) -> None:
        """
        Somebody gets it.
        """
        world = self.world(3, 4)
        for _ in range(20):
            world.second(w2=9, w3=9)
            world.check()
        self.assertLessEqual(sum(world.parts.parts().values()), 3)
