"""
Which tunnel is next: stay in order while it can be, use all when it cannot.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.schedule import Schedule


class ScheduleTests(SynchronousTestCase):
    """
    The rotation of tunnels.
    """

    def setUp(self) -> None:
        """
        Begin without a tunnel.
        """
        self.schedule: Schedule[str] = Schedule()

    def offer(self, *tunnels: str) -> None:
        """
        Let tunnels become free, one after another.
        """
        for tunnel in tunnels:
            self.schedule.offer(tunnel)

    def test_withoutATunnelThereIsNoneToUse(self) -> None:
        """
        Datagrams have to wait.
        """
        self.assertIsNone(self.schedule.current)
        self.assertEqual(len(self.schedule), 0)

    def test_aLightLoadStaysWithOneTunnel(self) -> None:
        """
        Others that become free change nothing, so datagrams stay in order.
        """
        self.offer("a", "b", "c")
        self.assertEqual(self.schedule.current, "a")
        self.assertEqual(len(self.schedule), 3)

    def test_aFullTunnelHandsOverToTheOneThatIsFreeTheLongest(self) -> None:
        """
        All take their turn, and the one that was full waits at the end of the row.
        """
        self.offer("a", "b", "c")
        used = []
        for _ in range(6):
            tunnel = self.schedule.current
            assert tunnel is not None
            used.append(tunnel)
            self.schedule.withdraw(tunnel)
            self.schedule.offer(tunnel)
        self.assertEqual(used, ["a", "b", "c", "a", "b", "c"])

    def test_aSlowTunnelHoldsNobodyUp(self) -> None:
        """
        One that stays full is not asked while others are free.
        """
        self.offer("slow", "b", "c")
        self.schedule.withdraw("slow")
        self.assertEqual(self.schedule.current, "b")
        self.schedule.withdraw("b")
        self.offer("b")
        self.assertEqual(self.schedule.current, "c")
        self.schedule.withdraw("c")
        self.assertEqual(self.schedule.current, "b")

    def test_offeringTwiceKeepsTheTunnelsPlace(self) -> None:
        """
        A tunnel that says again that it is free does not lose its turn.
        """
        self.offer("a", "b", "c", "b", "a")
        self.assertEqual(len(self.schedule), 3)
        self.assertEqual(self.schedule.current, "a")
        self.schedule.withdraw("a")
        self.assertEqual(self.schedule.current, "b")

    def test_withdrawingAnotherChangesNothingNow(self) -> None:
        """
        A tunnel that is lost while another is in use is just not used later.
        """
        self.offer("a", "b", "c")
        self.schedule.withdraw("b")
        self.schedule.withdraw("b")
        self.schedule.withdraw("never offered")
        self.assertEqual(self.schedule.current, "a")
        self.schedule.withdraw("a")
        self.assertEqual(self.schedule.current, "c")

    def test_movingOnGoesRoundAllThatAreFree(self) -> None:
        """
        Each in its turn, and a full one is passed over.
        """
        self.offer("a", "b", "c", "full")
        self.schedule.withdraw("full")
        used = []
        for _ in range(4):
            used.append(self.schedule.current)
            self.schedule.moveOn()
        self.assertEqual(used, ["a", "b", "c", "a"])

    def test_movingOnWithoutAnotherTunnelChangesNothing(self) -> None:
        """
        The only one goes on, and where there is none there is still none.
        """
        self.schedule.moveOn()
        self.assertIsNone(self.schedule.current)
        self.offer("a")
        self.schedule.moveOn()
        self.assertEqual((self.schedule.current, len(self.schedule)), ("a", 1))

    def test_whenAllAreFullTheFirstThatIsFreeAgainIsUsed(self) -> None:
        """
        Whichever it is.
        """
        self.offer("a", "b")
        self.schedule.withdraw("a")
        self.schedule.withdraw("b")
        self.assertIsNone(self.schedule.current)
        self.assertEqual(len(self.schedule), 0)
        self.offer("b", "a")
        self.assertEqual(self.schedule.current, "b")
