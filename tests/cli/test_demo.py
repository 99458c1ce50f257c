"""
The demo, without a socket: what it sends, how it judges what comes back, and what it tells.
"""

from __future__ import annotations

import io
import os
import random
import re
import sys
import tempfile
from collections.abc import Callable
from itertools import islice, repeat
from math import inf
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import MessageLengthError
from twisted.internet.task import Clock
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reactors import FIRST_PORT, MemoryReactor
from tests.doubles.services import RecordingService
from uotp.cli.demo import command, stage
from uotp.cli.demo.command import Demo, DemoOptions, run
from uotp.cli.demo.exchange import (
    LARGEST,
    LOAD_SECONDS,
    MAX_BYTES_IN_FLIGHT,
    MAX_IN_FLIGHT,
    NUMBER_BYTES,
    PATIENCE_SECONDS,
    SIZES,
    Exchange,
    Pattern,
    Phase,
    plan,
)
from uotp.cli.demo.progress import Progress
from uotp.cli.demo.results import Results, table, verdict
from uotp.cli.demo.stage import EchoTarget, Sender, Stage, StageError
from uotp.errors import ConfigurationError, StartError
from uotp.telemetry.log import Logger
from uotp.telemetry.spelling import Spelling

FIRST = 7 << 32
"""The number of the first datagram in these tests."""


def drain(exchange: Exchange, now: float = 0.0) -> list[bytes]:
    """
    @return: all that an exchange sends before it waits for an answer.
    """
    return list(iter(lambda: exchange.send(now), None))


class PatternTests(SynchronousTestCase):
    """
    Fill datagrams with bytes that can be told again.
    """

    def test_sizesAreExact(self) -> None:
        pattern = Pattern(1)
        for number in (0, 1, FIRST, 2**64 - 1):
            self.assertEqual([len(pattern.payload(number, size)) for size in SIZES], list(SIZES))

    def test_theNumberStandsInFront(self) -> None:
        for size in (NUMBER_BYTES, 1400):
            self.assertEqual(int.from_bytes(Pattern(1).payload(FIRST, size)[:NUMBER_BYTES], "big"), FIRST)

    def test_theSameNumberIsTheSameDatagram(self) -> None:
        self.assertEqual(Pattern(5).payload(99, 3000), Pattern(5).payload(99, 3000))

    def test_otherNumbersAndSeedsAreOtherBytes(self) -> None:
        """
        A datagram with another one's bytes, or another run's, is noticed
        wherever the bytes lie, and no bytes are filler.
        """
        payloads = [Pattern(5).payload(number, 4000) for number in range(20)] + [Pattern(6).payload(0, 4000)]
        for start in range(NUMBER_BYTES, 4000, 499):
            self.assertEqual(len({payload[start : start + 16] for payload in payloads}), 21)
        self.assertEqual(len(set(payloads[0])), 256)
        self.assertGreater(len({Pattern(5).payload(number, 1) for number in range(20)}), 5)


class PlanTests(SynchronousTestCase):
    """
    Plan what is sent in which order.
    """

    def phases(self, size: int = 1400, number: int | None = None) -> tuple[Phase, ...]:
        """
        Plan with fixed random sizes.
        """
        return plan(random.Random(3), size, number)  # noqa: S311 - no secret

    def test_everyNotableSizeTravelsAlone(self) -> None:
        """
        All sizes at which something ends, and random ones between, are sent
        one at a time, so that those too short for a number are known.
        """
        phase = self.phases()[1]
        self.assertEqual((phase.window, phase.seconds), (1, inf))
        sizes = list(phase.sizes)
        self.assertEqual(sizes[:13], [0, 1, 2, 63, 64, 512, 1200, 1400, 1420, 8192, 8193, 16384, 65507])
        self.assertGreater(len(set(sizes[13:])), 10)
        self.assertTrue(all(0 <= size <= LARGEST for size in sizes))

    def test_mixedSizesHaveNumbersAndAllMagnitudes(self) -> None:
        """
        Several datagrams of random sizes are on their way at once; all have
        room for a number, small and large ones are both frequent.
        """
        phase = self.phases()[2]
        sizes = list(phase.sizes)
        self.assertEqual((len(sizes), phase.window, phase.seconds), (400, MAX_IN_FLIGHT, inf))
        self.assertTrue(all(NUMBER_BYTES <= size <= LARGEST for size in sizes))
        for low, high in ((8, 100), (100, 1500), (1500, 10000), (10000, LARGEST + 1)):
            self.assertGreater(len([size for size in sizes if low <= size < high]), 30)

    def test_theLoadLastsForAFixedTime(self) -> None:
        phase = self.phases()[3]
        self.assertEqual((phase.name, phase.window, phase.seconds), ("1400 bytes", MAX_IN_FLIGHT, LOAD_SECONDS))
        self.assertEqual(list(islice(phase.sizes, 100000))[-1], 1400)

    def test_aCountIsKeptWhateverTimeItTakes(self) -> None:
        phase = self.phases(200, 12345)[3]
        self.assertEqual((phase.name, phase.seconds, list(phase.sizes)), ("200 bytes", inf, [200] * 12345))

    def test_sizesWithoutRoomForANumberAreSentOneByOne(self) -> None:
        """
        They could not be told apart otherwise.
        """
        self.assertEqual([self.phases(size)[3].window for size in (0, 7, 8)], [1, 1, MAX_IN_FLIGHT])

    def test_theOpeningComesFirst(self) -> None:
        """
        A hundred small ones pass while the pool is dialled, and do not spoil the other figures.
        """
        phase = self.phases()[0]
        self.assertEqual((phase.name, phase.window, list(phase.sizes)), ("opening", 1, [64] * 100))

    def test_itFitsInTenSeconds(self) -> None:
        self.assertLess(sum(phase.seconds for phase in self.phases() if phase.seconds < inf), 5)
        for phase in self.phases()[:-1]:
            self.assertLess(len(list(phase.sizes)), 1000)


class ExchangeTests(SynchronousTestCase):
    """
    Send datagrams on their way, and judge what comes back.
    """

    def exchange(self, *sizes: int, window: int = 8, **other: Any) -> Exchange:
        """
        An exchange of those sizes.
        """
        return Exchange(Phase("test", sizes, window, **other), Pattern(1), FIRST)

    def counts(self, exchange: Exchange) -> dict[str, int]:
        """
        @return: the figures that are not zero.
        """
        names = ("sent", "returned", "lost", "damaged", "repeated", "late")
        tally = exchange.tally()
        return {name: getattr(tally, name) for name in names if getattr(tally, name)}

    def test_whatComesBackUnchangedIsCounted(self) -> None:
        exchange = self.exchange(*SIZES, 7, 8, 0, 0, 3, window=1)
        while not exchange.finished:
            for datagram in drain(exchange):
                exchange.receive(datagram, 0.0)
        self.assertEqual(self.counts(exchange), {"sent": 18, "returned": 18})
        self.assertTrue(exchange.tally().intact)
        self.assertEqual(exchange.tally().octets, sum(SIZES) + 18)

    def test_noMoreThanTheWindowIsOnItsWay(self) -> None:
        exchange = self.exchange(*repeat(100, 10), window=4)
        first = drain(exchange)
        self.assertEqual(len(first), 4)
        exchange.receive(first[2], 0.0)
        self.assertEqual(len(drain(exchange)), 1)

    def test_noMoreBytesThanABufferHoldsAreOnTheirWay(self) -> None:
        """
        Large datagrams wait although the window has room, and the order stays.
        """
        exchange = self.exchange(60000, 38000, 1000, 305, 100, 8, window=99)
        first = drain(exchange)
        self.assertEqual([len(datagram) for datagram in first], [60000, 38000])
        self.assertLessEqual(98000, MAX_BYTES_IN_FLIGHT)
        exchange.receive(first[1], 0.0)
        self.assertEqual([len(datagram) for datagram in drain(exchange)], [1000, 305, 100, 8])

    def test_damageOfOneBitAnywhereIsFound(self) -> None:
        for position in (0, 4, 7, 8, 700, 1399):
            exchange = self.exchange(1400)
            datagram = bytearray(drain(exchange)[0])
            datagram[position] ^= 1
            exchange.receive(bytes(datagram), 0.0)
            self.assertEqual(self.counts(exchange)["damaged"], 1)
            self.assertNotIn("returned", self.counts(exchange))
            self.assertFalse(exchange.tally().intact)

    def test_cutAndLengthenedDatagramsAreDamaged(self) -> None:
        """
        A byte less or more is not the same datagram; nor is one cut so short that its number is gone.
        """
        for size, change in ((1400, -1), (1400, 1), (1400, -1397), (3, -1), (3, 1), (0, 1), (1, -1), (2, 100)):
            exchange = self.exchange(size)
            exchange.receive((drain(exchange)[0] + bytes(100))[: size + change], 0.0)
            self.assertEqual(self.counts(exchange)["damaged"], 1)
            self.assertNotIn("returned", self.counts(exchange))

    def test_damageOfAShortDatagramIsFound(self) -> None:
        """
        Although it has no number, since it travels alone.
        """
        exchange = self.exchange(2, window=1)
        (datagram,) = drain(exchange)
        exchange.receive(bytes([datagram[0], datagram[1] ^ 128]), 0.0)
        self.assertEqual(self.counts(exchange), {"sent": 1, "damaged": 1})
        self.assertTrue(exchange.finished or exchange.send(0.0) is None)

    def test_anotherDatagramsBytesAreDamage(self) -> None:
        exchange = self.exchange(100, 100)
        first, second = drain(exchange)
        exchange.receive(first[:NUMBER_BYTES] + second[NUMBER_BYTES:], 0.0)
        self.assertEqual(self.counts(exchange), {"sent": 2, "lost": 1, "damaged": 1})

    def test_strangersAreDamage(self) -> None:
        """
        Answers to what was never sent, by another phase or not yet, count against us.
        """
        exchange = self.exchange(100, 100, window=1)
        drain(exchange)
        for number in (FIRST - 1, FIRST + 1):
            exchange.receive(Pattern(1).payload(number, 100), 0.0)
        exchange.receive(b"", 0.0)
        self.assertEqual(self.counts(exchange), {"sent": 1, "lost": 1, "damaged": 3})

    def test_anAnswerThatComesTwiceIsCounted(self) -> None:
        exchange = self.exchange(100)
        (datagram,) = drain(exchange)
        exchange.receive(datagram, 0.0)
        exchange.receive(datagram, 0.0)
        self.assertEqual(self.counts(exchange), {"sent": 1, "returned": 1, "repeated": 1})
        self.assertFalse(exchange.tally().intact)

    def test_anEmptyAnswerTooManyIsDamage(self) -> None:
        """
        When no short datagram is on its way, a short answer is a stranger.
        """
        exchange = self.exchange(0, window=1)
        (datagram,) = drain(exchange)
        exchange.receive(datagram, 0.0)
        exchange.receive(datagram, 0.0)
        self.assertEqual(self.counts(exchange), {"sent": 1, "returned": 1, "damaged": 1})

    def test_whatIsOvertakenIsOutOfOrder(self) -> None:
        exchange = self.exchange(*repeat(50, 5))
        sent = drain(exchange)
        for index in (1, 0, 4, 2, 3):
            exchange.receive(sent[index], 0.0)
        self.assertEqual(self.counts(exchange), {"sent": 5, "returned": 5, "late": 3})
        self.assertTrue(exchange.tally().intact)

    def test_whatIsLostGivesUpItsPlace(self) -> None:
        """
        After some time others are sent in place of a lost datagram and of its
        bytes, so that one loss does not hold up the rest; it is lost in the end.
        """
        exchange = self.exchange(60000, 60000, window=1)
        self.assertEqual(len(drain(exchange, 10.0)), 1)
        exchange.expire(10.0 + PATIENCE_SECONDS - 0.01)
        self.assertEqual(drain(exchange, 10.0), [])
        exchange.expire(10.0 + PATIENCE_SECONDS)
        (second,) = drain(exchange, 13.0)
        exchange.receive(second, 13.0)
        self.assertEqual(drain(exchange, 13.0), [])
        self.assertTrue(exchange.finished)
        self.assertEqual(self.counts(exchange), {"sent": 2, "returned": 1, "lost": 1})
        self.assertFalse(exchange.tally().intact)

    def test_onlyTheOldOnesExpire(self) -> None:
        exchange = self.exchange(*repeat(10, 9), window=2)
        exchange.send(0.0)
        exchange.send(1.0)
        exchange.expire(PATIENCE_SECONDS)
        self.assertEqual(len(drain(exchange, PATIENCE_SECONDS)), 1)

    def test_patienceIsThePhases(self) -> None:
        """
        The first answer may take longer than others.
        """
        exchange = self.exchange(10, 10, window=1, patience=8.0)
        drain(exchange, 0.0)
        exchange.expire(7.9)
        self.assertEqual(drain(exchange, 7.9), [])
        exchange.expire(8.0)
        self.assertEqual(len(drain(exchange, 8.0)), 1)

    def test_lateIsBetterThanLost(self) -> None:
        exchange = self.exchange(100, 100)
        first, second = drain(exchange, 0.0)
        exchange.expire(5.0)
        exchange.receive(first, 6.0)
        exchange.receive(second, 6.0)
        self.assertEqual(self.counts(exchange), {"sent": 2, "returned": 2})
        self.assertEqual(exchange.tally().percentile(100), 6.0)

    def test_noUseGoingOnWithoutAnswers(self) -> None:
        for window in (1, 5):
            exchange = self.exchange(*repeat(10, 1000), window=window)
            now = 0.0
            while not exchange.finished:
                drain(exchange, now)
                now += PATIENCE_SECONDS
                exchange.expire(now)
            self.assertEqual(self.counts(exchange), {"sent": 3 * window, "lost": 3 * window})
            self.assertLess(now, 5 * PATIENCE_SECONDS)

    def test_timeIsUp(self) -> None:
        """
        A phase without an end stops sending when its time has passed, counted
        from its first datagram, and then waits for its answers.
        """
        exchange = Exchange(Phase("test", repeat(100), 2, seconds=3.0), Pattern(1), FIRST)
        first, second = drain(exchange, 50.0)
        exchange.receive(first, 52.9)
        (third,) = drain(exchange, 52.9)
        exchange.receive(second, 53.0)
        self.assertEqual(drain(exchange, 53.0), [])
        self.assertFalse(exchange.finished)
        exchange.receive(third, 53.1)
        self.assertTrue(exchange.finished)
        self.assertAlmostEqual(exchange.tally().seconds, 3.1)

    def test_roundTripsAreMeasured(self) -> None:
        exchange = self.exchange(10, 10)
        first, second = exchange.send(1.0), exchange.send(1.5)
        assert first is not None
        assert second is not None
        exchange.receive(first, 4.0)
        exchange.receive(second, 4.0)
        self.assertEqual((list(exchange.tally().times), exchange.tally().seconds), ([2.5, 3.0], 3.0))


def tallyOf(**figures: Any) -> Results:
    """
    @return: a tally in which nothing happened but what is given.
    """
    nothing = {"sent": 0, "returned": 0, "lost": 0, "damaged": 0, "repeated": 0, "late": 0}
    return Results(**{**nothing, "times": [], "seconds": 0.0, "octets": 0, **figures})


class TallyTests(SynchronousTestCase):
    """
    Add up figures, and show them in a table.
    """

    def test_percentilesAreTimesThatWereMeasured(self) -> None:
        tally = tallyOf(times=[float(number) for number in range(1, 201)])
        self.assertEqual([tally.percentile(part) for part in (50, 90, 99, 100)], [100.0, 180.0, 198.0, 200.0])
        self.assertEqual([tallyOf(times=[4.0]).percentile(part) for part in (1, 50, 100)], [4.0, 4.0, 4.0])
        self.assertIsNone(tallyOf().percentile(50))

    def test_theTableHasAColumnForEachPhase(self) -> None:
        figures = {"sent": 1003, "returned": 1001, "lost": 1, "damaged": 2, "repeated": 3, "late": 4}
        times = [n / 1000 for n in range(1, 101)]
        one = tallyOf(**figures, times=times, seconds=2.0, octets=250000)
        lines = table({"one by one": one, "nothing": tallyOf()}).split("\n")
        self.assertEqual(len({len(line) for line in lines}), 1)
        rows = [re.split(r" {2,}", line.strip()) for line in lines]
        expected = [
            ["one by one", "nothing"],
            ["sent", "1003", "0"],
            ["returned", "1001", "0"],
            ["lost", "1", "0"],
            ["damaged", "2", "0"],
            ["repeated", "3", "0"],
            ["out of order", "4", "0"],
            ["round trip, 50 %", "50.00 ms", "-"],
            ["round trip, 90 %", "90.00 ms", "-"],
            ["round trip, 99 %", "99.00 ms", "-"],
            ["round trip, max", "100.00 ms", "-"],
            ["datagrams/s", "500", "0"],
            ["Mbit/s each way", "1.0", "0.0"],
        ]
        self.assertEqual(rows, expected)

    def test_theVerdictSumsUp(self) -> None:
        good, bad = tallyOf(sent=5, returned=5), tallyOf(sent=9, returned=4, lost=3, damaged=2, repeated=1)
        self.assertEqual(verdict({"a": good, "b": good}), "OK: all 10 datagrams came back intact")
        expected = "FAILED: of 14 datagrams 3 were lost; 2 answers were damaged and 1 came twice"
        self.assertEqual(verdict({"a": good, "b": bad}), expected)


class Loop:
    """
    Stands in for the UDP transport and the way through the pool: keeps what is written until it is told what comes
    back.
    """

    def __init__(self) -> None:
        self.written: list[tuple[bytes, Any]] = []
        self.refusal: Exception | None = None
        self.options: list[tuple[Any, ...]] = []

    def getHandle(self) -> Any:
        """
        @return: a socket that takes note of its options.
        """
        return SimpleNamespace(setsockopt=lambda *option: self.options.append(option), getsockopt=lambda *_: 0)

    def write(self, datagram: bytes, address: Any) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.written.append((datagram, address))


class ProtocolTests(SynchronousTestCase):
    """
    Connect the two UDP protocols of the demo.
    """

    client = ("127.0.0.1", 8911)

    def setUp(self) -> None:
        self.clock, self.loop = Clock(), Loop()
        self.shown: list[int] = []
        self.sender = Sender(self.client, self.clock, lambda exchange: self.shown.append(exchange.returned))
        self.sender.transport = self.loop
        self.sender.startProtocol()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def play(self, *sizes: int, window: int = 2) -> tuple[Exchange, Deferred[None]]:
        exchange = Exchange(Phase("test", sizes, window), Pattern(1), FIRST)
        return exchange, self.sender.play(exchange)

    def test_echoComesFromTheTarget(self) -> None:
        echo = EchoTarget()
        echo.transport = self.loop
        echo.datagramReceived(b"", ("127.0.0.1", 5))
        echo.datagramReceived(b"ab", ("127.0.0.1", 6))
        self.assertEqual(self.loop.written, [(b"", ("127.0.0.1", 5)), (b"ab", ("127.0.0.1", 6))])

    def test_anEchoThatCannotBeSentIsLost(self) -> None:
        echo = EchoTarget()
        echo.transport = self.loop
        for refusal in (OSError(1, "no"), MessageLengthError("long")):
            self.loop.refusal = refusal
            echo.datagramReceived(b"ab", ("127.0.0.1", 6))

    def test_bothAskForLargeBuffers(self) -> None:
        """
        The demo's own sockets shall not be what loses datagrams.
        """
        byTheSender = list(self.loop.options)
        self.assertGreaterEqual(max(option[2] for option in byTheSender), 1 << 20)
        echo = EchoTarget()
        echo.transport = self.loop
        echo.startProtocol()
        self.assertEqual(self.loop.options, byTheSender * 2)

    def test_eachAnswerLetsTheNextOneGo(self) -> None:
        exchange, done = self.play(10, 20, 30)
        self.assertEqual(
            [(len(datagram), to) for datagram, to in self.loop.written], [(10, self.client), (20, self.client)]
        )
        for index in range(3):
            self.assertNoResult(done)
            self.sender.datagramReceived(self.loop.written[index][0], self.client)
        self.assertEqual(len(self.loop.written), 3)
        self.assertIsNone(self.successResultOf(done))
        self.assertTrue(exchange.tally().intact)

    def test_lostDatagramsDoNotStopIt(self) -> None:
        exchange, done = self.play(10, 20, 30)
        self.clock.pump([0.1] * 50)
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(exchange.tally().lost, 3)

    def test_strangersAreNotHeard(self) -> None:
        exchange, done = self.play(10)
        self.sender.datagramReceived(self.loop.written[0][0], ("127.0.0.1", 8912))
        self.sender.datagramReceived(self.loop.written[0][0], ("127.0.0.2", 8911))
        self.assertNoResult(done)
        self.sender.datagramReceived(self.loop.written[0][0], self.client)
        self.successResultOf(done)
        self.sender.datagramReceived(self.loop.written[0][0], self.client)
        self.assertTrue(exchange.tally().intact)

    def test_progressIsShownAFewTimesASecond(self) -> None:
        _, done = self.play(*repeat(10, 100))
        for index in range(100):
            self.sender.datagramReceived(self.loop.written[index][0], self.client)
            self.clock.advance(0.01)
        self.successResultOf(done)
        self.assertEqual(len(self.shown), 10)
        self.assertEqual(self.shown, sorted(set(self.shown)))

    def test_aSystemThatDoesNotSendEndsIt(self) -> None:
        for refusal in (OSError(105, "No buffer space available"), MessageLengthError("message too long")):
            self.loop.refusal = refusal
            _, done = self.play(9000)
            reason = str(self.failureResultOf(done, StageError).value)
            self.assertIn("9000 bytes", reason)
            self.assertEqual(len(reason.splitlines()), 1)

    def test_itCanBeCancelled(self) -> None:
        _, done = self.play(10, 10)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.pump([1.0] * 5)
        self.assertEqual(len(self.loop.written), 2)


class StageTests(SynchronousTestCase):
    """
    Start and stop what the demo needs, with services that are none.
    """

    def setUp(self) -> None:
        self.journal: list[str] = []
        self.reactor = MemoryReactor(self.journal)
        self.stage = Stage(self.reactor)
        self.given: dict[str, Any] = {}
        self.folders: set[str] = set()
        self.services = {
            "server": RecordingService("server", self.journal, bound=("127.0.0.1", 2001)),
            "client": RecordingService("client", self.journal, bound=("127.0.0.1", 2002)),
        }
        for name in self.services:
            self.patch(stage, f"{name}Service", self.maker(name))

    def maker(self, name: str) -> Callable[..., RecordingService]:
        """
        @return: a function that makes a service, and reads what it is given.
        """

        def make(peer: tuple[str, int], *, tls: Any, listen: tuple[str, int], reactor: Any) -> RecordingService:
            self.assertIs(reactor, self.reactor)
            files = {}
            for part in ("cert", "key", "cafile"):
                path = getattr(tls, part)
                self.folders.add(os.path.dirname(path))
                with open(path, "rb") as file:
                    files[part] = file.read()
            self.given[name] = (peer, listen, files)
            return self.services[name]

        return make

    def test_eachIsPointedAtTheNext(self) -> None:
        """
        Sender, client, server and target stand in a row, on loopback, on ports
        that the system chose, and no datagram is cut.
        """
        sender = self.stage.open(lambda _: None)
        self.assertEqual(self.given["server"][:2], (("127.0.0.1", FIRST_PORT), ("127.0.0.1", 0)))
        self.assertEqual(self.given["client"][:2], (("127.0.0.1", 2001), ("127.0.0.1", 0)))
        self.assertEqual(sender.destination, ("127.0.0.1", 2002))
        for port, interface, longest in self.reactor.udpPorts:
            self.assertEqual((port, interface), (0, "127.0.0.1"))
            self.assertGreater(longest, LARGEST)
        begun = ["bind server", "start server", "bind client", "start client"]
        self.assertEqual(self.journal, ["open EchoTarget", *begun, "open Sender"])

    def test_bothEndsShowAThrowAwayCertificate(self) -> None:
        """
        Each has one of its own and verifies the other by the same CA; the
        server's is for the address that is dialled.
        """
        self.stage.open(lambda _: None)
        server, client = self.given["server"][2], self.given["client"][2]
        self.assertEqual(server["cafile"], client["cafile"])
        self.assertNotEqual(server["cert"], client["cert"])
        names = x509.load_pem_x509_certificate(server["cert"]).extensions
        alternatives = names.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual([str(name.value) for name in alternatives], ["127.0.0.1"])

    def test_noFileIsLeft(self) -> None:
        self.stage.open(lambda _: None)
        self.assertEqual(len(self.folders), 1)
        self.assertFalse(any(map(os.path.exists, self.folders)))

    def test_whatWasStartedIsStopped(self) -> None:
        self.stage.open(lambda _: None)
        self.journal.clear()
        self.successResultOf(self.stage.close())
        self.successResultOf(self.stage.close())
        self.assertEqual(self.journal, ["close Sender", "stop client", "stop server", "close EchoTarget"])

    def test_aFailedStartIsClearedUp(self) -> None:
        self.services["client"].startError = StartError("no port")
        self.assertRaises(StartError, self.stage.open, lambda _: None)
        self.assertFalse(any(map(os.path.exists, self.folders)))
        self.journal.clear()
        self.successResultOf(self.stage.close())
        self.assertEqual(self.journal, ["stop server", "close EchoTarget"])

    def test_noPlaceForFilesIsOneLine(self) -> None:
        def refuse(prefix: str) -> str:
            raise OSError(30, "Read-only file system", prefix)

        self.patch(tempfile, "mkdtemp", refuse)
        reason = str(self.assertRaises(StartError, self.stage.open, lambda _: None))
        self.assertEqual(reason, "no place for temporary files: Read-only file system")

    def test_certificatesThatCannotBeWrittenLeaveNothing(self) -> None:
        folder = self.mktemp()
        os.mkdir(folder)
        self.patch(tempfile, "tempdir", os.path.abspath(folder))
        real = os.open

        def refuse(path: str, flags: int, mode: int = 0o777) -> int:
            if path.endswith("client.pem"):
                raise OSError(28, "No space left on device", path)
            return real(path, flags, mode)

        self.patch(os, "open", refuse)
        self.assertIn("No space", str(self.assertRaises(ConfigurationError, self.stage.open, lambda _: None)))
        self.assertEqual(os.listdir(folder), [])

    def test_noUdpPortIsOneLine(self) -> None:
        self.reactor.refusal = OSError(24, "Too many open files")
        reason = str(self.assertRaises(StartError, self.stage.open, lambda _: None))
        self.assertIn("Too many open files", reason)
        self.assertEqual(len(reason.splitlines()), 1)

    def test_theEndIsWaitedFor(self) -> None:
        ends: list[Deferred[None]] = [Deferred(), Deferred()]
        for end in ends:
            self.services["client"].ending = end
            self.stage.open(lambda _: None)
            closing = self.stage.close()
            self.assertNoResult(closing)
            if end is ends[0]:
                end.callback(None)
            else:
                self.reactor.advance(stage.STOP_SECONDS)
            self.successResultOf(closing)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.flushLoggedErrors(CancelledError)

    def test_anEndThatFailsDoesNotKeepTheOthers(self) -> None:
        self.services["client"].ending = fail(ZeroDivisionError())
        self.stage.open(lambda _: None)
        self.journal.clear()
        self.successResultOf(self.stage.close())
        self.assertEqual(self.journal, ["close Sender", "stop client", "stop server", "close EchoTarget"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class FakeScene:
    """
    Answers as a pool does, at once unless it is told otherwise.
    """

    destination = ("127.0.0.1", 4711)

    def __init__(self) -> None:
        self.alter: Callable[[int, bytes], list[bytes]] = lambda _, datagram: [datagram]
        self.refusal: Exception | None = None
        self.hangsIn: str | None = None
        self.phases: list[Phase] = []
        self.exchanges: list[Exchange] = []
        self.closed = 0

    def open(self, progress: Callable[[Exchange], None]) -> FakeScene:
        if self.refusal is not None:
            raise self.refusal
        self._progress = progress
        return self

    def play(self, exchange: Exchange) -> Deferred[None]:
        self.phases.append(exchange.phase)
        self.exchanges.append(exchange)
        self._progress(exchange)
        if exchange.phase.name == self.hangsIn:
            return Deferred()
        now = 0.0
        while not exchange.finished:
            for datagram in drain(exchange, now):
                for answer in self.alter(len(self.phases), datagram):
                    exchange.receive(answer, now + 0.001)
            now += exchange.phase.patience
            exchange.expire(now)
        return succeed(None)

    def close(self) -> Deferred[None]:
        self.closed += 1
        return succeed(None)


class DemoTests(SynchronousTestCase):
    """
    Run the demo as a user does.
    """

    def setUp(self) -> None:
        self.scene = FakeScene()
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "stderr", self.err)

    def demo(self, *words: str) -> Demo:
        """
        A demo with those options.
        """
        options = DemoOptions()
        options.parseOptions(["--count", "300", *words])
        return Demo(self.scene, options, self.out, self.err, 5)

    def perform(self, *words: str) -> int:
        """
        @return: the exit status of a whole demo.
        """
        demo = self.demo(*words)
        self.successResultOf(demo.begin())
        return demo.status

    def test_allBackIsSuccess(self) -> None:
        self.assertEqual(self.perform(), 0)
        said = self.out.getvalue()
        self.assertTrue(said.endswith("\n\nOK: all 832 datagrams came back intact\n"), said)
        self.assertRegex(said, r"\nsent +100 +32 +400 +300\nreturned +100 +32 +400 +300\nlost +0 +0 +0 +0\n")
        self.assertEqual(self.err.getvalue(), "")

    def test_theFiguresAreNoBenchmark(self) -> None:
        """
        Below the table stands why, and what measures.
        """
        self.perform()
        words = self.out.getvalue().partition("Mbit/s each way")[2]
        for expected in ("no benchmark", "loopback", "iperf3", "python -m bench"):
            self.assertIn(expected, words)

    def test_phasesComeInTheirOrderAndShareNoNumbers(self) -> None:
        self.perform("--size", "99")
        names = [phase.name for phase in self.scene.phases]
        self.assertEqual(names, ["first answer", "opening", "one by one", "mixed sizes", "99 bytes"])
        payloads = [Pattern(5).payload(number << 32, 64) for number in range(5)]
        for index, exchange in enumerate(self.scene.exchanges):
            before = exchange.tally()
            for payload in payloads[:index] + payloads[index + 1 :]:
                exchange.receive(payload, 0.0)
            self.assertEqual(exchange.tally().damaged - before.damaged, 4)

    def test_anyLossDamageOrRepeatIsFailure(self) -> None:
        alterations: list[tuple[str, Callable[[bytes], list[bytes]]]] = [
            ("1 were lost", lambda _: []),
            ("1 answers were damaged", lambda datagram: [datagram + b"x"]),
            ("came twice", lambda datagram: [datagram, datagram]),
        ]
        for words, alteration in alterations:
            for phase in (2, 3, 4, 5):
                self.setUp()
                hit: list[bytes] = []

                def alter(number: int, datagram: bytes) -> list[bytes]:
                    if number == phase and len(datagram) > 64 - (number == 2) and not hit:  # noqa: B023
                        hit.append(datagram)  # noqa: B023
                        return alteration(datagram)  # noqa: B023
                    return [datagram]

                self.scene.alter = alter
                self.assertEqual(self.perform("--listen"), 1)
                self.assertIn("FAILED", self.out.getvalue())
                self.assertIn(words, self.out.getvalue())
                self.assertNotIn("Still running", self.out.getvalue())

    def test_noAnswerAtAllIsSaidEarly(self) -> None:
        self.scene.alter = lambda _, __: []
        self.assertEqual(self.perform(), 1)
        self.assertEqual(self.err.getvalue(), "uotp demo: no answer came through the tunnel within 8 s\n")
        self.assertEqual(len(self.scene.phases), 1)

    def test_whatCannotStartIsOneLine(self) -> None:
        self.scene.refusal = StartError("no port")
        self.assertEqual(self.perform(), 1)
        self.assertEqual(self.err.getvalue(), "uotp demo: no port\n")

    def test_ourOwnMistakesAreLogged(self) -> None:
        self.scene.refusal = ZeroDivisionError("ours")
        self.assertEqual(self.perform(), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_aFileGetsALineForEachPhase(self) -> None:
        self.perform()
        self.assertNotIn("\r", self.out.getvalue())
        self.assertEqual(self.out.getvalue().split("\n\n")[0].count("\n"), 4)
        self.assertIn("\none by one: 32 of 32 came back\n", self.out.getvalue())

    def test_aTerminalGetsOneLineThatIsDrawnAgain(self) -> None:
        self.patch(self.out, "isatty", lambda: True)
        progress = Progress(self.out)
        progress.show("a long line")
        progress.show("short")
        progress.say("end")
        progress.show("half")
        progress.clear()
        erase = "\r\x1b[K"
        self.assertEqual(self.out.getvalue(), f"{erase}a long line{erase}short{erase}end\n{erase}half{erase}")

    def test_theProgressOfTheSenderIsShown(self) -> None:
        self.patch(self.out, "isatty", lambda: True)
        self.perform()
        self.assertIn("\r\x1b[Kmixed sizes: 0 of 0 came back\r", self.out.getvalue())

    def test_listenGoesOnUntilASignal(self) -> None:
        """
        The address to point a program at is printed, and being ended then is success.
        """
        demo = self.demo("--listen")
        running = demo.begin()
        self.assertNoResult(running)
        self.assertIn("UDP 127.0.0.1 port 4711", self.out.getvalue())
        self.assertEqual(self.scene.closed, 0)
        self.successResultOf(demo.end())
        self.successResultOf(running)
        self.assertEqual((demo.status, self.scene.closed), (0, 1))
        self.assertNotIn("interrupted", self.out.getvalue())

    def test_aSignalInTheMiddleIsFailure(self) -> None:
        self.scene.hangsIn = "mixed sizes"
        demo = self.demo("--listen")
        running = demo.begin()
        self.successResultOf(demo.end())
        self.successResultOf(running)
        self.assertEqual((demo.status, self.scene.closed), (1, 1))
        self.assertTrue(self.out.getvalue().endswith("interrupted\n"))

    def test_theReactorRunsAsLongAsTheDemo(self) -> None:
        journal: list[str] = []
        hooks: list[Callable[[], Any]] = []
        ends: list[Callable[[], Any]] = []

        def stop() -> None:
            journal.append("stop")
            ends.pop()()

        def runHooks() -> None:
            journal.append("run")
            hooks.pop()()

        def addTrigger(phase: str, event: str, end: Callable[[], Any]) -> None:
            self.assertEqual((phase, event), ("before", "shutdown"))
            ends.append(end)

        reactor = SimpleNamespace(
            callWhenRunning=hooks.append, addSystemEventTrigger=addTrigger, run=runHooks, stop=stop
        )
        self.assertEqual(run(self.demo(), reactor), 0)
        self.assertEqual((journal, self.scene.closed, ends), (["run", "stop"], 1, []))

    def test_aSignalStopsTheReactorOnlyOnce(self) -> None:
        demo = self.demo("--listen")
        ends: list[Callable[[], Any]] = []
        hooks: list[Callable[[], Any]] = []

        def runHooks() -> None:
            hooks.pop()()
            self.successResultOf(ends.pop()())

        reactor = SimpleNamespace(
            callWhenRunning=hooks.append,
            addSystemEventTrigger=lambda _, __, end: ends.append(end),
            run=runHooks,
            stop=lambda: self.fail("stopped again"),
        )
        self.assertEqual(run(demo, reactor), 0)

    def test_aSignalBeforeTheBeginningIsNoTrouble(self) -> None:
        demo = self.demo()
        self.successResultOf(demo.end())
        self.assertEqual(demo.status, 1)


class OptionsTests(SynchronousTestCase):
    """
    Read the command line of C{uotp demo}.
    """

    def parse(self, *words: str) -> DemoOptions:
        options = DemoOptions()
        options.parseOptions(words)
        return options

    def test_valuesAndDefaults(self) -> None:
        options = self.parse()
        self.assertEqual((options["size"], options["count"], bool(options["listen"])), (1400, None, False))
        self.assertEqual(self.parse("--size", "1.5K")["size"], 1536)
        options = self.parse("--listen", "--count", "50", "--size=0")
        self.assertEqual((options["size"], options["count"], bool(options["listen"])), (0, 50, True))

    def test_rubbishIsOneLineAndStatus2(self) -> None:
        cases = [
            (("--size", "65508"), "--size 65508"),
            (("--size", "-1"), "--size -1"),
            (("--size", "x"), "0 to 65507"),
            (("--count", "0"), "--count 0"),
            (("--count", "1000001"), "1 to 1000000"),
            (("here",), "'here'"),
            (("--nonsense",), "nonsense"),
            (("--cont", "5"), "did you mean --count?"),
            (("--pool-size", "5"), "--pool-size is an option of uotp-client"),
        ]
        for words, reason in cases:
            err = io.StringIO()
            self.patch(sys, "stderr", err)
            self.assertEqual(self.assertRaises(SystemExit, self.parse, *words).code, 2)
            self.assertIn(reason, err.getvalue())
            self.assertEqual(err.getvalue().count("\n"), 1)

    def test_theClockAndTheLogAreSetUpFirst(self) -> None:
        """
        Timers follow the monotonic clock before anything runs, and only warnings and worse reach standard error.
        """
        journal: list[str] = []
        observers: list[Any] = []
        err = io.StringIO()
        self.patch(sys, "stderr", err)
        self.patch(Logger, "threshold", Logger.threshold)
        self.patch(Spelling, "spellings", {})
        self.patch(command, "stopOnSignals", lambda _: None)  # trial's reactor may still be started
        self.patch(command, "useMonotonicClock", lambda _: journal.append("clock"))
        self.patch(command, "Stage", lambda _: journal.append("stage"))

        def beginLoggingTo(them: list[Any], *, redirectStandardIO: bool) -> None:
            self.assertFalse(redirectStandardIO)
            observers.extend(them)

        def runDemo(_: Demo, __: object) -> int:
            journal.append("run")
            return 3

        self.patch(command, "run", runDemo)
        self.patch(command, "globalLogBeginner", SimpleNamespace(beginLoggingTo=beginLoggingTo))
        self.assertEqual(command.demo(["--count", "1"]), 3)
        self.assertEqual(journal, ["clock", "stage", "run"])
        self.assertEqual(Spelling.spellings["udpBuffer"], "--udp-buffer")
        for level in ("info", "warn"):
            event = {"log_level": LogLevel.lookupByName(level), "log_format": f"a line of {level}"}
            observers[0]({**event, "log_time": 0.0, "log_namespace": "uotp"})
        self.assertIn("a line of warn", err.getvalue())
        self.assertNotIn("info", err.getvalue())
