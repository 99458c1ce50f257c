"""
Who may have one more connection, and who gives one up for it.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.errors import PeerError
from uotp.server.connections import OwnedConnections


class OwnedConnectionsTests(SynchronousTestCase):
    """
    Three owners want connections.
    """

    def setUp(self) -> None:
        self.connections: OwnedConnections[int] = OwnedConnections(6, 4)

    def have(self, **counts: int) -> None:
        """
        Let owners have so many.
        """
        for owner, count in counts.items():
            for _ in range(count):
                self.connections.add(owner, 100 + len(self.connections))
                self.connections.checkInvariant()

    def refusal(self, owner: str) -> str:
        return str(self.assertRaises(PeerError, self.connections.giver, owner))

    def test_whileThereIsRoomNobodyGivesOneUp(self) -> None:
        self.have(a=3, b=2)
        self.assertIsNone(self.connections.giver("a"))
        self.assertIsNone(self.connections.giver("c"))

    def test_anOwnerThatMayHaveAllHasNoMoreThanThereMayBe(self) -> None:
        self.connections = OwnedConnections(6, 6)
        self.have(a=6)
        self.assertEqual(
            self.refusal("a"),
            "there are 6 connections already, as many as there may be (see maxConnections, and the limit of "
            "descriptors), and all are of its owner",
        )

    def test_anOwnerHasNoMoreThanItsShare(self) -> None:
        """
        Whether or not there is room.
        """
        self.have(a=4)
        words = "its owner has 4 connections already, its share (see ownerShare)"
        self.assertEqual(self.refusal("a"), words)
        self.have(b=2)
        self.assertEqual(self.refusal("a"), words)

    def test_whoHasMostGivesItsNewestUp(self) -> None:
        """
        For whoever has less by two at least: both have about as many then.
        """
        self.have(a=3, b=1, c=2)
        self.assertEqual(self.connections.giver("b"), "a")
        newest, words = self.connections.evict("a")
        self.assertEqual(newest, 102)
        self.assertEqual(words, "there are 6 already (see maxConnections), and its owner has most: the newest goes")
        self.assertEqual((len(self.connections), self.connections.evicted), (5, 1))
        self.connections.checkInvariant()

    def test_nobodyGivesOneUpForWhoHasAboutAsMany(self) -> None:
        """
        Otherwise two would take connections from each other for ever.
        """
        self.have(a=3, b=2, c=1)
        words = "there are 6 connections already (see maxConnections), and no owner has many more than this one"
        self.assertEqual(self.refusal("b"), words)
        self.assertEqual(self.refusal("a"), words)
        self.assertEqual(self.connections.giver("c"), "a")

    def test_whoHasNoneNeedsSomebodyWithTwo(self) -> None:
        connections: OwnedConnections[int] = OwnedConnections(2, 2)
        connections.add("a", 1)
        connections.add("b", 2)
        self.assertRaises(PeerError, connections.giver, "c")

    def test_oneThatIsGoneLeavesItsPlace(self) -> None:
        """
        One that an owner does not have changes nothing.
        """
        self.have(a=4, b=2)
        self.connections.discard("a", 100)
        self.connections.discard("a", 100)
        self.connections.discard("b", 101)
        self.connections.checkInvariant()
        self.assertEqual(len(self.connections), 5)
        self.assertIsNone(self.connections.giver("a"))
        self.assertEqual(self.connections.evicted, 0)
