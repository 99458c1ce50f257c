"""
Whoever looks on has to be able to go on looking.
"""

from __future__ import annotations

import signal
import time

from tests.hostile.trial import HostileTestCase

STOPPED_SECONDS = 1.5
"""More than has room in the buffers of the programs."""


class LossTests(HostileTestCase):
    """
    Something is lost.
    """

    def test_whatComesAfterwardsIsCarried(self) -> None:
        """
        What was lost is waited for, for longer than a session may be idle.
        """
        house = self.build(client=("--expire", "3"))
        house.mark()
        house.client.process.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_SECONDS)
        house.client.process.send_signal(signal.SIGCONT)
        self.assertGreater(house.verdict()["lost"], 0)
        self.assertHouseAsBefore()
