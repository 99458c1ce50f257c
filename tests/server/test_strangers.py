"""
Connections without a session id: how long they may stay, and who has to go for whom.
"""

from __future__ import annotations

from typing import Any

from tests.doubles.contracts import TimerTestCase
from tests.doubles.newcomers import BareNewcomer
from uotp.process.steps import STEPS
from uotp.server.strangers import (
    HEADER_MISSING,
    HELLO_SECONDS,
    PARENT_SILENT,
    SWEEP_SECONDS,
    SWEPT_PER_TURN,
    TOO_MANY_UNANNOUNCED,
    Strangers,
    StrangersStatistics,
)

TOO_MANY_SILENT = "too many silent connections, and it has most: its oldest goes"
TOO_MANY_BEGUN = "too many connections without a session id, and it has most: its oldest goes"


class StrangersTests(TimerTestCase):
    """
    Come, stay, and go.
    """

    def setUp(self) -> None:
        super().setUp()
        self.said: list[tuple[str, str]] = []
        self.strangers = self.make(6, 4)
        self.addCleanup(self.end)

    def make(self, maxSilent: int, maxBegun: int) -> Strangers:
        """
        @return: room for so many.
        """
        return Strangers(self.clock, lambda who, why, _: self.said.append((who, why)), maxSilent, maxBegun)

    def end(self) -> None:
        """
        Nobody is left.
        """
        self.strangers.endAll()
        self.clock.advance(0)
        self.strangers.checkInvariant()
        self.assertEqual(len(self.strangers), 0)

    def test_thousandsAreEndedInTurns(self) -> None:
        self.strangers = self.make(200, 4)
        self.arrive(*["192.0.2.1"] * 100)
        self.strangers.endAll()
        self.assertEqual(len(self.strangers), 100 - STEPS)
        self.clock.turn()
        self.assertEqual(len(self.strangers), 100 - 2 * STEPS)

    def arrive(self, *hosts: str) -> list[Any]:
        """
        @return: new connections, one for each host.
        """
        came = []
        for host in hosts:
            came.append(BareNewcomer(host, self.clock.seconds()))
            self.strangers.arrived(came[-1])
            self.strangers.checkInvariant()
        return came

    def balanced(self, count: int, balancer: str = "198.51.100.7") -> list[Any]:
        """
        @return: new connections of a balancer, which has to say for whom they are.
        """
        came = []
        for _ in range(count):
            came.append(BareNewcomer(balancer, self.clock.seconds(), awaitsHeader=True))
            self.strangers.arrived(came[-1])
            self.strangers.checkInvariant()
        return came

    def announce(self, newcomer: Any, host: str) -> None:
        """
        A balancer says for whom a connection is.
        """
        before, newcomer.host, newcomer.owner, newcomer.awaitsHeader = newcomer.owner, host, host, False
        self.strangers.announced(newcomer, before)
        self.strangers.checkInvariant()

    def begin(self, newcomers: list[Any]) -> None:
        """
        Let them shake hands.
        """
        for newcomer in newcomers:
            self.strangers.began(newcomer)
            self.strangers.checkInvariant()

    def gone(self, newcomers: list[Any]) -> list[bool]:
        """
        @return: which had to go.
        """
        return [newcomer.aborted for newcomer in newcomers]

    def test_oldestOfWhoHasMostGoes(self) -> None:
        """
        Not the oldest of all: from elsewhere, everybody gets in.
        """
        honest = self.arrive("192.0.2.1")
        flood = self.arrive(*["192.0.2.9"] * 5)
        others = self.arrive("192.0.2.2", "192.0.2.3", "192.0.2.4")
        self.assertEqual(self.gone(flood), [True] * 3 + [False] * 2)
        self.assertFalse(any(self.gone(honest + others)))
        self.assertEqual(self.said, [("192.0.2.9", TOO_MANY_SILENT)] * 3)

    def test_floodMakesRoomForItself(self) -> None:
        honest = self.arrive("192.0.2.1", "192.0.2.2")
        flood = self.arrive(*["192.0.2.9"] * 50)
        self.assertFalse(any(self.gone(honest)))
        self.assertEqual(self.gone(flood), [True] * 46 + [False] * 4)

    def test_networkOf64BitsIsOneOwner(self) -> None:
        """
        Whoever has one address of IPv6 has all of them.
        """
        honest = self.arrive("2001:db8:1::1", "192.0.2.1")
        flood = self.arrive(*(f"2001:db8:9::{number:x}" for number in range(20)))
        self.assertFalse(any(self.gone(honest)))
        self.assertEqual(self.gone(flood), [True] * 16 + [False] * 4)
        self.assertEqual(set(self.said), {("2001:db8:9::/64", TOO_MANY_SILENT)})

    def test_thoseThatShakeHandsHaveTheirOwnRoom(self) -> None:
        """
        The silent take none of it, and the other way round.
        """
        honest = self.arrive("192.0.2.1")
        self.begin(honest)
        for _ in range(3):
            flood = self.arrive(*["192.0.2.9"] * 3)
            self.begin(flood)
        self.arrive(*["192.0.2.9"] * 6)
        self.assertFalse(any(self.gone(honest)))
        self.assertEqual(self.said, [("192.0.2.9", TOO_MANY_BEGUN)] * 6)
        expected = StrangersStatistics(silent=6, begun=4, silentEvicted=0, begunEvicted=6, tooSlow=0)
        self.assertEqual(self.strangers.statistics(), expected)

    def test_timeCountsFromTheAccept(self) -> None:
        """
        Also for those that have begun later, or say something every second.
        """
        newcomers = self.arrive("192.0.2.1", "192.0.2.2")
        self.clock.advance(9)
        self.begin(newcomers[:1])
        self.clock.advance(HELLO_SECONDS - 9 - 0.01)
        self.assertEqual(self.gone(newcomers), [False] * 2)
        self.clock.advance(0.02)
        self.assertEqual(self.gone(newcomers), [True] * 2)
        self.assertEqual(self.said, [(host, "showed no session id in 10 s") for host in ("192.0.2.1", "192.0.2.2")])
        self.assertEqual(self.strangers.statistics().tooSlow, 2)

    def test_whoHasShownAnIdIsNotBlamed(self) -> None:
        """
        It waits for the parent of this worker, which hangs.
        """
        (newcomer,) = self.arrive("192.0.2.1")
        self.begin([newcomer])
        newcomer.isAskedFor = True
        self.clock.advance(HELLO_SECONDS)
        self.assertEqual(self.said, [("192.0.2.1", PARENT_SILENT)])

    def test_eachIsGoneSoonAfterItsTime(self) -> None:
        came = []
        for _ in range(40):
            came += self.arrive("192.0.2.1")[:1]
            self.clock.advance(0.5)
            for newcomer in came:
                age = self.clock.seconds() - newcomer.since
                if not newcomer.aborted and len(self.strangers) == 6:
                    self.assertLess(age, HELLO_SECONDS + 2 * SWEEP_SECONDS)

    def test_whoIsKnownOrGoneIsNotWaitedFor(self) -> None:
        """
        And with the last of them the timer goes.
        """
        newcomers = self.arrive("192.0.2.1", "192.0.2.2")
        self.begin(newcomers[1:])
        for newcomer in newcomers:
            self.assertIn(newcomer, self.strangers)
            self.strangers.discard(newcomer)
            self.strangers.discard(newcomer)
            self.strangers.checkInvariant()
            self.assertNotIn(newcomer, self.strangers)
        self.assertNoTimer()
        self.assertFalse(any(self.gone(newcomers)))

    def test_manyThatAreTooSlowGoInParts(self) -> None:
        """
        One turn of the reactor ends so many, and others are served between.
        """
        self.strangers = self.make(10000, 4)
        newcomers = self.arrive(*["192.0.2.9"] * (3 * SWEPT_PER_TURN))
        turns: list[int] = []

        def look() -> None:
            turns.append(sum(self.gone(newcomers)))
            if turns[-1] < len(newcomers):
                self.clock.callLater(0, look)

        self.clock.callLater(HELLO_SECONDS, look)
        self.clock.advance(HELLO_SECONDS)
        self.assertEqual(turns, [SWEPT_PER_TURN, 2 * SWEPT_PER_TURN, 3 * SWEPT_PER_TURN])
        self.assertNoTimer()

    def test_whoLeavesWhileOthersAreEndedIsNotEndedToo(self) -> None:
        """
        The one's end may be another's.
        """
        first, second, third = self.arrive("192.0.2.1", "192.0.2.2", "192.0.2.3")
        first.abort = lambda: self.strangers.discard(second)
        self.clock.advance(HELLO_SECONDS)
        self.assertEqual((second.aborted, third.aborted), (False, True))
        self.assertEqual([who for who, _ in self.said], ["192.0.2.1", "192.0.2.3"])

    def test_thereMayBeFewerFromNowOn(self) -> None:
        """
        A worker's part has become smaller: those go that would have gone otherwise, of either kind.
        """
        self.begin(self.arrive("192.0.2.1", *["192.0.2.9"] * 3))
        silent = self.arrive("192.0.2.2", *["192.0.2.9"] * 5)
        self.strangers.allow(silent=3)
        self.strangers.checkInvariant()
        self.assertEqual(self.gone(silent), [False, True, True, True, False, False])
        self.assertEqual(self.said, [("192.0.2.9", TOO_MANY_SILENT)] * 3)
        self.strangers.allow(begun=2)
        self.strangers.checkInvariant()
        self.assertEqual(self.said[3:], [("192.0.2.9", TOO_MANY_BEGUN)] * 2)
        expected = StrangersStatistics(silent=3, begun=2, silentEvicted=3, begunEvicted=2, tooSlow=0)
        self.assertEqual(self.strangers.statistics(), expected)

    def test_manyWithoutRoomGoInTurns(self) -> None:
        """
        Meanwhile others may come and go; and a stop ends it.
        """
        self.strangers.allow(silent=1000, begun=1000)
        self.begin(self.arrive(*["192.0.2.9"] * 100))
        silent = self.arrive(*["192.0.2.8"] * 200)
        self.strangers.allow(silent=10, begun=50)
        self.strangers.allow(silent=20)
        self.strangers.checkInvariant()
        self.assertEqual(sum(self.gone(silent)), SWEPT_PER_TURN)
        self.strangers.discard(silent[-1])
        for _ in range(3):
            self.clock.advance(0)
        self.strangers.checkInvariant()
        statistics = self.strangers.statistics()
        self.assertEqual((statistics.silent, statistics.begun), (20, 50))
        self.assertEqual((statistics.silentEvicted, statistics.begunEvicted), (179, 50))
        self.strangers.allow(silent=1, begun=1)
        self.strangers.allow(silent=1, begun=1)
        self.strangers.endAll()
        self.clock.pump([0] * 5)
        self.assertEqual(len(self.strangers), 0)
        self.assertNoTimer()

    def test_oneOfEachKindThereMayBeInAnyCase(self) -> None:
        """
        Or nobody could come in.
        """
        self.strangers.allow(silent=0, begun=-5)
        first = self.arrive("192.0.2.1")
        self.begin(first)
        second = self.arrive("192.0.2.2")
        self.assertEqual(self.gone(first + second), [False, False])
        self.begin(second)
        self.assertEqual(self.gone(first + second), [True, False])
        self.arrive("192.0.2.3", "192.0.2.4")
        self.assertEqual(self.strangers.statistics().silent, 1)

    def test_whatIsNotSaidStaysAsItIs(self) -> None:
        """
        And with more room, more come in.
        """
        self.strangers.allow(silent=8)
        self.strangers.allow(begun=5)
        newcomers = self.arrive(*["192.0.2.9"] * 5)
        self.begin(newcomers)
        newcomers += self.arrive(*["192.0.2.9"] * 8)
        self.assertFalse(any(self.gone(newcomers)))

    def test_whenTheSystemHasNothingLeftSomebodyGoes(self) -> None:
        """
        The silent first, of whoever has most.
        """
        self.assertFalse(self.strangers.giveOneUp())
        begun, silent = self.arrive("192.0.2.1"), self.arrive("192.0.2.2", "192.0.2.2", "192.0.2.3")
        self.begin(begun)
        order = [silent[0], silent[2], silent[1], begun[0]]
        for number, newcomer in enumerate(order):
            self.assertTrue(self.strangers.giveOneUp())
            self.strangers.checkInvariant()
            self.assertEqual(self.gone(order), [True] * (number + 1) + [False] * (3 - number), newcomer.host)
        self.assertFalse(self.strangers.giveOneUp())
        self.assertEqual(
            self.said[0], ("192.0.2.2", "the system has no descriptor left, and it has most: its oldest goes")
        )

    def test_whatABalancerAnnouncesIsItsClients(self) -> None:
        """
        One client behind it who has many makes room for the others.
        """
        one, *flood = self.balanced(3)
        self.announce(one, "203.0.113.1")
        for _ in range(6):
            for newcomer in flood:
                self.announce(newcomer, "203.0.113.9")
            flood = self.balanced(2)
        self.assertFalse(one.aborted)
        self.assertEqual(set(self.said), {("203.0.113.9", TOO_MANY_SILENT)})

    def test_aFloodFromElsewhereLeavesBalancersTheirHalf(self) -> None:
        """
        However many of their connections have not been announced yet: these are many, and honest.
        """
        honest = self.balanced(3)
        flood = self.arrive(*["192.0.2.9"] * 50)
        self.assertFalse(any(self.gone(honest)))
        self.assertEqual(self.gone(flood), [True] * 47 + [False] * 3)
        self.arrive("192.0.2.1")
        self.assertFalse(any(self.gone(honest)))

    def test_aBalancerThatAnnouncesNothingTakesNoMoreThanHalf(self) -> None:
        """
        Whoever has most of that half makes room in it, and who comes straight is left alone.
        """
        straight = self.arrive("192.0.2.1", "192.0.2.1", "192.0.2.1")
        other = self.balanced(1, "198.51.100.8")
        silent = self.balanced(20)
        self.assertFalse(any(self.gone(straight + other)))
        self.assertEqual(self.gone(silent), [True] * 18 + [False] * 2)
        self.assertEqual(set(self.said), {("198.51.100.7", TOO_MANY_UNANNOUNCED)})
        self.assertEqual(self.strangers.statistics().silentEvicted, 18)

    def test_aHeaderHasItsTime(self) -> None:
        """
        The same as for all others, and it is said what was missing.
        """
        newcomers = self.balanced(2)
        self.clock.advance(HELLO_SECONDS - 1)
        self.announce(newcomers[1], "203.0.113.1")
        self.clock.advance(2)
        self.assertEqual(self.gone(newcomers), [True, True])
        said = [("198.51.100.7", HEADER_MISSING), ("203.0.113.1", "showed no session id in 10 s")]
        self.assertEqual(self.said, said)

    def test_withLessRoomBalancersHaveHalfOfThat(self) -> None:
        newcomers = self.balanced(3)
        others = self.arrive("192.0.2.1", "192.0.2.1")
        self.strangers.allow(silent=2)
        self.strangers.checkInvariant()
        self.assertEqual((self.gone(newcomers), self.gone(others)), ([True, True, False], [True, False]))

    def test_withoutDescriptorsThoseOfBalancersGoLast(self) -> None:
        (newcomer,), other = self.balanced(1), self.arrive("192.0.2.1")
        self.assertTrue(self.strangers.giveOneUp())
        self.assertEqual((newcomer.aborted, self.gone(other)), (False, [True]))
        self.assertTrue(self.strangers.giveOneUp())
        self.assertTrue(newcomer.aborted)
