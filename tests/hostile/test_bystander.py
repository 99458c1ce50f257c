"""
Whoever looks on has to be able to go on looking.
"""

from __future__ import annotations

import signal

from bench.rig.programs import until
from tests.hostile.trial import HostileTestCase

MANY = 1000
"""More datagrams than have room in a buffer of L{tests.hostile.house.MOST_ROOM} bytes, which the kernel doubles."""


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
        until(lambda: house.sample()["sent"] >= MANY, "the bystander has sent many")
        house.client.process.send_signal(signal.SIGCONT)
        self.assertGreater(house.verdict()["lost"], 0)
        self.assertHouseAsBefore()
