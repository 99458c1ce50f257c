"""
The ends of a load, with real sockets: what they count, and what they do not.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from bench.load.__main__ import End, openSocket
from bench.load.crowd import Crowd
from bench.load.deeds import Answer
from bench.load.sessions import Sessions
from bench.load.stamped import Ask, Pace, Record
from bench.rig import ports
from bench.rig.ports import LOOPBACK, freePort
from bench.rig.programs import until

TRIES = 10
"""A machine that stands still just then asks nothing in time, or hears an answer when nobody listens any more."""

COUNTED_SECONDS = 0.3
SHORT_SECONDS = 0.005
COMING_SECONDS = 60.0
"""A limit against hanging."""

LAST = b"!"
SOURCES, RATE, SIZE = 5, 40, 100


class Repeating(Answer):
    """
    Answers twice.
    """

    def answer(self, datagram: bytes) -> bytes:
        """
        @return: the same, as it is sent a second time.
        """
        self.socket.sendto(datagram, self.peer)
        return datagram


class Noting(Answer):
    """
    Notes the sizes of what comes.
    """

    def __init__(self, *options: Any, **named: Any) -> None:
        """
        @param options: of L{Answer}.
        """
        super().__init__(*options, **named)
        self.sizes: list[int] = []

    def answer(self, datagram: bytes) -> bytes:
        """
        @return: the same.
        """
        self.sizes.append(len(datagram))
        return datagram


class Missing(Answer):
    """
    Answers every other datagram with nonsense.
    """

    count = 0

    def answer(self, datagram: bytes) -> bytes:
        """
        @return: the same, or what was never asked.
        """
        self.count += 1
        return datagram if self.count % 2 else b"?"


@skipUnless(sys.platform == "linux", "the measurements need Linux")
class LoadTests(SynchronousTestCase):
    """
    Have loads talk with a target in the same process.
    """

    def openUdp(self) -> socket.socket:
        """
        @return: a socket as an end of a load has it.
        """
        udp = openSocket(LOOPBACK)
        self.addCleanup(udp.close)
        return udp

    def target(self, kind: type[Answer] = Answer) -> tuple[str, int]:
        """
        Start a target.

        @return: where it is.
        """
        one = kind(self.openUdp(), onePeer=False)
        one.start()
        self.addCleanup(one.finish)
        address: tuple[str, int] = one.socket.getsockname()
        return address

    def crowd(self, target: tuple[str, int]) -> Crowd:
        """
        Have a crowd ask a target.

        @return: the crowd, each of which was answered.
        """
        one = Crowd(self.openUdp(), list(target), count=SOURCES, rate=RATE, size=SIZE, opened=100)
        one.start()
        self.addCleanup(one.finish)
        until(lambda: one.report()["heard"] == SOURCES, "all are answered")
        return one

    def counted(self, one: Crowd) -> dict[str, Any]:
        """
        Count what a crowd asks for a while.

        @return: what it tells.
        """
        begin = time.monotonic() + 0.05
        one.countBetween(begin, begin + COUNTED_SECONDS)
        until(lambda: time.monotonic() > begin + COUNTED_SECONDS, "it is over")
        return one.finish()

    def judged(self, ask: Callable[[], dict[str, Any]], isRight: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """
        Have something asked until what is told of it is right, which is so when the machine does not stand still.

        @param ask: asks anew, and tells.
        @return: what is told then.
        """
        for _ in range(TRIES):
            told = ask()
            if isRight(told):
                return told
        reason = f"not once in {TRIES} tries: {told}"
        raise AssertionError(reason)

    def allAnswered(self, told: dict[str, Any]) -> bool:
        """
        @return: whether something was asked, and each question was answered, and no more than that.
        """
        self.assertLessEqual(told["answered"], told["sent"])
        return bool(0 < told["sent"] == told["answered"])

    def test_aCrowdCountsWhatItAsksInItsTime(self) -> None:
        """
        All that was asked in it, and nothing else; on loopback all is answered.
        """
        one = self.crowd(self.target())
        self.assertEqual(one.report()["sent"], 0)
        now = time.monotonic()
        one.countBetween(now - 1, now)
        until(lambda: time.monotonic() > now + COUNTED_SECONDS, "it has asked more")
        self.assertEqual(one.report()["sent"], 0)
        more = chain([one], iter(lambda: self.crowd(self.target()), None))
        told = self.judged(lambda: self.counted(next(more)), self.allAnswered)
        self.assertTrue(0 < told["median"] <= told["p99"] <= told["max"], told)

    def test_aSecondAnswerIsNone(self) -> None:
        """
        Not for a crowd, and not for one who asks alone.
        """
        target = self.target(Repeating)
        self.judged(lambda: self.counted(self.crowd(target)), self.allAnswered)

        def alone() -> dict[str, Any]:
            udp = self.openUdp()
            udp.connect(target)
            ask = Ask(udp, streams=[(SIZE, SIZE, 200)], end=time.monotonic() + COUNTED_SECONDS)
            ask.start()
            return ask.finish()

        self.judged(alone, self.allAnswered)

    def test_whatIsNotAnsweredIsMissing(self) -> None:
        """
        Nonsense is no answer.
        """
        target = self.target(Missing)
        self.judged(lambda: self.counted(self.crowd(target)), lambda told: 0 < told["answered"] < told["sent"])

    def test_aCrowdBeginsOneByOne(self) -> None:
        """
        Whose turn has not come says nothing.
        """
        one = Crowd(self.openUdp(), list(self.target()), count=SOURCES, rate=RATE, size=SIZE, opened=0.001)
        one.start()
        self.addCleanup(one.finish)
        until(lambda: one.report()["heard"], "the first is answered")
        self.assertEqual(one.finish()["heard"], 1)

    def test_streamsOfSeveralApplicationsAreToldApart(self) -> None:
        """
        The second application's only stream is not the first one's.
        """
        target = Record(self.openUdp(), streams=2)
        target.start()
        for first in (0, 1):
            udp = self.openUdp()
            udp.connect(target.socket.getsockname())

            def sends(udp: socket.socket = udp, first: int = first) -> bool:
                pace = Pace(udp, [(SIZE, SIZE, 1000)], end=time.monotonic() + SHORT_SECONDS, first=first)
                pace.start()
                return bool(pace.finish()["sent"][0])

            until(sends, "a machine that is busy lets it send")
            until(partial(target.numbers, first), "it comes", COMING_SECONDS)
        self.assertEqual([one["received"] > 0 for one in target.finish()["streams"]], [True, True])

    def hasCome(self, target: Noting, count: int) -> bool:
        """
        @return: whether a target has got so many datagrams.
        """
        return len(target.sizes) >= count

    def test_sessionsSayMoreWhenTheyAreAnswered(self) -> None:
        """
        As much as they are told, and then nothing.
        """
        for more in (0, 2):
            target = Noting(self.openUdp(), onePeer=False)
            target.start()
            self.addCleanup(target.finish)
            address = list(target.socket.getsockname())
            sessions = Sessions(self.openUdp(), address, count=2, rate=100, more=more, size=700)
            sessions.start()
            self.addCleanup(sessions.finish)
            until(partial(self.hasCome, target, 2 * (1 + more)), "all came", COMING_SECONDS)
            sessions.join()
            self.openUdp().sendto(LAST, target.socket.getsockname())
            until(partial(target.sizes.count, len(LAST)), "all came that was sent before", COMING_SECONDS)
            self.assertEqual(target.sizes.count(700), 2 * more)
            self.assertEqual(sessions.report(), {"answered": 2})

    def test_anEndIsToldWhatCounts(self) -> None:
        """
        By a line of its input, while the crowd asks.
        """
        end = End(self.openUdp())
        address = list(self.target())
        end.obey("crowd", address=address, count=SOURCES, rate=RATE, size=SIZE, opened=100)
        begin = time.monotonic()
        self.assertEqual(end.obey("countBetween", begin=begin, end=begin + 60), {})
        until(lambda: end.obey("sample")["answered"], "something counts")
        self.assertGreater(end.obey("finish")["sent"], 0)


class PortTests(SynchronousTestCase):
    """
    Ask for ports that nobody has.
    """

    def test_noPortIsGivenTwice(self) -> None:
        """
        Though nobody has bound the first ones yet; until half of all are given.
        """
        few = range(ports.FIXED_PORTS.start, ports.FIXED_PORTS.start + 20)
        self.patch(ports, "FIXED_PORTS", few)
        self.patch(ports, "_given", set())
        given = [freePort(socket.SOCK_DGRAM) for _ in range(11)]
        self.assertEqual(len(set(given)), 11)
        self.assertIn(freePort(socket.SOCK_DGRAM), few)
        self.assertEqual(len(ports._given), 1)
