"""
Whether the path of a session loses.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.sessions import MemoryLink
from uotp.path import PathStats
from uotp.session.recovery.losses import LOSSY_SECONDS, NEW_SEGMENTS, SEGMENTS_MODULO, Losses

NOW = 1000.0


def linkThatRepeated(segments: int) -> MemoryLink:
    """
    @return: a link whose kernel has sent so many segments again.
    """
    link = MemoryLink()
    link.stands = PathStats(segments + 9, segments, 0.04, 0.04)
    return link


class LossesTests(SynchronousTestCase):
    """
    Look at links of which something is sent again, or nothing.
    """

    def setUp(self) -> None:
        self.losses = Losses()
        self.now = NOW

    def look(self, *links: MemoryLink) -> int:
        """
        @return: what is lost when it is looked a second later.
        """
        self.now += 1.0
        return self.losses.look(links, self.now)

    def lookOn(self, *links: MemoryLink) -> list[int]:
        """
        @return: what is lost by three more looks.
        """
        return [self.look(*links) for _ in range(3)]

    def lookTwice(self, *links: MemoryLink) -> int:
        """
        @return: what was lost when something was sent again and still counts as lost a moment later.
        """
        self.assertEqual(self.look(*links), 0)
        self.assertTrue(self.losses.isInDoubt)
        seen = self.look(*links)
        self.assertFalse(self.losses.isInDoubt)
        return seen

    def test_pathThatRepeatsNothingDoesNotLose(self) -> None:
        links = [linkThatRepeated(0), linkThatRepeated(0)]
        for _ in range(5):
            self.assertEqual(self.look(*links), 0)
        self.assertFalse(self.losses.isLossy(self.now))

    def test_eachSegmentCountsOnce(self) -> None:
        one, other = linkThatRepeated(0), linkThatRepeated(0)
        self.look(one, other)
        one.stands, other.stands = PathStats(20, 2, 0.04, 0.04), PathStats(20, 3, 0.04, 0.04)
        self.assertEqual(self.lookTwice(one, other), 5)
        self.assertEqual(self.look(one, other), 0)
        one.stands, other.stands = PathStats(20, 3, 0.04, 0.04), PathStats(20, 4, 0.04, 0.04)
        self.assertEqual(self.look(one, other), 0)
        one.stands = PathStats(20, 7, 0.04, 0.04)
        self.assertEqual(self.lookOn(one, other), [2, 4, 0])

    def test_itIsDecidedARoundTripLater(self) -> None:
        """
        However often it is looked meanwhile, and what is sent again meanwhile waits for the next time.
        """
        link = linkThatRepeated(0)
        self.losses.look([link], NOW, 0.3)
        seen = []
        for tenths in range(1, 14):
            link.stands = PathStats(20, min(tenths, 5), 0.3, 0.3)
            seen.append(self.losses.look([link], NOW + tenths / 10, 0.3))
        self.assertEqual(seen, [0] * 4 + [1] + [0] * 3 + [4] + [0] * 4)
        self.assertFalse(self.losses.isInDoubt)

    def test_whatTheOtherKernelHadIsNoLoss(self) -> None:
        """
        Its acknowledgement was late, as on a busy machine; it says so a round trip later.
        """
        link = linkThatRepeated(0)
        self.look(link)
        link.stands = PathStats(20, 3, 0.04, 0.04, needless=3)
        self.assertEqual(self.lookOn(link), [0, 0, 0])
        link.stands = PathStats(20, 5, 0.04, 0.04, needless=3)
        self.assertEqual(self.look(link), 0)
        self.assertTrue(self.losses.isInDoubt)
        link.stands = PathStats(20, 5, 0.04, 0.04, needless=4)
        self.assertEqual(self.look(link), 1)
        self.assertFalse(self.losses.isInDoubt)
        link.stands = PathStats(20, 6, 0.04, 0.04, needless=6)  # later than we have waited
        self.assertEqual(self.lookOn(link), [0, 0, 0])
        link.stands = PathStats(20, 7, 0.04, 0.04, needless=6)
        self.assertEqual(self.lookTwice(link), 1)

    def test_whatIsInDoubtIsNotMistakenForWhatWas(self) -> None:
        """
        As many are sent again by the next look as the other kernel says by then that it had.
        """
        link = linkThatRepeated(0)
        self.look(link)
        for repeated, needless in ((3, 0), (6, 3), (9, 6), (9, 9)):
            link.stands = PathStats(20, repeated, 0.04, 0.04, needless=needless)
            self.assertEqual(self.look(link), 0)
        self.assertFalse(self.losses.isLossy(self.now))

    def test_lossIsRememberedForAWhile(self) -> None:
        link = linkThatRepeated(0)
        self.look(link)
        link.stands = PathStats(20, 1, 0.04, 0.04)
        self.lookTwice(link)
        since = self.now
        self.look(link)
        self.assertTrue(self.losses.isLossy(since + LOSSY_SECONDS - 0.1))
        self.assertFalse(self.losses.isLossy(since + LOSSY_SECONDS))

    def test_whatANewLinkHasRepeatedCounts(self) -> None:
        """
        Its handshake was lost on the same path.
        """
        self.assertEqual(self.lookTwice(linkThatRepeated(1)), 1)
        self.assertTrue(self.losses.isLossy(self.now))

    def test_whatALinkHasRepeatedThatWasAwayDoesNot(self) -> None:
        """
        It was lost long ago.
        """
        link = linkThatRepeated(0)
        link.stands = PathStats(NEW_SEGMENTS, 5, 0.04, 0.04, needless=2)
        self.assertEqual(self.lookOn(link), [0, 0, 0])
        link.stands = PathStats(NEW_SEGMENTS + 9, 6, 0.04, 0.04, needless=2)
        self.assertEqual(self.lookTwice(link), 1)

    def test_linkThatIsGoneIsForgotten(self) -> None:
        """
        When it says so, and when it is not among the others any more.
        """
        one, other = linkThatRepeated(1), linkThatRepeated(1)
        self.look(one, other)
        self.losses.forget(one)
        self.losses.forget(one)
        self.assertEqual(list(self.losses._sentAgain), [other])
        self.look()
        self.assertEqual(self.losses._sentAgain, {})

    def test_kernelCountsModulo(self) -> None:
        link = linkThatRepeated(0)
        link.stands = PathStats(NEW_SEGMENTS, SEGMENTS_MODULO - 1, 0.04, 0.04)
        self.look(link)
        link.stands = PathStats(NEW_SEGMENTS, 1, 0.04, 0.04)
        self.assertEqual(self.lookTwice(link), 2)
        link.stands = PathStats(NEW_SEGMENTS, 6, 0.04, 0.04, needless=3)
        self.assertEqual(self.lookOn(link), [0, 2, 0])

    def test_whereTheKernelTellsNothingNothingIsLost(self) -> None:
        self.assertEqual(self.look(MemoryLink()), 0)
        self.assertFalse(self.losses.isLossy(NOW))
