"""
Which sources get a session, when more come than can be taken on.
"""

from __future__ import annotations

from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.boundaries import Address
from uotp.client.sources.admission import (
    ASK_AGAIN_SECONDS,
    MAX_SEEN,
    NEW_AT_ONCE,
    NEW_PER_SECOND,
    RESERVED,
    SEEN_SECONDS,
    STRANGERS_AT_ONCE,
    Admission,
    AdmissionLimits,
)

HONEST_WAITS = (0.0, 1.0, 3.0)
"""When a program asks that gets no answer: it repeats its question after 1 s and after 2 s more."""


def source(number: int) -> Address:
    """
    @return: the address of a source.
    """
    return (f"192.0.2.{number % 250}", number + 1)


class AdmissionTests(SynchronousTestCase):
    """
    Let few and many sources ask.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.admission = Admission(self.clock.seconds)
        self.addCleanup(self.admission.checkInvariant)
        self.strangers = 1_000_000

    def ask(self, number: int) -> bool:
        """
        @return: whether a source is admitted that asks now.
        """
        admitted = self.admission.admits(source(number))
        self.admission.checkInvariant()
        return admitted

    def flood(self, count: int) -> int:
        """
        Let sources ask that never come back.

        @return: how many of them are admitted.
        """
        self.strangers += count
        return sum(self.ask(self.strangers - number) for number in range(count))

    def crowd(self) -> None:
        """
        Let there be a crowd, and no token left but those that were saved up since.
        """
        self.flood(int(NEW_AT_ONCE + STRANGERS_AT_ONCE))

    def test_hundredQuestionsAtOnceAreAdmitted(self) -> None:
        self.assertEqual(self.flood(100), 100)

    def test_honestManyAreAllAdmitted(self) -> None:
        """
        A burst, and then 1400 sources with one question each, 20 in a second.
        """
        self.assertEqual(self.flood(100), 100)
        self.clock.advance(4.0)
        for _ in range(1400):
            self.clock.advance(0.05)
            self.assertEqual(self.flood(1), 1)

    def test_asManyAsMayBeBegunInASecondAreNoCrowd(self) -> None:
        """
        However long that goes on.
        """
        self.flood(100)
        for _ in range(2000):
            self.clock.advance(1.01 / NEW_PER_SECOND)
            self.assertEqual(self.flood(1), 1)

    def test_singleDatagramsOfACrowdCostNothing(self) -> None:
        """
        After the first, which nobody can tell from honest ones.
        """
        first = self.flood(400)
        self.assertEqual(first, NEW_AT_ONCE)
        admitted = 0
        for _ in range(1000):
            self.clock.advance(0.01)
            admitted += self.flood(2)
        self.assertEqual(admitted, 0)

    def test_crowdIsOverWhenItsSourcesHaveBecomeFew(self) -> None:
        self.crowd()
        self.clock.advance(STRANGERS_AT_ONCE / NEW_PER_SECOND - 0.1)
        self.assertEqual(self.flood(1), 0)
        self.clock.advance(0.2)
        self.assertEqual(self.flood(1), 1)

    def test_whoeverAsksAgainIsAdmitted(self) -> None:
        self.crowd()
        self.assertFalse(self.ask(1))
        self.clock.advance(ASK_AGAIN_SECONDS)
        self.assertTrue(self.ask(1))

    def test_copyDoesNotCountAsAskingAgain(self) -> None:
        """
        Nor does it put off when the source has.
        """
        self.crowd()
        for _ in range(9):
            self.assertFalse(self.ask(1))
            self.clock.advance(ASK_AGAIN_SECONDS / 9)
        self.clock.advance(0.001)
        self.assertTrue(self.ask(1))

    def test_sourceIsForgottenInTime(self) -> None:
        self.crowd()
        self.assertFalse(self.ask(1))
        self.clock.advance(SEEN_SECONDS - 5.0)
        self.crowd()
        self.clock.advance(5.0)
        self.crowd()
        self.assertFalse(self.ask(1))

    def test_someAreLeftForThoseThatAskForTheThirdTime(self) -> None:
        """
        Though many ask for the second time.
        """
        self.crowd()
        for number in range(100):
            self.ask(number)
        self.clock.advance(1.0)
        self.crowd()
        second = [self.ask(number) for number in range(100)]
        self.assertEqual(second.count(True), NEW_PER_SECOND - RESERVED + 1)
        self.clock.advance(ASK_AGAIN_SECONDS)
        missing = [number for number in range(100) if not second[number]]
        self.assertTrue(all(self.ask(number) for number in missing[:8]))

    def newcomersServed(self, forgedPerSecond: int, forgedWaits: tuple[float, ...]) -> tuple[int, int]:
        """
        Let 60 honest programs come in ten seconds, among forged sources.

        @param forgedWaits: when a forged source asks, from the first time on.
        @return: how many of them are admitted, and how many of the forged.
        """
        honest = range(60)
        forged = range(1000, 1000 + 10 * forgedPerSecond)
        asks = [(0.5 + number / 6 + wait, number) for number in honest for wait in HONEST_WAITS]
        asks += [((number - 1000) / forgedPerSecond + wait, number) for number in forged for wait in forgedWaits]
        admitted: set[int] = set()
        for when, number in sorted(asks):
            self.clock.advance(when - self.clock.seconds())
            if number not in admitted and self.ask(number):
                admitted.add(number)
        return len(admitted.intersection(honest)), len(admitted.intersection(forged))

    def test_newcomersAreServedAmongForgedSources(self) -> None:
        """
        By their third try at the latest.
        """
        for perSecond in (200, 2000):
            self.setUp()
            served, admitted = self.newcomersServed(perSecond, (0.0,))
            self.assertEqual(served, 60)
            self.assertLess(admitted, NEW_AT_ONCE + NEW_PER_SECOND)

    def test_newcomersAreServedAmongForgedSourcesThatAskTwice(self) -> None:
        """
        And the rate of new sessions holds.
        """
        served, admitted = self.newcomersServed(200, (0.0, 1.0))
        self.assertEqual(served, 60)
        self.assertLess(admitted, NEW_AT_ONCE + 11 * NEW_PER_SECOND)

    def test_whatIsRememberedIsBounded(self) -> None:
        self.crowd()
        self.assertFalse(self.ask(1))
        self.clock.advance(1.0)
        self.flood(MAX_SEEN)
        self.assertEqual(len(self.admission._seen), MAX_SEEN)
        self.assertFalse(self.ask(1))

    def test_quietTimeSavesUpNoMoreThanOneBurst(self) -> None:
        self.clock.advance(3600.0)
        self.assertEqual(self.flood(1000), NEW_AT_ONCE)


class SeveralProcessesTests(SynchronousTestCase):
    """
    Let the kernel spread sources over several processes, as chance has it.
    """

    def admissions(self, processes: int) -> list[Admission]:
        """
        @return: one for each.
        """
        clock = Clock()
        return [Admission(clock.seconds, AdmissionLimits.of(processes)) for _ in range(processes)]

    def test_burstOfABrowserIsTakenOn(self) -> None:
        """
        All of it, though one process gets more of it than another.
        """
        spread = Random(7)  # noqa: S311 - the same each time
        for processes in (1, 2, 3, 4, 8, 16):
            for _ in range(20):
                admissions = self.admissions(processes)
                taken = sum(admissions[spread.randrange(processes)].admits(source(number)) for number in range(100))
                self.assertEqual(taken, 100, processes)
                for each in admissions:
                    each.checkInvariant()

    def test_allTogetherTakeOnLittleMoreAtOnce(self) -> None:
        """
        And as many in a second as one process.
        """
        for processes, most in ((1, 1.0), (2, 1.6), (4, 1.9), (8, 2.3)):
            limits = AdmissionLimits.of(processes)
            self.assertLessEqual(processes * limits.atOnce, most * NEW_AT_ONCE)
            self.assertEqual(processes * limits.perSecond, NEW_PER_SECOND)
            self.assertLessEqual(processes * limits.seen, MAX_SEEN)
            self.assertGreater(limits.atOnce, limits.reserved)

    def test_oneProcessHasAllThereIs(self) -> None:
        self.assertEqual(
            AdmissionLimits.of(1),
            AdmissionLimits(NEW_PER_SECOND, NEW_AT_ONCE, STRANGERS_AT_ONCE, RESERVED, MAX_SEEN, 0),
        )
