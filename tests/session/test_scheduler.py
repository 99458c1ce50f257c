"""
Which tunnel is next: stay in order while it can be, use all when it cannot.
"""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from uotp.path import LATE, TROUBLED
from uotp.session.scheduling.scheduler import LOOKS, MOST_LOOKS, Scheduler


class SchedulerTests(SynchronousTestCase):
    """
    Let tunnels take turns.
    """

    def setUp(self) -> None:
        """
        Begin without a tunnel; where nothing else is said, each is at rest.
        """
        self.costs: Counter[str] = Counter()
        self.looks = 0
        self.scheduler: Scheduler[str] = Scheduler(self.costOf)

    def costOf(self, tunnel: str) -> int:
        """
        Count that it was asked for.
        """
        self.looks += 1
        return self.costs[tunnel]

    def offer(self, *tunnels: str) -> None:
        """
        Let tunnels become free, one after another.
        """
        for tunnel in tunnels:
            self.scheduler.offer(tunnel)

    def assertTurns(self, *expected: str | None) -> None:
        """
        Each is in use until it is full; L{None} when there is none.
        """
        for place, tunnel in enumerate(expected):
            self.assertEqual((place, self.scheduler.current), (place, tunnel))
            if tunnel is not None and place + 1 < len(expected):
                self.scheduler.withdraw(tunnel)

    def test_withoutATunnelThereIsNoneToUse(self) -> None:
        self.assertIsNone(self.scheduler.current)
        self.assertEqual(len(self.scheduler), 0)

    def test_aLightLoadStaysWithOneTunnel(self) -> None:
        self.offer("a", "b", "c")
        self.assertEqual(self.scheduler.current, "a")
        self.assertEqual(len(self.scheduler), 3)

    def test_aFullTunnelHandsOverToTheOneThatIsFreeTheLongest(self) -> None:
        self.offer("a", "b", "c")
        used = []
        for _ in range(6):
            tunnel = self.scheduler.current
            assert tunnel is not None
            used.append(tunnel)
            self.scheduler.withdraw(tunnel)
            self.scheduler.offer(tunnel)
        self.assertEqual(used, ["a", "b", "c", "a", "b", "c"])

    def test_aSlowTunnelHoldsNobodyUp(self) -> None:
        self.offer("slow", "b", "c")
        self.scheduler.withdraw("slow")
        self.assertEqual(self.scheduler.current, "b")
        self.scheduler.withdraw("b")
        self.offer("b")
        self.assertTurns("c", "b")

    def test_offeringTwiceKeepsTheTunnelsPlace(self) -> None:
        self.offer("a", "b", "c", "b", "a")
        self.assertEqual(len(self.scheduler), 3)
        self.assertTurns("a", "b")

    def test_withdrawingAnotherChangesNothingNow(self) -> None:
        self.offer("a", "b", "c")
        self.scheduler.withdraw("b")
        self.scheduler.withdraw("b")
        self.scheduler.withdraw("never offered")
        self.assertTurns("a", "c")

    def test_movingOnGoesRoundAllThatAreFree(self) -> None:
        self.offer("a", "b", "c", "full")
        self.scheduler.withdraw("full")
        used = []
        for _ in range(4):
            used.append(self.scheduler.current)
            self.scheduler.moveOn()
        self.assertEqual(used, ["a", "b", "c", "a"])

    def test_movingOnWithoutAnotherTunnelChangesNothing(self) -> None:
        self.scheduler.moveOn()
        self.assertIsNone(self.scheduler.current)
        self.offer("a")
        self.scheduler.moveOn()
        self.assertEqual((self.scheduler.current, len(self.scheduler)), ("a", 1))

    def test_whenAllAreFullTheFirstThatIsFreeAgainIsUsed(self) -> None:
        self.offer("a", "b")
        self.scheduler.withdraw("a")
        self.scheduler.withdraw("b")
        self.assertIsNone(self.scheduler.current)
        self.assertEqual(len(self.scheduler), 2)
        self.offer("b", "a")
        self.assertEqual(self.scheduler.current, "b")

    def test_tunnelThatIsAtRestIsTheBest(self) -> None:
        self.offer("full", "busy", "rested", "too")
        self.costs["busy"] = 1
        self.looks = 0
        self.scheduler.withdraw("full")
        self.assertEqual((self.scheduler.current, self.looks), ("rested", 2))

    def test_whereNoneIsAtRestTheOneThatWillSoonestBeIsUsed(self) -> None:
        self.offer("full", "a", "b", "c")
        self.costs.update(a=3000, b=1000, c=2000)
        self.scheduler.withdraw("full")
        self.assertEqual(self.scheduler.current, "b")

    def test_onlyAFewAreLookedAt(self) -> None:
        """
        A large pool costs no more than a small one.
        """
        many = [str(number) for number in range(100 * LOOKS)]
        self.offer("full", *many)
        self.costs.update(dict.fromkeys(many, 1000))
        self.looks = 0
        self.scheduler.withdraw("full")
        self.assertIsNotNone(self.scheduler.current)
        self.assertLessEqual(self.looks, LOOKS)
        self.assertLess(LOOKS, 10)

    def test_tunnelInTroubleIsTheLastChoice(self) -> None:
        self.offer("full", "lossy", "heavy")
        self.costs.update(lossy=TROUBLED, heavy=TROUBLED - 1)
        self.scheduler.withdraw("full")
        self.assertEqual(self.scheduler.current, "heavy")

    def test_whereAllAreInTroubleTheLeastIsUsed(self) -> None:
        self.offer("full", "a", "b")
        self.costs.update(a=TROUBLED + 2000, b=TROUBLED + 1000)
        self.scheduler.withdraw("full")
        self.assertEqual(self.scheduler.current, "b")

    def test_troubleIsLeft(self) -> None:
        self.offer("a", "b", "c")
        self.costs.update(a=TROUBLED - 1, b=10, c=1)
        self.scheduler.leaveTrouble(loaded=False)
        self.assertEqual(self.scheduler.current, "a")
        self.costs["a"] = TROUBLED
        self.scheduler.leaveTrouble(loaded=False)
        self.assertEqual(self.scheduler.current, "c")
        self.assertEqual(len(self.scheduler), 3)

    def test_troubleIsNotLeftForTrouble(self) -> None:
        self.offer("a", "b", "c")
        self.costs.update(a=TROUBLED + 1000, b=TROUBLED, c=TROUBLED)
        self.scheduler.leaveTrouble(loaded=False)
        self.assertEqual(self.scheduler.current, "a")
        self.costs["a"] = 0
        self.scheduler.moveOn()
        self.assertEqual(self.scheduler.current, "a")
        self.assertEqual(len(self.scheduler), 3)

    def test_troubleIsNotLeftForATunnelThatIsSlowerThanThat(self) -> None:
        self.offer("a", "b", "c")
        self.costs.update(a=TROUBLED + 1000, b=LATE, c=LATE + TROUBLED)
        self.assertFalse(self.scheduler.leaveTrouble(loaded=False))
        self.assertEqual(self.scheduler.current, "a")

    def test_lateOnesBeforeTheOthersDoNotHideThem(self) -> None:
        """
        They stay the first, since nobody uses them.  But not any number is looked at.
        """
        late = [f"late{number}" for number in range(LOOKS)]
        self.offer("a", *late, "lossy", "well")
        self.costs.update(dict.fromkeys(late, LATE), lossy=TROUBLED)
        self.scheduler.withdraw("a")
        self.assertEqual(self.scheduler.current, "well")
        many = [f"many{number}" for number in range(MOST_LOOKS)]
        self.costs.update(dict.fromkeys(many, LATE), well=LATE)
        self.offer(*many, "last")
        self.looks = 0
        self.scheduler.withdraw("well")
        self.assertNotEqual(self.scheduler.current, "last")
        self.assertEqual(self.looks, MOST_LOOKS)

    def test_aDoubtfulTunnelIsLeftForALateOne(self) -> None:
        self.offer("a", "b")
        self.costs.update(a=0, b=LATE)
        self.assertFalse(self.scheduler.moveOn())
        self.scheduler.doubted.add("a")
        self.assertTrue(self.scheduler.moveOn())
        self.assertEqual(self.scheduler.current, "b")

    def test_whereAllAreSlowTheFastestIsGoneTo(self) -> None:
        self.offer("a", "b", "c")
        self.costs.update(a=LATE + 1000, b=LATE + 1000, c=LATE + 999)
        self.assertTrue(self.scheduler.leaveTrouble(loaded=False))
        self.assertEqual(self.scheduler.current, "c")
        self.assertFalse(self.scheduler.moveOn())

    def test_whatIsSentAgainGoesThroughASlowTunnelBeforeOneInTrouble(self) -> None:
        self.offer("a", "b", "c")
        self.costs.update(a=TROUBLED, b=LATE + TROUBLED, c=LATE)
        self.assertEqual(self.scheduler.sound(), "c")
        self.offer("d")
        self.costs["d"] = LATE
        self.scheduler.doubted.add("c")
        self.assertEqual(self.scheduler.sound(), "d")
        self.costs.update(c=TROUBLED, d=TROUBLED)
        self.assertIsNone(self.scheduler.sound())

    def test_onlyTunnelIsNeverLeft(self) -> None:
        self.scheduler.leaveTrouble(loaded=False)
        self.assertIsNone(self.scheduler.current)
        self.offer("a")
        self.costs["a"] = TROUBLED
        self.scheduler.leaveTrouble(loaded=False)
        self.assertEqual((self.scheduler.current, len(self.scheduler)), ("a", 1))

    def test_lostTunnelIsForgotten(self) -> None:
        self.offer("a", "b", "c", "d")
        self.scheduler.withdraw("d")
        for tunnel in ("a", "c", "d", "d"):
            self.scheduler.remove(tunnel)
        self.assertEqual((self.scheduler.current, list(self.scheduler)), ("b", ["b"]))
        self.scheduler.remove("b")
        self.assertEqual((self.scheduler.current, list(self.scheduler)), (None, []))

    def test_narrowScheduleUsesSoManyTunnelsAndNoMore(self) -> None:
        self.offer("a", "b", "c")
        self.scheduler.narrow(2)
        self.scheduler.withdraw("a")
        self.assertTurns("b", None)
        self.scheduler.narrow(3)
        self.assertEqual(self.scheduler.current, "c")

    def test_narrowingLeavesATunnelThatMayCarryNoMore(self) -> None:
        self.offer("a", "b", "c")
        self.scheduler.withdraw("a")
        self.offer("a")
        self.scheduler.withdraw("b")
        self.assertEqual(self.scheduler.current, "c")
        self.scheduler.narrow(1)
        self.assertEqual(self.scheduler.current, "a")

    def test_lostTunnelMakesPlaceForAnotherInANarrowScheduler(self) -> None:
        self.offer("a", "b", "c")
        self.scheduler.narrow(1)
        self.assertEqual(self.scheduler.current, "a")
        self.scheduler.remove("a")
        self.assertTurns("b", None)

    def test_lightLoadGoesRoundAllTunnelsOfANarrowScheduler(self) -> None:
        """
        It fills none: a standstill costs it no more than its turn.
        """
        self.offer("a", "b", "c", "d")
        self.scheduler.narrow(1)
        used = []
        for _ in range(8):
            used.append(self.scheduler.current)
            self.scheduler.moveOn()
        self.assertEqual(used, ["a", "b", "c", "d"] * 2)

    def test_lightLoadThatFillsATunnelGoesBackToTheOneBefore(self) -> None:
        self.offer("a", "b", "c")
        self.scheduler.narrow(2)
        self.costs.update(b=2)
        self.assertTrue(self.scheduler.moveOn())
        self.assertTurns("c", "a", None)

    def test_itIsSaidWhetherThereWasOneToMoveOnTo(self) -> None:
        self.assertFalse(self.scheduler.moveOn())
        self.offer("a")
        self.assertFalse(self.scheduler.moveOn())
        self.offer("b")
        self.costs["b"] = TROUBLED
        self.assertFalse(self.scheduler.moveOn())
        self.costs["b"] = 1
        self.assertTrue(self.scheduler.moveOn())

    def test_newTunnelOfANarrowSchedulerTakesThePlaceOfAnother(self) -> None:
        """
        So that no more are filled than before; and not that of the one that was left, which may be the only warm one.
        """
        self.offer("a", "b", "c")
        self.scheduler.narrow(2)
        self.costs.update(a=TROUBLED, b=1)
        self.scheduler.leaveTrouble(loaded=False)
        self.assertTurns("c", "a", None)

    def test_heavyLoadLeavesTroubleForATunnelThatCarriesAlready(self) -> None:
        self.offer("a", "b", "c")
        self.scheduler.narrow(2)
        self.costs.update(a=TROUBLED, b=1000)
        self.scheduler.leaveTrouble(loaded=True)
        self.assertEqual(self.scheduler.current, "b")
        self.costs.update(a=TROUBLED, b=TROUBLED)
        self.scheduler.leaveTrouble(loaded=True)
        self.assertEqual(self.scheduler.current, "b")
