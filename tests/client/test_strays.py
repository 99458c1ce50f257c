"""
Tunnels to other servers than that of their session are held for a moment, where a balancer does not count to two.
"""

from __future__ import annotations

from tests.client.slots import BYE, SESSION_ID, WELCOME_AT_FIRST, WELCOME_AT_SECOND, SlotTestCase
from tests.doubles.dialling import Attempt
from uotp.client.pool import Pool
from uotp.client.slot import QUICK_STRAYS, STRAY_SECONDS
from uotp.client.strays import HOLD_SECONDS, LEAST_STRAYS, MOST_STRAYS

TUNNELS = 6


class StraysTests(SlotTestCase):
    """
    Send what is dialled to the server that the session is not at.
    """

    def setUp(self) -> None:
        super().setUp()
        self.useFormat2()
        self.context.choose(poolSize=TUNNELS, minPool=TUNNELS)
        self.pool = Pool(self.context, self.session, SESSION_ID)
        self.addCleanup(self.end, self.pool)
        self.pool.start()
        self.welcomeLast(WELCOME_AT_FIRST)
        self.first = self.last
        self.pool.widen(2)

    def stray(self, times: int) -> list[Attempt]:
        """
        Let attempts of the second slot come to another server, one after the other.

        @return: these.
        """
        found = []
        for _ in range(times):
            found.append(self.welcomeLast(WELCOME_AT_SECOND))
            self.clock.advance(STRAY_SECONDS)
        return found

    def areHeld(self, attempts: list[Attempt]) -> list[bool]:
        """
        @return: of each attempt, whether its tunnel still stands.
        """
        gone = [b"".join(attempt.transport.stream).endswith(BYE) or attempt.transport.aborted for attempt in attempts]
        return [not isGone for isGone in gone]

    def test_whatComesByTurnsIsNotHeld(self) -> None:
        self.assertEqual(self.areHeld(self.stray(LEAST_STRAYS - 1)), [False] * (LEAST_STRAYS - 1))

    def test_severalInARowAreHeldForAMoment(self) -> None:
        """
        Whatever the other server sends meanwhile, nothing comes of it.
        """
        strays = self.stray(QUICK_STRAYS)
        held = [False] * (LEAST_STRAYS - 1) + [True] * (QUICK_STRAYS - LEAST_STRAYS + 1)
        self.assertEqual(self.areHeld(strays), held)
        strays[-1].tunnel.dataReceived(WELCOME_AT_SECOND + bytes(100))
        self.assertEqual(self.areHeld(strays), held)
        self.clock.advance(HOLD_SECONDS)
        self.assertNotIn(True, self.areHeld(strays))

    def test_tunnelThatIsWantedComesWhileTheyAreHeld(self) -> None:
        strays = self.stray(LEAST_STRAYS)
        self.welcomeLast(WELCOME_AT_FIRST)
        self.assertEqual((self.pool.ready, self.areHeld(strays)[-1]), (2, True))

    def test_aSessionThatMovesThereSaysNoGoodbye(self) -> None:
        """
        The other server would end it.
        """
        strays = self.stray(LEAST_STRAYS)
        self.first.transport.lose()
        self.welcomeLast(WELCOME_AT_SECOND)
        self.assertEqual(self.pool.ready, 1)
        self.assertTrue(strays[-1].transport.aborted)

    def test_endOfTheSessionIsTheirEnd(self) -> None:
        strays = self.stray(LEAST_STRAYS)
        self.pool.leave()
        self.assertNotIn(True, self.areHeld(strays))

    def test_manyAreNotHeld(self) -> None:
        """
        All go when there are so many.
        """
        self.pool.widen(TUNNELS)
        strays: list[Attempt] = []
        while len(strays) < 40:
            seen = [attempt for attempt in self.context.attempts[1:] if attempt not in strays]
            for attempt in seen:
                attempt.open().dataReceived(WELCOME_AT_SECOND)
                strays.append(attempt)
                self.assertLess(sum(self.areHeld(strays)), MOST_STRAYS)
            self.clock.advance(STRAY_SECONDS)
        self.assertTrue(any(self.areHeld(strays)))
