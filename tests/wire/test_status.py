"""
What a server tells of itself when its client asks.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.wire.vectors import FRAMES
from uotp.wire.format2 import Kind, controlFrame
from uotp.wire.status import LONGEST_AGO, ServerStatus, encodeStatus, statusOf

AGO = st.none() | st.integers(0, LONGEST_AGO)


class StatusTests(SynchronousTestCase):
    """
    Tell and understand.
    """

    def test_whatTheDocumentShowsIsSaidAndUnderstood(self) -> None:
        [(vector, _, [(_, payload)])] = [each for each in FRAMES if each.vector.name == "status"]
        status = ServerStatus(1_795_780_800_000, hasWay=True, answered=3, refused=None, answeredAny=0)
        self.assertEqual(controlFrame(Kind.STATUS, encodeStatus(status)), vector.octets)
        self.assertEqual(statusOf(payload), status)

    @given(st.builds(ServerStatus, st.integers(0, 2**64 - 1), st.booleans(), AGO, AGO, AGO))
    def test_whateverIsToldIsUnderstood(self, status: ServerStatus) -> None:
        self.assertEqual(statusOf(encodeStatus(status)), status)

    def test_timesOutOfBoundsAreToldAsTheNearest(self) -> None:
        told = statusOf(encodeStatus(ServerStatus(0, hasWay=False, answered=2**40, refused=-5)))
        self.assertEqual((told.answered, told.refused), (LONGEST_AGO, 0))
