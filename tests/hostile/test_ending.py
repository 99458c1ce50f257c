"""
The look at the end of each test sees what is left.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from bench.rig.programs import RigError
from tests.hostile.counted import livingOf
from tests.hostile.trial import ATTACKER, HostileTestCase

EXPIRE_SECONDS = 20
"""Longer than a look takes."""


class Kept:
    """
    Something that may be kept.
    """


class KeptMore(Kept):
    """
    Something else of that kind.
    """

    def __init__(self, what: str) -> None:
        self.what = what


class LivingTests(SynchronousTestCase):
    """
    What is kept is counted.
    """

    def test_whatIsReferredToIsAlive(self) -> None:
        """
        Whoever does, and of whichever subclass it is.
        """
        living = livingOf(Kept)
        kept = [Kept(), KeptMore("this")]
        self.assertEqual(len(living), 2)
        kept.pop()
        self.assertEqual(list(living), kept)
        kept.clear()
        self.assertEqual(len(living), 0)


class LookTests(HostileTestCase):
    """
    A house with guests who stay.
    """

    def assertSeen(self, end: str, *things: str) -> None:
        """
        There is too much of these at one end.
        """
        with self.assertRaises(RigError) as raised:
            self.house.untilReturned(0)
        for what in things:
            self.assertRegex(str(raised.exception), rf"{end} had \d+ {what}.* and has \d+")

    def test_guestsAreSeen(self) -> None:
        """
        At the server until they close their tunnels, at the client until they have been idle.
        """
        house = self.build(client=("--expire", str(EXPIRE_SECONDS)))
        attacker = house.attack("sessions", door=house.door(), source=ATTACKER, number=3)
        attacker.ask("go")
        self.assertSeen("server", "descriptors", "sessions", "tunnels", "streams", "timers")
        attacker.ask("end")
        self.attack("questions", client=house.clientAddress, number=1, rate=1.0)
        self.assertSeen("client", "descriptors", "sessions", "tunnels", "streams", "timers")
        self.assertHouseAsBefore()
