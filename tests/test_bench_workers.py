"""
How measurements of workers are made and read, as far as that can be told without measuring.
"""

from __future__ import annotations

import math
import ssl
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from bench.contenders import OURS, TWO_WORKERS, Way, ourContender
from bench.load.wire import HEADER, PING, TRAIN, Tunnel
from bench.outages import MILLISECOND, Question, Story, backAfter, between, longestGap, lostOf
from bench.ramp import TRIES, highestRate
from bench.report import comparisons
from uotp.pki import Pki

if TYPE_CHECKING or sys.platform == "linux":
    from bench.scenarios import catalogue, chosen
    from bench.scenarios.workerfaults import WATCHED_SECONDS, Blow, after

SECOND = 1000 * MILLISECOND


class RampTests(SynchronousTestCase):
    """
    Close in on what can be carried.
    """

    def highest(self, most: float, *, first: float = 1000, closer: int = 4) -> tuple[float, list[float]]:
        """
        @param most: that is carried.
        @return: what was found, and all that was tried.
        """
        tried = []

        def passes(rate: float) -> bool:
            tried.append(rate)
            return rate <= most

        return highestRate(passes, first, 2, closer), tried

    def test_itIsCloseToTheMost(self) -> None:
        """
        As close as the last step, and never above.
        """
        step = 2 ** (1 / 2**4)
        for most in (1000, 1001, 1999, 2000, 7777, 123456):
            found, _ = self.highest(most)
            self.assertTrue(found <= most < found * step * 1.001, (most, found))

    def test_theFirstRateMayBeTooMuch(self) -> None:
        self.assertEqual(self.highest(999), (0.0, [1000] * TRIES))

    def test_oneStumbleIsNone(self) -> None:
        """
        A rate has failed when it fails again.
        """
        tried: list[float] = []

        def passes(rate: float) -> bool:
            tried.append(rate)
            return rate <= 4000 and tried.count(rate) == TRIES

        self.assertEqual(highestRate(passes, 1000, 2, 0), 4000)


def flow(*took: int, every: int = 10, begin: int = 0) -> list[Question]:
    """
    @param took: how long each answer took in milliseconds, or -1.
    @param every: so many milliseconds a question is asked.
    """
    return [
        Question(begin * MILLISECOND + number * every * MILLISECOND, one if one < 0 else one * MILLISECOND)
        for number, one in enumerate(took)
    ]


class OutageTests(SynchronousTestCase):
    """
    Read what became of a flow.
    """

    def test_whatIsNotAnsweredIsLost(self) -> None:
        self.assertEqual(lostOf(flow(1, -1, 1, -1, -1)), 3)
        self.assertEqual(lostOf([]), 0)

    def test_aFlowIsBackWithTheFirstAnswerToALaterQuestion(self) -> None:
        """
        Not with one to what was asked before, though it comes later.
        """
        one = flow(1, 50, -1, -1, 7, 1)
        self.assertEqual(backAfter(one, 0.015), 0.032)
        self.assertTrue(math.isnan(backAfter(one, 0.06)))
        self.assertTrue(math.isnan(backAfter(flow(-1, -1), 0)))

    def test_theLongestGapIsBetweenAnswers(self) -> None:
        """
        As they come, in whichever order.
        """
        self.assertEqual(longestGap(flow(1, 1, -1, -1, 3, 1)), 32)
        self.assertEqual(longestGap(flow(35, 1, 1)), 14)
        self.assertTrue(math.isnan(longestGap(flow(1, -1))))

    def test_aPartIsWhatWasAskedInIt(self) -> None:
        one = flow(1, 2, 3, 4)
        self.assertEqual(between(one, 0.01, 0.03), one[1:3])


@skipUnless(sys.platform == "linux", "the measurements need Linux")
class BlowTests(SynchronousTestCase):
    """
    Tell those whom it concerns from the others.
    """

    def test_ownAndOthersAreToldApart(self) -> None:
        """
        By turns, the sessions of one worker and those of the other are the ones that may lose.
        """
        whole = round(1000 * 3 * WATCHED_SECONDS / 10)  # questions in three times what is watched

        def hit(second: float, lost: int, back: int) -> Story:
            made = flow(*[1] * whole)
            first = round(second * 100)
            for number in range(first, first + lost):
                made[number] = Question(made[number].asked, -1)
            late = made[first + lost]
            made[first + lost] = Question(late.asked, back * MILLISECOND)
            return made

        self.patch(sys, "stdout", open("/dev/null", "w", encoding="utf-8"))  # noqa: SIM115 - it says how it goes
        self.addCleanup(sys.stdout.close)
        told = after(
            [Blow(WATCHED_SECONDS, 1), Blow(2 * WATCHED_SECONDS, 2)],
            {1: [hit(WATCHED_SECONDS, 2, 30), flow(*[1] * whole)], 2: [hit(2 * WATCHED_SECONDS, 4, 5)]},
        )
        self.assertEqual((told["ownLost"], told["mostLost"], told["otherLost"]), (6, 4, 0))
        self.assertAlmostEqual(told["ownBackSeconds"], 0.045)
        self.assertEqual(told["sent"], 3 * whole)
        told = after([Blow(WATCHED_SECONDS, 2)], {1: [hit(WATCHED_SECONDS, 2, 1)], 2: [flow(*[1] * whole)]})
        self.assertEqual((told["ownLost"], told["otherLost"]), (0, 2))


class FewBytes:
    """
    Stands for a connection over TLS.

    @ivar said: what was sent.
    @ivar full: whether it takes nothing.
    """

    def __init__(self, *pieces: bytes) -> None:
        self.said: list[bytes] = []
        self.full = False
        self._pieces = list(pieces)

    def setblocking(self, wanted: object) -> None:
        pass

    def send(self, data: bytes) -> int:
        if self.full:
            raise ssl.SSLWantWriteError
        self.said.append(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


class TunnelTests(SynchronousTestCase):
    """
    Speak as much of the wire as a load has to.
    """

    def tunnel(self, *pieces: bytes) -> tuple[Tunnel, FewBytes]:
        """
        @return: a tunnel by which these come.
        """
        few = FewBytes(*pieces)
        return Tunnel(cast("Any", few)), few

    def test_framesAreReadHoweverTheyCome(self) -> None:
        """
        Cut anywhere, and several at once.
        """
        two = HEADER.pack(TRAIN, 0, 3, 6, 7) + b"abcdef" + HEADER.pack(PING, 0, 0, 8, 0) + b"01234567"
        wanted = [(TRAIN, 3, b"abcdef"), (PING, 0, b"01234567")]
        for place in range(1, len(two)):
            one, _ = self.tunnel(two[:place], two[place:])
            self.assertEqual([*one.frames(99), *one.frames(99)], wanted, place)

    def test_theEndIsTold(self) -> None:
        one, _ = self.tunnel()
        read: Callable[[], object] = lambda: list(one.frames(99))  # noqa: E731 - it is called below
        self.assertRaises(ConnectionError, read)

    def test_datagramsAreNumbered(self) -> None:
        """
        And nothing else is.
        """
        one, few = self.tunnel()
        for kind in (TRAIN, PING, TRAIN):
            one.say(kind, b"12345678")
        self.assertEqual([HEADER.unpack_from(said)[4] for said in few.said], [0, 0, 1])

    def test_whatHadNoRoomIsSaidFirst(self) -> None:
        """
        OpenSSL wants the same record again, before any other; what is said meanwhile is lost.
        """
        one, few = self.tunnel()
        few.full = True
        one.say(TRAIN, b"first")
        self.assertRaises(ssl.SSLWantWriteError, one.say, TRAIN, b"lost")
        few.full = False
        one.say(TRAIN, b"last")
        self.assertEqual([said[HEADER.size :] for said in few.said], [b"first", b"last"])


class ContenderTests(SynchronousTestCase):
    """
    Two workers beside one.
    """

    def test_onlyTheServerHasThem(self) -> None:
        """
        A client with workers is another thing to measure.
        """
        ours = ourContender()
        one = type(ours)(TWO_WORKERS, ours.command, (), {}, ("workers",), workers=2)
        way, pki = Way(("192.0.2.1", 443), 5000, ("192.0.2.3", 53), 8), Pki("pki", ("192.0.2.1",), "")
        self.assertEqual(one.serverWords(way, pki)[-2:], ["--workers", "2"])
        for words in (one.clientWords(way, pki), ours.serverWords(way, pki)):
            self.assertNotIn("--workers", words)
        self.assertTrue(one.takesPart("workers/part/100"))
        self.assertFalse(one.takesPart("many/light"))

    def test_twoAreComparedWithOne(self) -> None:
        self.assertEqual(comparisons([OURS, TWO_WORKERS], againstBare=False), [(TWO_WORKERS, OURS)])


@skipUnless(sys.platform == "linux", "the measurements need Linux")
class CatalogueTests(SynchronousTestCase):
    """
    Look through the scenarios.
    """

    def test_allAreThere(self) -> None:
        names = [one.name for one in chosen(catalogue(), ["workers"])]
        most = [f"workers/{means}/{sources}" for means in ("part", "shared", "whole") for sources in (100, 500)]
        faults = ["workers/killed", "workers/restarts", "workers/reloads"]
        self.assertEqual(names, ["workers/moderate/100", "workers/moderate/500", *most, *faults])
