"""
What was dropped is counted, and told once in a while.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.telemetry.drops import Drop, Drops


class DropsTests(SynchronousTestCase):
    """
    Count drops, and read their line in the log.
    """

    def test_withoutADropThereIsNothingToSay(self) -> None:
        self.assertIsNone(Drops().report())

    def test_aReportTellsHowManyAndWhyTheMostFirst(self) -> None:
        drops = Drops()
        drops.count(Drop.TOO_LONG)
        drops.count(Drop.BACKLOG_FULL, 5)
        drops.count(Drop.BACKLOG_FULL, 2)
        drops.count(Drop.BACKLOG_STALE, 3)
        self.assertEqual(
            drops.report(),
            {
                "reportWords": "7 waited with too many others; 3 waited too long; 1 too long to be sent as UDP",
                "BACKLOG_FULL": 7,
                "BACKLOG_STALE": 3,
                "TOO_LONG": 1,
            },
        )

    def test_aReportTellsOnlyWhatIsNew(self) -> None:
        drops = Drops()
        drops.count(Drop.SEND_REFUSED, 5)
        drops.report()
        self.assertIsNone(drops.report())
        drops.count(Drop.SEND_REFUSED, 2)
        self.assertEqual(drops.report(), {"reportWords": "2 refused by the network when sent", "SEND_REFUSED": 2})
        self.assertIsNone(drops.report())
        self.assertEqual(drops.totals, {Drop.SEND_REFUSED: 7})

    def test_eachReasonHasWordsOfItsOwn(self) -> None:
        """
        Two reasons with the same words would be one counter.
        """
        self.assertEqual([drop.name for drop in Drop], list(Drop.__members__))
        for drop in Drop:
            self.assertEqual(len(drop.value.splitlines()), 1)
