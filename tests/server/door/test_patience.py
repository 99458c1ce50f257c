"""
How long somebody at the door may go on without showing what he is.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.errors import Refusal
from uotp.server.door.patience import (
    DOOR_LOOK_SECONDS,
    HESITATES,
    HESITATION_LOOKS,
    SILENCE_LIMIT_SECONDS,
    SILENT,
    DoorPatience,
)


class PatienceTests(SynchronousTestCase):
    """
    Look again and again, from when somebody has come.
    """

    def looks(self, spokenFrom: float, since: float = 100.0) -> tuple[float, str, Refusal]:
        """
        @param spokenFrom: seconds after which he has said something.
        @return: after how many seconds he has had time enough, and why.
        """
        patience = DoorPatience(since)
        for number in range(1, 30):
            seconds = number * DOOR_LOOK_SECONDS
            reason = patience.look(since + seconds, hasSpoken=seconds >= spokenFrom)
            if reason is not None:
                return seconds, str(reason), reason.kind
        message = "he may go on for ever"
        raise self.failureException(message)

    def test_whoSaysNothingHasAsLongAsAClientMayTake(self) -> None:
        self.assertEqual(self.looks(99.0), (SILENCE_LIMIT_SECONDS, SILENT, Refusal.TOO_SLOW))

    def test_whoStopsWithinSomethingHasAFewLooks(self) -> None:
        """
        Whenever he has begun, but no longer than who says nothing.
        """
        few = HESITATION_LOOKS * DOOR_LOOK_SECONDS
        self.assertEqual(self.looks(0.0), (few, HESITATES, Refusal.MALFORMED))
        self.assertEqual(self.looks(3.0), (2.0 + few, HESITATES, Refusal.MALFORMED))
        self.assertEqual(self.looks(SILENCE_LIMIT_SECONDS), (SILENCE_LIMIT_SECONDS, HESITATES, Refusal.MALFORMED))

    def test_itIsRememberedWhoHasHesitated(self) -> None:
        patience = DoorPatience(0.0)
        self.assertIsNone(patience.look(1.0, hasSpoken=False))
        self.assertFalse(patience.hasHesitated)
        self.assertIsNone(patience.look(2.0, hasSpoken=True))
        self.assertTrue(patience.hasHesitated)
