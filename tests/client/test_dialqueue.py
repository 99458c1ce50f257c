"""
How many tunnels are dialled at once, and in which order; and how a client dials while the
server is away.
"""

from __future__ import annotations

import random
from functools import partial

from twisted.internet import error
from twisted.trial.unittest import SynchronousTestCase

from tests.client.slots import SESSION_ID, SlotTestCase
from uotp.client.dial.dialqueue import MAX_DIALS, MAX_UNPROVED_DIALS, DialQueue, Place, Urgency, neverBegin
from uotp.client.dial.outage import LONE_SHARE
from uotp.client.pool import Pool


class SharedQueueTests(SynchronousTestCase):
    """
    Workers share what may be dialled at once.
    """

    def test_ofFewMostAreForSourcesThatMayBeForged(self) -> None:
        """
        But never all of them.
        """
        for processes, expected in ((1, 12), (2, 6), (4, 3), (8, 1), (64, 1)):
            queue = DialQueue.ofWorker(processes)
            for _ in range(20):
                Place(queue, neverBegin, Urgency.FIRST).enter()
            self.assertEqual((queue.underWay, queue.waiting), (expected, 20 - expected))
            Place(queue, neverBegin, Urgency.FIRST_OF_PROVED).enter()
            self.assertEqual(queue.underWay, expected + 1)
            queue.checkInvariant()


class DialQueueTests(SynchronousTestCase):
    """
    Let attempts wait and begin.
    """

    def setUp(self) -> None:
        self.queue = DialQueue(most=2)
        self.addCleanup(self.queue.checkInvariant)
        self.begun: list[str] = []

    def enter(self, name: str, urgency: Urgency = Urgency.FIRST) -> Place:
        """
        @return: the place of an attempt that wants to begin.
        """
        place = Place(self.queue, partial(self.begun.append, name), urgency)
        place.enter()
        return place

    def test_soManyAreUnderWayAndTheOthersWait(self) -> None:
        places = [self.enter(name) for name in "abcd"]
        self.assertEqual((self.begun, self.queue.underWay, self.queue.waiting), (["a", "b"], 2, 2))
        self.assertEqual([place.isUnderWay for place in places], [True, True, False, False])
        places[1].leave()
        self.assertEqual((self.begun, self.queue.underWay, self.queue.waiting), (["a", "b", "c"], 2, 1))

    def test_whoeverLeavesTwiceMakesRoomOnce(self) -> None:
        places = [self.enter(name) for name in "abcd"]
        places[0].leave()
        places[0].leave()
        self.assertEqual(self.begun, ["a", "b", "c"])

    def test_whoeverLeavesWhileItWaitsDoesNotBegin(self) -> None:
        places = [self.enter(name) for name in "abcd"]
        places[2].leave()
        places[0].leave()
        self.assertEqual((self.begun, self.queue.waiting), (["a", "b", "d"], 0))

    def test_firstTunnelsAndProvedSourcesGoFirst(self) -> None:
        """
        And of one kind the first that came.
        """
        places = [self.enter(name) for name in "ab"]
        for urgency in reversed(Urgency):
            places += [self.enter(f"{urgency.name} {number}", urgency) for number in range(2)]
        while self.queue.underWay:
            next(place for place in places if place.isUnderWay).leave()
            places = [place for place in places if not place.isUnderWay or place in self.queue._underWay]
        names = [f"{urgency.name} {number}" for urgency in Urgency for number in range(2)]
        self.assertEqual(self.begun[2:], names)

    def test_sourcesThatMayBeForgedDoNotTakeAllPlaces(self) -> None:
        """
        Though a further tunnel of somebody else comes after their first ones.
        """
        self.queue = DialQueue()
        for number in range(2 * MAX_DIALS):
            self.enter(str(number), Urgency.FIRST)
        self.assertEqual(self.queue.underWay, MAX_UNPROVED_DIALS)
        for number in range(MAX_DIALS):
            self.enter(f"proved {number}", Urgency.FURTHER_OF_PROVED)
        self.assertEqual(self.queue.underWay, MAX_DIALS)
        self.queue.checkInvariant()

    def test_manyThatFailAtOnceDoNotNest(self) -> None:
        """
        Each fails while it begins, and the next begins.
        """
        blocking = [self.enter(name) for name in "ab"]
        places: list[Place] = []

        def fail(number: int) -> None:
            self.begun.append(str(number))
            places[number].leave()

        for number in range(5000):
            places.append(Place(self.queue, partial(fail, number), Urgency.FIRST))
            places[number].enter()
        blocking[0].leave()
        self.assertEqual(len(self.begun), 5002)
        self.assertEqual((self.queue.underWay, self.queue.waiting), (1, 0))

    def test_whateverHappensTheBoundHolds(self) -> None:
        """
        For attempts that come and go by chance.
        """
        chance = random.Random(13)  # noqa: S311 - a test that can be run again
        places: list[Place] = []
        for _ in range(2000):
            if places and chance.random() < 0.5:
                places.pop(chance.randrange(len(places))).leave()
            else:
                places.append(self.enter("x", chance.choice(list(Urgency))))
            self.queue.checkInvariant()
        for place in places:
            place.leave()
        self.assertEqual((self.queue.underWay, self.queue.waiting), (0, 0))


class DialsOfManyPoolsTests(SlotTestCase):
    """
    Let the pools of many sessions dial.
    """

    def pools(self, count: int) -> list[Pool]:
        """
        @return: so many pools, of which each has begun.
        """
        pools = [Pool(self.context, self.session, SESSION_ID) for _ in range(count)]
        for pool in pools:
            self.addCleanup(self.end, pool)
            pool.start()
        return pools

    def test_dialsUnderWayAreBounded(self) -> None:
        """
        Also an attempt that hangs makes room in the end; its time begins when it does.
        """
        self.pools(3 * MAX_UNPROVED_DIALS)
        self.assertEqual(len(self.context.attempts), MAX_UNPROVED_DIALS)
        self.context.attempts[3].fail(error.ConnectionRefusedError())
        self.context.attempts[4].open()
        self.assertEqual(len(self.context.attempts), MAX_UNPROVED_DIALS + 2)
        self.clock.advance(self.context.settings.timeout - 0.001)
        self.assertFalse(any(attempt.cancelled for attempt in self.context.attempts))
        before = len(self.context.attempts)
        self.clock.advance(0.001)
        self.assertGreater(len(self.context.attempts), before)
        self.assertEqual(self.context.dials.underWay, MAX_UNPROVED_DIALS)

    def test_poolThatLeavesGivesItsPlaceUp(self) -> None:
        """
        Whether its attempt waits or is under way.
        """
        pools = self.pools(MAX_UNPROVED_DIALS + 2)
        pools[-1].leave()
        self.assertEqual(self.context.dials.waiting, 1)
        pools[0].leave()
        self.assertEqual((self.context.dials.waiting, len(self.context.attempts)), (0, MAX_UNPROVED_DIALS + 1))
        for pool in pools:
            pool.leave()
        self.assertEqual((self.context.dials.underWay, self.context.dials.waiting), (0, 0))

    def test_lostTunnelMakesRoomToo(self) -> None:
        self.pools(MAX_UNPROVED_DIALS + 1)
        self.context.attempts[0].connect()
        self.context.attempts[0].transport.lose()
        self.assertEqual(len(self.context.attempts), MAX_UNPROVED_DIALS + 1)

    def test_onePoolDialsOftenWhileTheServerIsAway(self) -> None:
        """
        Of one pool one slot dials, more often than the user's longest wait says, for all the
        others; of several pools each as seldom as it says.
        """
        self.context.choose(backoff=4.0)
        outage = self.context.outage
        self.assertEqual(outage.longestWait(4.0), 4.0 * LONE_SHARE)
        pools = self.pools(1)
        self.assertEqual(pools[0].longestWait, 4.0 * LONE_SHARE)
        for failures in range(8):
            self.assertEqual(failures, len(self.context.attempts) - 1)
            self.last.fail(error.ConnectionRefusedError())
            wait = self.waitForDial()
        self.assertAlmostEqual(wait, 4.0 * LONE_SHARE)
        pools += self.pools(1)
        self.assertEqual(pools[0].longestWait, 4.0)
        self.last.open()
        self.assertEqual(pools[-1].longestWait, 4.0)

    def test_whenOneHasGotThroughAllDial(self) -> None:
        """
        At once, though they would have waited for longer; but only then.
        """
        self.context.choose(backoff=100.0, timeout=1000.0)
        self.pools(3)
        for _ in range(6):
            for attempt in list(self.context.attempts):
                if not attempt.done.called:
                    attempt.fail(error.ConnectionRefusedError())
            for _ in range(3):
                self.waitForDial()
        attempts = [attempt for attempt in self.context.attempts if not attempt.done.called]
        self.assertEqual(len(attempts), 3)
        attempts[0].fail(error.ConnectionRefusedError())
        attempts[1].fail(error.ConnectionRefusedError())
        before = len(self.context.attempts)
        attempts[2].open()
        self.assertEqual(len(self.context.attempts), before + 2)
        self.last.fail(error.ConnectionRefusedError())
        self.context.attempts[-2].open()
        self.assertEqual(len(self.context.attempts), before + 2)
