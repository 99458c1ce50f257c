"""
What a server says that has nothing to show.
"""

from __future__ import annotations

import gc
import re
import weakref

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.process.turns import READ_UNITS, Turns, Unlimited
from uotp.server.door.heads import MOST_HEAD_LINES, MOST_REQUEST_HEAD_BYTES, mayBeRequest
from uotp.server.door.page import (
    BAD_GATEWAY,
    MOST_BODY_BYTES,
    NOT_FOUND,
    REQUEST_SECONDS,
    REQUEST_UNITS,
    StaticSite,
)

HOST = b"Host: a\r\n\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST

ANSWERS = {
    "GET": (GET, [404], False),
    "another path": (b"GET /x?y HTTP/1.1\r\n" + HOST, [404], False),
    "HEAD": (b"HEAD / HTTP/1.1\r\n" + HOST, [404], False),
    "POST": (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n" + HOST + b"abc", [404], False),
    "chunks": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"1\r\na\r\n0\r\n\r\n", [404], True),
    "OPTIONS": (b"OPTIONS * HTTP/1.1\r\n" + HOST, [404], False),
    "TRACE": (b"TRACE / HTTP/1.1\r\n" + HOST, [404], False),
    "two at once": (GET + GET, [404, 404], False),
    "close": (b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST, [404], True),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", [404], True),
    "lines without CR": (b"GET / HTTP/1.1\nHost: a\n\n", [404], False),
    "an empty line before": (b"\r\n" + GET, [400], True),
    "expects": (b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n" + HOST, [404], True),
    "HTTP/0.9": (b"GET /\r\n", [400], True),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505], True),
    "HTTP/3": (b"GET / HTTP/3.0\r\n" + HOST, [505], True),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", [400], True),
    "a hello": (b"uotp\2\0\0\0" + bytes(16), [400], True),
    "bytes": (bytes(range(1, 17)), [400], True),
    "one byte": (b"\x16", [400], True),
    "SSH": (b"SSH-2.0-x\r\n", [400], True),
    "PROXY": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", [400], True),
    "a long head": (b"GET / HTTP/1.1\r\nX: " + b"a" * MOST_REQUEST_HEAD_BYTES, [431], True),
    "a head of short lines": (b"GET / HTTP/1.1\r\n" + b"a:\r\n" * MOST_HEAD_LINES + HOST, [431], True),
    "as many lines as there may be": (b"GET / HTTP/1.1\r\n" + b"a:\r\n" * (MOST_HEAD_LINES - 2) + HOST, [404], False),
    "an encoding that there is not": (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n" + HOST, [400], True),
    "a long body": (
        b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n" + HOST + bytes(MOST_BODY_BYTES + 1),
        [413],
        True,
    ),
    "two lengths": (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n" + HOST, [400], True),
    "half a request": (b"GET / HTT", [], False),
    "nothing": (b"", [], False),
}
"""What is said, the numbers of the answers, and whether nothing more comes behind them."""


class RecordingGuest:
    """
    Keeps what a site does.
    """

    def __init__(self) -> None:
        self.heard = b""
        self.hasEnded = self.isLost = False
        self.isRead = True
        self.unsent: bytes | None = None

    def say(self, data: bytes) -> None:
        assert not self.hasEnded
        self.heard += data

    def siteEnded(self) -> None:
        assert not self.hasEnded
        self.hasEnded = True

    def siteLost(self) -> None:
        self.isLost = True

    def siteDown(self, unsent: bytes) -> None:
        self.unsent = unsent

    def pauseReading(self) -> None:
        self.isRead = False

    def resumeReading(self) -> None:
        self.isRead = True

    @property
    def numbers(self) -> list[int]:
        return [int(number) for number in re.findall(rb"HTTP/1\.1 (\d+) ", self.heard)]


class PageTests(SynchronousTestCase):
    """
    Answer visitors.
    """

    def setUp(self) -> None:
        self.clock = Clock()

    def site(self, guest: RecordingGuest, status: int = NOT_FOUND, allowance: object = None) -> StaticSite:
        allowed = Unlimited() if allowance is None else allowance
        return StaticSite(guest, allowed, self.clock.seconds, lambda: 0.0, status)  # type: ignore[arg-type]

    def test_eachIsAnsweredAsByAnyWebServer(self) -> None:
        for name, (said, numbers, isLast) in ANSWERS.items():
            guest = RecordingGuest()
            self.site(guest).feed(said)
            self.assertEqual((guest.numbers, guest.hasEnded), (numbers, isLast), name)
            self.assertNotIn(b"uotp", guest.heard)

    def test_nothingOfAVisitIsLeftToTheGarbageCollector(self) -> None:
        gc.disable()
        self.addCleanup(gc.enable)
        for name, (said, _, _) in ANSWERS.items():
            site = self.site(RecordingGuest())
            site.feed(said)
            known = weakref.ref(site)
            del site
            self.assertIsNone(known(), name)

    def test_byteByByteTheAnswersAreTheSame(self) -> None:
        for name, (said, numbers, isLast) in ANSWERS.items():
            guest = RecordingGuest()
            site = self.site(guest)
            for at in range(min(len(said), 2000)):
                site.feed(said[at : at + 1])
            if len(said) <= 2000:
                self.assertEqual((guest.numbers, guest.hasEnded), (numbers, isLast), name)

    def test_theAnswerHasADateAndNoName(self) -> None:
        guest = RecordingGuest()
        self.site(guest).feed(GET)
        head, _, body = guest.heard.partition(b"\r\n\r\n")
        self.assertIn(b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", head)
        self.assertIn(b"Content-Length: %d" % len(body), head)
        self.assertNotIn(b"Server", head)

    def test_aHeadIsAnsweredWithoutABody(self) -> None:
        guest = RecordingGuest()
        self.site(guest).feed(b"HEAD / HTTP/1.1\r\n" + HOST)
        self.assertTrue(guest.heard.endswith(b"\r\n\r\n"))

    def test_whereTheBackendIsDownGoodRequestsAreToldSo(self) -> None:
        for said, number in ((GET, 502), (b"\x16\x03\x01", 400)):
            guest = RecordingGuest()
            self.site(guest, BAD_GATEWAY).feed(said)
            self.assertEqual((guest.numbers, guest.hasEnded), ([number], True))

    def test_whoHasSaidAllIsAnsweredBeforeTheEnd(self) -> None:
        guest = RecordingGuest()
        site = self.site(guest)
        site.feed(GET)
        site.end()
        self.assertEqual((guest.numbers, guest.hasEnded), ([404], True))
        site.feed(GET)
        self.assertEqual(guest.numbers, [404])

    def test_manyRequestsAtOnceAreAnsweredByTurns(self) -> None:
        """
        Others are served between, and he is not read meanwhile.
        """
        turns = Turns(self.clock)
        guest = RecordingGuest()
        site = self.site(guest, allowance=turns.allowanceOf("visitors"))
        site.feed(GET * 49)
        answered = len(guest.numbers)
        self.assertLessEqual(answered, READ_UNITS // REQUEST_UNITS)
        site.feed(GET)
        self.assertEqual((len(guest.numbers), guest.isRead), (answered, False))
        site.end()
        for _ in range(100):
            self.clock.advance(0)
        self.assertEqual((len(guest.numbers), guest.isRead, guest.hasEnded), (50, False, True))

    def test_whileAnotherVisitorWaitsOneRequestIsAnswered(self) -> None:
        """
        All have their turn together.
        """
        turns = Turns(self.clock)
        guest = RecordingGuest()
        kept = [turns.allowanceOf("visitors") for _ in range(2)]
        kept[0].later(lambda: None)
        site = self.site(guest, allowance=kept[1])
        site.feed(GET * 3)
        self.assertEqual((guest.numbers, guest.isRead), ([404], False))
        for _ in range(9):
            self.clock.advance(0)
        self.assertEqual((guest.numbers, guest.isRead), ([404] * 3, True))

    def test_longHeadsAreAnsweredOneByOne(self) -> None:
        """
        To read a head takes time for each line.
        """
        turns = Turns(self.clock)
        guest = RecordingGuest()
        site = self.site(guest, allowance=turns.allowanceOf("visitors"))
        site.feed((b"GET / HTTP/1.1\r\n" + b"a:\r\n" * (READ_UNITS - REQUEST_UNITS) + HOST) * 3)
        self.assertEqual((guest.numbers, guest.isRead), ([404], False))
        for _ in range(100):
            self.clock.advance(0)
        self.assertEqual((guest.numbers, guest.isRead), ([404] * 3, True))

    def test_theLastAnswerSaysThatItIsTheLast(self) -> None:
        for name, (said, numbers, isLast) in ANSWERS.items():
            guest = RecordingGuest()
            self.site(guest).feed(said)
            if numbers:
                head = guest.heard[guest.heard.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")[0]
                self.assertEqual(b"\r\nConnection: close" in head, isLast, name)

    def test_bodiesAreCountedOneByOne(self) -> None:
        """
        However they come; and of the next one nothing of the one before counts.
        """
        for length, number in ((MOST_BODY_BYTES, 404), (MOST_BODY_BYTES + 1, 413)):
            guest = RecordingGuest()
            site = self.site(guest)
            for _ in range(2):
                site.feed(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n" % length + HOST)
                for at in range(0, length, 65536):
                    site.feed(bytes(min(65536, length - at)))
            self.assertEqual(guest.numbers, [number] if number != 404 else [404, 404])

    def test_whoAsksIsWaitedForAnew(self) -> None:
        """
        Not who only begins to ask, so that a request has an end.
        """
        site = self.site(RecordingGuest())
        self.assertEqual((site.activeAt, site.idleSeconds), (0, REQUEST_SECONDS))
        self.assertEqual(REQUEST_SECONDS, 60)
        self.clock.advance(5)
        site.feed(GET + GET[:9])
        self.assertEqual(site.activeAt, 5)
        self.clock.advance(5)
        site.feed(GET[9:12])
        self.assertEqual(site.activeAt, 5)

    def test_whoIsGoneIsNotAnswered(self) -> None:
        guest = RecordingGuest()
        site = self.site(guest)
        site.feed(GET[:9])
        site.stop()
        site.feed(GET[9:])
        site.resume()
        self.assertEqual((guest.numbers, guest.hasEnded), ([], False))

    def test_whoTakesNothingIsAnsweredBeforeTheEnd(self) -> None:
        guest = RecordingGuest()
        site = self.site(guest)
        site.pause()
        site.feed(GET)
        site.end()
        self.assertEqual((guest.numbers, guest.hasEnded), ([], False))
        site.resume()
        self.assertEqual((guest.numbers, guest.hasEnded), ([404], True))

    def test_aRequestCostsUnits(self) -> None:
        """
        One for each line, and some for the answer.
        """
        allowance = Turns(self.clock).allowanceOf("visitors")
        before = allowance.owner.left + allowance.left
        self.site(RecordingGuest(), allowance=allowance).feed(GET)
        self.assertEqual(before - allowance.owner.left - allowance.left, REQUEST_UNITS + 2)

    def test_noChunkIsRead(self) -> None:
        """
        There may be thousands in a read, and as many lines behind the last one.
        """
        guest = RecordingGuest()
        site = self.site(guest)
        site.feed(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST)
        self.assertEqual((guest.numbers, guest.hasEnded), ([404], True))
        site.feed(b"1\r\na\r\n" * 10000 + b"0\r\n" + b"a:\r\n" * 3000 + b"\r\n" + GET)
        self.assertEqual(guest.numbers, [404])
        self.assertEqual(site._connection.trailing_data[0], b"", "what comes behind the end is not kept")

    def test_whoDoesNotTakeAnswersGetsNoMore(self) -> None:
        guest = RecordingGuest()
        site = self.site(guest)
        site.pause()
        self.assertFalse(guest.isRead)
        site.feed(GET)
        self.assertEqual(guest.numbers, [])
        site.resume()
        self.assertEqual((guest.numbers, guest.isRead), ([404], True))

    def test_whatMayBeARequestIsWaitedFor(self) -> None:
        line = b"GET /a HTTP/1.1\r\n"
        for end in range(len(line) + 1):
            self.assertTrue(mayBeRequest(line[:end]), line[:end])
        for bad in (b"get", b"G\0", b"GET /\x7f", b"GET / FTP", b"GET /\n", b"GET / HTTP/1.12", b"A" * 33):
            self.assertFalse(mayBeRequest(bad), bad)
