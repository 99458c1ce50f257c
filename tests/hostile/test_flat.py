"""
What is opened and closed leaves nothing behind.
"""

from __future__ import annotations

from tests.hostile.trial import ATTACKER, LONG, HostileTestCase, Options

TURNS = 10 if LONG else 2

SESSIONS = 200 if LONG else 50
"""In each turn, of each kind."""

SECONDS = 5.0 if LONG else 0.5
"""For which datagrams flow, in each turn; some ten thousands each second."""

GROWN_MEBIBYTES = 2.0
"""From the first turn on: what allocators keep of different orders of events."""


class FlatTests(HostileTestCase):
    """
    Datagrams by the hundred thousand, and sessions that come and go in every way.
    """

    def test_nothingIsLeft(self) -> None:
        """
        The first turn fills what grows once; after each of the others there is as much as
        before.
        """
        house = self.build(client=("--expire", "3"))
        memory = []
        for _ in range(TURNS):
            options: Options = {"door": house.door(), "source": ATTACKER, "number": SESSIONS}
            self.attack("sessions", what="sessions with a bye", bye=True, held=False, **options)
            self.attack("sessions", what="sessions without a word", lingering=True, **options)
            self.attack("heavy", share=0.05, to=house.clientAddress, rate=20000, size=200, seconds=SECONDS, trains=True)
            self.attack("questions", client=house.clientAddress, number=20, rate=1000.0)
            self.assertHouseAsBefore()
            memory.append(house.memory())
        for end, first, last in zip(("server", "client"), memory[0], memory[-1], strict=True):
            grown = (last - first) / (1 << 20)
            self.assertLessEqual(grown, GROWN_MEBIBYTES, f"the {end}, after {memory}")
