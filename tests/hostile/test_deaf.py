"""
Peers that do not read what they are sent.
"""

from __future__ import annotations

from bench.rig.programs import RigError
from tests.hostile.door import addresses
from tests.hostile.trial import LONG, HostileTestCase

PEERS = 100 if LONG else 20
"""In each of the two formats half of them."""

FLOODED_SECONDS = 60.0
"""For so long the target has more for them.  They are promised to be gone after ten seconds."""

HELD_BYTES = 256 * 1024
"""The same, of each."""

OVERHEAD_BYTES = 4 * 1024 * 1024
"""What a program grows when it works for the first time, whoever it works for."""


class DeafTests(HostileTestCase):
    """
    The target has much for them.
    """

    def test_theyGoAndNobodyNotices(self) -> None:
        """
        Of both formats, at once, from an address each: they cost little until they are closed.
        """
        house = self.build(self.certificates())
        before = house.memory()
        options = {"peers": PEERS // 2, "seconds": FLOODED_SECONDS}
        attackers = []
        for number, wire in enumerate((1, 2)):
            door = house.door()
            door[1] = wire
            attackers.append(house.attack("deaf", door=door, source=addresses(2)[number], **options))
        house.mark()
        self.together(*attackers)
        try:
            house.untilReturned(FLOODED_SECONDS)
        except RigError as error:
            self.failed.append(f"deaf peers: {error}")
        self.judge("deaf peers", house.verdict())
        self.judgeMemory("deaf peers", before, (PEERS * HELD_BYTES + OVERHEAD_BYTES) / (1 << 20))
        for one in attackers:
            one.end()
        self.assertHouseAsBefore()
