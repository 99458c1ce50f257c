"""
Those who connect in plain TCP, and say nothing.
"""

from __future__ import annotations

from typing import Any

from tests.doubles.contracts import TimerTestCase
from tests.doubles.newcomers import BareNewcomer, MemoryNewcomer
from uotp.server.door.patience import DOOR_LOOK_SECONDS
from uotp.server.silentcallers import CALLED_PER_TURN, SilentCallers


class SilentCallersTests(TimerTestCase):
    """
    Let some come, and wait.
    """

    def setUp(self) -> None:
        super().setUp()
        self.room = 1000
        self.outside: set[object] = set()
        self.callers = SilentCallers(self.clock, self.outside.__contains__, lambda called: called < self.room)

    def come(self) -> MemoryNewcomer:
        caller = BareNewcomer(since=self.clock.seconds())
        self.outside.add(caller)
        self.callers.arrived(caller)
        return caller

    def test_whoIsSilentForAMomentIsCalledIn(self) -> None:
        first = self.come()
        self.clock.advance(DOOR_LOOK_SECONDS / 2)
        second = self.come()
        self.clock.advance(DOOR_LOOK_SECONDS / 2)
        self.assertEqual((first.hasWaited, second.hasWaited), (True, False))
        self.clock.advance(DOOR_LOOK_SECONDS / 2)
        self.assertTrue(second.hasWaited)
        self.assertNoTimer()

    def test_whoHasSpokenOrGoneIsNot(self) -> None:
        caller = self.come()
        self.callers.discard(caller)
        self.assertNoTimer()
        self.clock.advance(DOOR_LOOK_SECONDS)
        self.assertFalse(caller.hasWaited)
        self.callers.discard(caller)

    def test_whoFindsNoRoomStaysOutside(self) -> None:
        """
        He is not asked again: as anybody who says nothing, he has to go soon.
        """
        caller = self.come()
        self.room = 0
        self.clock.advance(DOOR_LOOK_SECONDS)
        self.room = 1
        self.clock.advance(DOOR_LOOK_SECONDS)
        self.assertFalse(caller.hasWaited)
        self.assertNoTimer()

    def test_manyComeInByTurns(self) -> None:
        callers = [self.come() for _ in range(2 * CALLED_PER_TURN + 1)]
        counts = []
        callIn = self.callers._callIn

        def turn() -> None:
            callIn()
            counts.append(sum(caller.hasWaited for caller in callers))

        self.clock.getDelayedCalls()[0].func = turn  # type: ignore[attr-defined]
        self.patch(self.callers, "_callIn", turn)
        self.clock.advance(DOOR_LOOK_SECONDS)
        self.assertEqual(counts, [CALLED_PER_TURN, 2 * CALLED_PER_TURN, len(callers)])
        self.assertNoTimer()

    def test_thoseWhoAreCalledInAndWaitForTheirTurnCount(self) -> None:
        """
        Until they have it, or are gone, whoever has ended them.
        """
        self.room = 2
        first, second, third = self.come(), self.come(), self.come()
        self.clock.advance(DOOR_LOOK_SECONDS)
        self.assertEqual([one.hasWaited for one in (first, second, third)], [True, True, False])
        for free in (lambda: self.callers.discard(first), lambda: self.outside.discard(second)):
            free()
            fourth, fifth = self.come(), self.come()
            self.clock.advance(DOOR_LOOK_SECONDS)
            self.assertEqual([one.hasWaited for one in (fourth, fifth)], [True, False])

    def test_whoHasBeenSentAwayIsNotCalledIn(self) -> None:
        caller = self.come()
        self.outside.clear()
        self.clock.advance(DOOR_LOOK_SECONDS)
        self.assertFalse(caller.hasWaited)

    def test_nobodyIsCalledInWhenTheServerStops(self) -> None:
        caller = self.come()
        self.callers.endAll()
        self.assertNoTimer()
        self.callers.endAll()
        self.assertFalse(caller.hasWaited)

    def test_whoGoesWhileOthersAreCalledInIsForgotten(self) -> None:
        """
        As one does whose turn makes another one go.
        """
        first, second = self.come(), self.come()

        def comeIn() -> None:
            self.callers.discard(second)

        patched: Any = first
        patched.comeIn = comeIn
        self.clock.advance(DOOR_LOOK_SECONDS)
        self.assertFalse(second.hasWaited and self.callers._waiting)
        self.assertNoTimer()
