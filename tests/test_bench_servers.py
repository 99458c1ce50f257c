"""
What the measurement of several servers keeps of its numbers.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from bench.rig.programs import CHECKOUT
from bench.servers import figures, measures


class ServersTests(SynchronousTestCase):
    """
    Look at what is kept.
    """

    def test_lossAndTimesAreKept(self) -> None:
        answer = {"sent": 10, "answered": 8, "median": 0.12345, "p90": 1.0, "p99": 2.0, "max": 3.0, "gap": 4.0}
        kept = {"sent": 10, "lost": 2, "median": 0.123, "p99": 2.0, "max": 3.0, "gap": 4.0}
        self.assertEqual(figures(answer), kept)

    def test_allThatIsKeptIsMeasuredStill(self) -> None:
        kept = json.loads((CHECKOUT / "bench" / "servers.json").read_text(encoding="utf-8"))
        self.assertLessEqual(kept["runs"].keys(), measures().keys())
        self.assertEqual(kept["runs"].keys(), kept["medians"].keys())
