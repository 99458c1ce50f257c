"""
The way goes on inside WebSocket: faults are put there, one after another, and each is named.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tests.doctor.test_examination import FROM_THE_TUNNEL, MOMENT, TOLD, ExaminationTestCase
from tests.doubles.certificates import DAY, NOW
from tests.doubles.examined import Plain, Proxy, Secured, Speaks, Uotp, Upgrading, Web
from tests.doubles.tlspairs import GOOD, STRANGER, TRUSTED
from uotp.doctor.carried import BrokenCarrier, CarriedLine
from uotp.doctor.findings import ExamStep, Finding, Outcome, exitStatusOf
from uotp.doctor.settings import DoctorSettings
from uotp.doctor.upgraded import REMEDIES_BY_STATUS
from uotp.net import ServerPlace
from uotp.net.proxyplaces import parseProxy
from uotp.path import PathStats
from uotp.transport.websocket.frames import Opcode, closeMessage, controlMessage, frameHeader
from uotp.transport.websocket.upgrade import MEANINGS
from uotp.wire.hello import SESSION_ID_BYTES
from uotp.wire.negotiation import WireChoice

PATH = "/5a1dd0f5b7c6e9aa"
"""The secret."""

PLACE = ServerPlace("good.test", 443, PATH)

STATUSES = (*MEANINGS, 200, 301, 418, 500, 522)
"""Answers to the question for WebSocket."""


class _InsideTestCase(ExaminationTestCase):
    """
    Examines a way that goes on inside WebSocket.
    """

    def setUp(self) -> None:
        super().setUp()
        self.machine.program = self.web(lambda: Upgrading(PATH, self.newUotp()))

    def web(self, program: Callable[[], Speaks]) -> Callable[[], Speaks]:
        """
        @return: what makes a web server, with TLS before a program.
        """
        return lambda: Secured(GOOD, program(), chooses=b"http/1.1")

    def answering(self, answer: bytes) -> None:
        """
        Let the web server answer this.
        """
        self.machine.program = self.web(lambda: Plain(answer, closes=True))

    def examine(self, **others: Any) -> dict[ExamStep, Finding]:
        """
        @return: the findings, none of which tells the path.
        """
        found = super().examine(**{"place": PLACE, **others})
        for each in self.all:
            self.assertNotIn(PATH[1:], repr(each))
        return found


class WellInsideTests(_InsideTestCase):
    """
    All is well inside WebSocket.
    """

    def test_allStepsAreReached(self) -> None:
        found = self.examine()
        self.assertEqual(self.outcomes(Outcome.OK), set(ExamStep), self.all)
        self.assertEqual(found[ExamStep.ALPN].facts, "http/1.1; WebSocket is asked for in HTTP/1.1")
        self.assertIn("welcomed a session in format 2, inside WebSocket", found[ExamStep.HELLO].facts)
        self.assertEqual((self.uotp.byes, self.uotp.got), (1, [b"\0"]))
        self.assertEqual(exitStatusOf(self.all), 0)

    def test_withoutTls(self) -> None:
        self.machine.program = lambda: Upgrading(PATH, self.newUotp())
        found = self.examine(tls=None)
        self.assertEqual(self.outcomes(Outcome.OK), set(ExamStep), self.all)
        self.assertIn("none without TLS", found[ExamStep.ALPN].facts)

    def test_throughAProxy(self) -> None:
        web = self.machine.program
        assert callable(web)
        proxy = parseProxy("http://proxy.test:3128")
        self.machine.program = lambda: Proxy([b"HTTP/1.1 200 OK\r\n\r\n"], web())
        self.examine(proxy=proxy)
        self.assertEqual(self.outcomes(Outcome.OK), set(ExamStep), self.all)

    def test_format1IsSpokenOnlyWhereThatWasSaid(self) -> None:
        """
        Also where nothing was chosen by ALPN.
        """
        self.machine.program = lambda: Secured(GOOD, Upgrading(PATH, self.newUotp()))
        self.assertIn("in format 2", self.examine()[ExamStep.HELLO].facts)
        inner = Plain()
        self.machine.program = self.web(lambda: Upgrading(PATH, inner))
        found = self.examine(wire=WireChoice.ONE)
        self.assertEqual(len(inner.heard), SESSION_ID_BYTES, "nobody there takes it for a request")
        self.assertIn("in format 1, which has no answer, inside WebSocket", found[ExamStep.HELLO].facts)
        self.assertEqual(self.outcomes(Outcome.NOT_REACHED), FROM_THE_TUNNEL)
        self.machine.program = self.web(lambda: Upgrading(PATH, Plain(closes=True)))
        found = self.examine(wire=WireChoice.ONE)
        self.assertNamed(found[ExamStep.HELLO], Outcome.FAULT, "is no uotp-server", "compare the path")

    def test_tokenIsShownInside(self) -> None:
        token = b"a secret of twenty-eight bytes"
        self.examine(tls=self.choices(self.ours, tokenFile=self.path(token + b"\n")))
        self.assertEqual(self.uotp.tokens, [token])

    def test_pathIsNotShown(self) -> None:
        self.assertNotIn(PATH[1:], repr(DoctorSettings(PLACE, None)))


class NotInsideTests(_InsideTestCase):
    """
    There is no WebSocket.
    """

    def test_eachStatusHasItsRemedy(self) -> None:
        remedies = set()
        for status in STATUSES:
            self.answering(b"HTTP/1.1 %d Words\r\nDate: Fri, 27 Nov 2026 12:00:00 GMT\r\n\r\n" % status)
            found = self.examine()
            self.assertNamed(found[ExamStep.HELLO], Outcome.FAULT, f"({status})", "")
            self.assertIs(found[ExamStep.ALPN].outcome, Outcome.OK)
            self.assertIn("12:00:00 UTC at the server", found[ExamStep.CLOCK].facts)
            self.assertEqual(self.outcomes(Outcome.NOT_REACHED), FROM_THE_TUNNEL)
            self.assertEqual(exitStatusOf(self.all), 16)
            remedies.add(found[ExamStep.HELLO].remedy)
        self.assertEqual(len(remedies), len(STATUSES) - 1, "500 and 522 are alike")
        self.answering(b"HTTP/1.1 302 Found\r\nLocation: https://login.test%s\r\n\r\n" % PATH.encode("ascii"))
        self.assertNamed(self.examine()[ExamStep.HELLO], Outcome.FAULT, "(302)", "log in first")
        self.assertLessEqual(set(MEANINGS), set(REMEDIES_BY_STATUS))

    def test_answerToAnotherRequest(self) -> None:
        self.answering(
            b"HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
        )
        found = self.examine()[ExamStep.HELLO]
        self.assertNamed(found, Outcome.FAULT, "its answer is not to our request", "hand on the upgrade as it is")

    def test_http2WasChosen(self) -> None:
        """
        Nothing is asked then.
        """
        web = Web()
        self.machine.program = lambda: Secured(GOOD, web, chooses=b"h2")
        found = self.examine(alpn=("h2", "http/1.1"))
        self.assertNamed(found[ExamStep.ALPN], Outcome.FAULT, "has chosen HTTP/2", "leave h2 out")
        self.assertIs(found[ExamStep.HELLO].outcome, Outcome.NOT_REACHED)
        self.assertEqual((web.heard, exitStatusOf(self.all)), (b"", 14))

    def test_noneOfTheProtocolsIsTaken(self) -> None:
        webs: list[Web] = []

        def make() -> Speaks:
            webs.append(Web())
            return Secured(GOOD, webs[-1], insists=True)

        self.machine.program = make
        found = self.examine()
        self.assertNamed(found[ExamStep.ALPN], Outcome.FAULT, "takes none of the protocols", "have it take http/1.1")
        self.assertTrue(all(PATH.encode("ascii") not in web.heard for web in webs))

    def test_noWebServerIsThere(self) -> None:
        """
        It says something else, it closes, or it says nothing.
        """
        for says, closes, words in (
            (b"SSH-2.0-OpenSSH_9.2\r\n", True, "SSH"),
            (b"what is this\r\n", True, "speaks no HTTP"),
            (b"", True, "is closed in place of an answer"),
            (b"", False, "nothing is answered"),
        ):
            self.machine.program = self.web(partial(Plain, says, closes=closes))
            found = self.examine()
            self.assertNamed(found[ExamStep.ALPN], Outcome.FAULT, words, "give in the URL the port of the web server")
            self.assertIs(found[ExamStep.HELLO].outcome, Outcome.NOT_REACHED)
            self.assertEqual(exitStatusOf(self.all), 14)

    def test_tlsIsSpokenWhereNoneWasSaid(self) -> None:
        self.machine.program = lambda: Plain(bytes.fromhex("15030300020246"), closes=True)
        found = self.examine(tls=None)[ExamStep.ALPN]
        self.assertNamed(found, Outcome.FAULT, "it speaks TLS", "write wss:// in the URL")

    def test_webServerWaitsForTls(self) -> None:
        """
        Some say so in HTTP.
        """
        self.machine.program = partial(Plain, b"HTTP/1.1 400 Bad Request\r\n\r\n", closes=True)
        found = self.examine(tls=None)[ExamStep.HELLO]
        self.assertNamed(found, Outcome.FAULT, "(400)", "write wss:// in the URL")
        self.answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.assertNotIn("wss://", str(self.examine()[ExamStep.HELLO].remedy))

    def test_webServerThatDoesNotAnswerThisQuestion(self) -> None:
        for mute, words in ((Plain(closes=True), "closes the connection"), (Plain(), "does not answer")):
            calls = iter((Plain(), mute))
            self.machine.program = self.web(partial(next, calls, Web()))
            found = self.examine()
            self.assertNamed(found[ExamStep.HELLO], Outcome.FAULT, f"server there {words}", "no WebSocket through")
            self.assertIs(found[ExamStep.ALPN].outcome, Outcome.OK)

    def test_answerWithoutEnd(self) -> None:
        """
        Neither news without end nor a head without end are listened to for ever.
        """
        for says in (b"HTTP/1.1 100 Continue\r\n\r\n" * 3000, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 12000):
            self.machine.program = partial(Plain, says)
            self.assertIs(self.examine(tls=None)[ExamStep.ALPN].outcome, Outcome.FAULT)

    def test_pathIsToldToNobodyWhomWeDoNotTrust(self) -> None:
        """
        He is asked for a page, and so tells what time it is.
        """
        webs: list[Upgrading] = []
        old = TRUSTED.issue("good.test", begins=NOW - 9 * DAY, ends=NOW - DAY)
        for issued, words in ((STRANGER.issue("good.test"), "unknown issuer"), (old, "expired")):

            def make(issued: Any = issued) -> Speaks:
                webs.append(Upgrading(PATH, self.newUotp()))
                return Secured(issued, webs[-1])

            self.machine.program = make
            found = self.examine()
            self.assertNamed(found[ExamStep.TLS], Outcome.FAULT, words, "")
            self.assertNotIn("but a web server", str(found[ExamStep.TLS].remedy))
            self.assertIs(found[ExamStep.HELLO].outcome, Outcome.NOT_REACHED)
            self.assertIn("UTC at the server", found[ExamStep.CLOCK].facts)
        self.assertTrue(any(web.heard for web in webs))
        self.assertTrue(all(PATH.encode("ascii") not in web.heard for web in webs))

    def test_clientCertificateIsMissing(self) -> None:
        """
        With TLS 1.3 that is known when the answer is waited for.
        """
        self.machine.program = self.serving(program=lambda: Upgrading(PATH, self.newUotp()))
        found = self.examine(tls=self.choices(None))
        self.assertNamed(found[ExamStep.CERTIFICATE], Outcome.FAULT, "wants a client certificate", "uotp cert")
        self.assertIn("does not let us in", found[ExamStep.HELLO].facts)
        self.assertEqual(exitStatusOf(self.all), 15)


class AnswerInsideTests(_InsideTestCase):
    """
    The web server goes on with WebSocket, and something is wrong inside.
    """

    def test_anotherProgramSpeaksWebSocketAtThePath(self) -> None:
        for program, words in (
            (Plain(b"hello, who are you?"), "a protocol of its own"),
            (Plain(closes=True), "closes the connection"),
            (Plain(), "does not answer"),
        ):
            self.machine.program = self.web(partial(Upgrading, PATH, program))
            found = self.examine()
            self.assertNamed(found[ExamStep.HELLO], Outcome.FAULT, "is no uotp-server", "compare the path of the URL")
            self.assertIn(words, found[ExamStep.HELLO].facts)
            self.assertIs(found[ExamStep.ALPN].outcome, Outcome.OK)
            self.assertEqual(exitStatusOf(self.all), 16)

    def test_rulesOfWebSocketAreBroken(self) -> None:
        text = frameHeader(Opcode.TEXT, 2, masks=False) + b"hi"
        self.machine.program = self.web(lambda: Upgrading(PATH, self.newUotp(), behind=text))
        self.assertNamed(self.examine()[ExamStep.HELLO], Outcome.FAULT, "is text", "compare the path")

    def test_itSaysGoodbyeAtOnce(self) -> None:
        goodbye = closeMessage(1001, masks=False)
        self.machine.program = self.web(lambda: Upgrading(PATH, self.newUotp(), behind=goodbye))
        self.assertNamed(self.examine()[ExamStep.HELLO], Outcome.FAULT, "closes the connection", "compare the path")

    def test_serverRefuses(self) -> None:
        self.uotp.welcomes = False
        found = self.examine()
        self.assertNamed(found[ExamStep.HELLO], Outcome.FAULT, "refuses the session", "its log says why")

    def test_faultsBehindTheTunnelAreNamed(self) -> None:
        self.uotp.answers = False
        self.uotp.status = TOLD._replace(refused=0, milliseconds=MOMENT - 3 * 3_600_000)
        found = self.examine()
        self.assertNamed(found[ExamStep.TARGET], Outcome.FAULT, "nothing listens at the target", "server")
        self.assertNamed(found[ExamStep.CLOCK], Outcome.WARNING, "3 hours fast", "timedatectl")

    def test_longMessagesAreSwallowed(self) -> None:
        def make() -> Uotp:
            made = self.newUotp()
            made.swallows = 1400
            return made

        self.machine.program = self.web(lambda: Upgrading(PATH, make()))
        self.assertNamed(self.examine()[ExamStep.SIZE], Outcome.FAULT, "1300 bytes pass, and 1420 do not", "1200")


class ScriptedLine:
    """
    Says what it was told to, a part each second.

    @ivar time: the clock.
    @ivar said: what was said on it.
    """

    def __init__(self, *parts: bytes) -> None:
        self.time = 0.0
        self.said: list[bytes] = []
        self._parts = list(parts)

    def send(self, data: bytes, seconds: float) -> None:
        self.said.append(data)

    def receive(self, seconds: float) -> bytes:
        self.time += 1.0
        if not self._parts:
            raise TimeoutError
        return self._parts.pop(0)

    def pathStats(self) -> PathStats | None:
        return None

    def close(self) -> None:
        self.said.append(b"closed")


class CarriedLineTests(ExaminationTestCase):
    """
    Carry bytes inside WebSocket.
    """

    def test_whatIsSentIsOneMaskedMessage(self) -> None:
        line = ScriptedLine()
        carried = CarriedLine(line, b"", lambda: line.time)
        carried.send(b"abc", 1.0)
        self.assertEqual(line.said, [b"\x82\x83\0\0\0\0abc"])

    def test_whatComesIsTakenOutOfItsFrames(self) -> None:
        """
        Also where a frame is in pieces, and where nothing is in it; a ping is answered.
        """
        ping = controlMessage(Opcode.PING, b"?", masks=False)
        line = ScriptedLine(b"\x82", b"\x03a", b"bc" + ping, b"\x82\x00", b"\x82\x01d", closeMessage(None, masks=False))
        carried = CarriedLine(line, b"\x82\x01_", lambda: line.time)
        self.assertEqual([carried.receive(9.0) for _ in range(5)], [b"_", b"a", b"bc", b"d", b""])
        self.assertEqual(line.said, [b"\x8a\x81\0\0\0\0?"])

    def test_messagesWithoutAnythingGetNoMoreTime(self) -> None:
        line = ScriptedLine(*[b"\x82\x00" * 5000] * 50)
        carried = CarriedLine(line, b"", lambda: line.time)
        self.assertRaises(TimeoutError, carried.receive, 4.0)
        self.assertEqual(line.time, 4.0)

    def test_brokenRulesAreNamed(self) -> None:
        line = ScriptedLine(b"\x82\x81\0\0\0\0x")
        error = self.assertRaises(BrokenCarrier, CarriedLine(line, b"", lambda: line.time).receive, 4.0)
        self.assertIn("it masks what it sends", error.words)
