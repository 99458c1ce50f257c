"""
The upgrade to WebSocket, at both ends, against each other and against another implementation.
"""

from __future__ import annotations

import contextlib
import gc
import weakref

import h11
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Ping, Request

from tests.wire.streams import pieces
from uotp.errors import PeerError
from uotp.transport.httpclient import MOST_HEADS_BYTES
from uotp.transport.websocket.upgrade import (
    KEY_BYTES,
    MEANINGS,
    WebSocketUpgrade,
    acceptFor,
    answerToUpgrade,
    wordsForStatus,
)

PATH = "/not-to-be-said-b1946ac9"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The example of RFC 6455, section 1.3."""

REQUEST = (
    b"GET /not-to-be-said-b1946ac9 HTTP/1.1\r\nHost: vpn.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
FIELDS = {
    b"host": b"vpn.example.com",
    b"upgrade": b"websocket",
    b"connection": b"Upgrade",
    b"sec-websocket-key": KEY,
    b"sec-websocket-version": b"13",
}


def upgrade() -> WebSocketUpgrade:
    """
    @return: what has said its request, with the key of the standard's example.
    """
    asked = WebSocketUpgrade("vpn.example.com", PATH, lambda size: b"the sample nonce"[:size])
    assert asked.request() == REQUEST
    return asked


class ClientTests(SynchronousTestCase):
    """
    Ask, and judge the answer.
    """

    def refusal(self, answer: bytes) -> str:
        """
        @return: why an answer is none; it is one line, says nothing of the path, and hides no other error.
        """
        error = self.assertRaises(PeerError, upgrade().received, answer)
        words = str(error)
        self.assertNotIn("\n", words)
        self.assertNotIn("b1946ac9", words)
        self.assertTrue(error.__suppress_context__ or error.__context__ is None)
        return words

    def test_requestSaysNothingOfUs(self) -> None:
        self.assertNotIn(b"uotp", REQUEST.lower())
        self.assertNotIn(b"user-agent", REQUEST.lower())
        self.assertEqual(upgrade().received(ANSWER), b"")

    def test_eachRequestHasItsOwnKey(self) -> None:
        self.assertEqual(acceptFor(KEY), ACCEPT)
        asked: list[int] = []

        def randomBytes(size: int) -> bytes:
            asked.append(size)
            return bytes([len(asked)]) * size

        one, two = (WebSocketUpgrade("h", "/", randomBytes).request() for _ in range(2))
        self.assertNotEqual(one, two)
        self.assertEqual(asked, [KEY_BYTES] * 2)

    @given(st.lists(st.integers(0, 400), max_size=6), st.binary(max_size=20))
    def test_answerMayComeInPieces(self, cuts: list[int], rest: bytes) -> None:
        """
        What stands behind it is not lost.
        """
        asked, heard = upgrade(), b""
        isOver = False
        for piece in pieces(ANSWER + rest, cuts):
            if isOver:
                heard += piece
            elif piece:
                found = asked.received(piece)
                isOver = found is not None
                heard += found or b""
        self.assertEqual((isOver, heard), (True, rest))

    def test_answerByteByByte(self) -> None:
        asked = upgrade()
        for at in range(len(ANSWER) - 1):
            self.assertIsNone(asked.received(ANSWER[at : at + 1]))
        self.assertEqual(asked.received(ANSWER[-1:]), b"")

    def test_answersOfWebServersOnTheWay(self) -> None:
        """
        They add fields, spell in their own way, and may have news first.
        """
        spelled = ANSWER.replace(b"Upgrade: websocket", b"UPGRADE: WebSocket").replace(
            b"Connection: Upgrade", b"Server: nginx\r\nDate: now\r\nconnection: keep-alive, upgrade"
        )
        self.assertEqual(upgrade().received(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + spelled + b"x"), b"x")

    def test_statusIsPutInWords(self) -> None:
        for status, part in (
            (200, "ordinary web page"),
            (204, "ordinary web page"),
            (301, "another address"),
            (308, "another address"),
            (400, "400"),
            (401, "password"),
            (403, "forbids"),
            (404, "the path is not known there"),
            (418, "418"),
            (426, "version"),
            (500, "500"),
            (502, "cannot reach the server behind it"),
            (503, "503"),
            (504, "does not answer"),
        ):
            head = f"HTTP/1.1 {status} Words\r\nContent-Length: 4\r\nLocation: https://elsewhere{PATH}\r\n\r\nbody".encode()
            words = self.refusal(head)
            self.assertIn(part, words)
            self.assertIn(str(status), words)
            self.assertEqual(words, wordsForStatus(status))
        self.assertTrue(all(str(status) in words for status, words in MEANINGS.items()))

    def test_whatIsNoHttpIsSaid(self) -> None:
        for other in (
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\x16\x03\x01" + bytes(60),
            b"uotp\x02\0\0\0",
            b"HTTP/1.1 abc\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nno colon\r\n\r\n",
            b"a" * (MOST_HEADS_BYTES + 1),
        ):
            self.assertIn("speaks no HTTP", self.refusal(other + b"\r\n\r\n"))

    def test_nothingOfABrokenAnswerIsLeftToTheGarbageCollector(self) -> None:
        gc.disable()
        self.addCleanup(gc.enable)
        asked = upgrade()
        with contextlib.suppress(PeerError):
            asked.received(b"HTTP/1.1 abc\r\n\r\n")
        known = weakref.ref(asked)
        del asked
        self.assertIsNone(known())

    def test_headIsBounded(self) -> None:
        asked = upgrade()
        self.assertIsNone(asked.received(b"HTTP/1.1 200 OK\r\n"))
        line = b"X: " + b"y" * 1000 + b"\r\n"
        for _ in range(MOST_HEADS_BYTES // len(line)):
            self.assertIsNone(asked.received(line))
        self.assertRaises(PeerError, asked.received, line)

    def test_wrongAnswerIsRefused(self) -> None:
        """
        One to another request, of no WebSocket, or with what we did not ask for.
        """
        for old, new in (
            (ACCEPT, acceptFor(b"another")),
            (ACCEPT, ACCEPT.lower()),
            (b"Sec-WebSocket-Accept", b"X-Accept"),
            (b"Upgrade: websocket", b"Upgrade: h2c"),
            (b"Connection: Upgrade", b"Connection: close"),
        ):
            self.assertIn("not to our request", self.refusal(ANSWER.replace(old, new)))
        for name in (b"Sec-WebSocket-Protocol: chat", b"Sec-WebSocket-Extensions: permessage-deflate"):
            self.assertIn("did not offer", self.refusal(ANSWER.replace(b"\r\n\r\n", b"\r\n" + name + b"\r\n\r\n")))


class ServerTests(SynchronousTestCase):
    """
    Judge a request, and answer.
    """

    def test_answer(self) -> None:
        self.assertEqual(answerToUpgrade(FIELDS.items()), ANSWER)

    def test_spellingsAreUnderstood(self) -> None:
        spelled = {**FIELDS, b"upgrade": b"WebSocket", b"connection": b"keep-alive, Upgrade", b"content-length": b"0"}
        self.assertEqual(answerToUpgrade(iter(spelled.items())), ANSWER)

    def test_whatIsNoUpgradeIsRefused(self) -> None:
        for name, value in (
            (b"upgrade", None),
            (b"upgrade", b"h2c"),
            (b"connection", None),
            (b"connection", b"keep-alive"),
            (b"sec-websocket-version", None),
            (b"sec-websocket-version", b"8"),
            (b"sec-websocket-version", b"13, 8"),
            (b"sec-websocket-key", None),
            (b"sec-websocket-key", b""),
            (b"sec-websocket-key", b"c2hvcnQ="),
            (b"sec-websocket-key", KEY + b"A"),
            (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25j\nZQ=="),
            (b"sec-websocket-key", KEY.replace(b"d", b"-")),
            (b"content-length", b"5"),
            (b"content-length", b"00"),
            (b"transfer-encoding", b"chunked"),
        ):
            fields = {known: said for known, said in {**FIELDS, name: value}.items() if said is not None}
            self.assertRaises(PeerError, answerToUpgrade, fields.items())
        for twice in (b"sec-websocket-key", b"sec-websocket-version"):
            self.assertRaises(PeerError, answerToUpgrade, [*FIELDS.items(), (twice, FIELDS[twice])])


class OtherImplementationTests(SynchronousTestCase):
    """
    Upgrade with C{wsproto}, which others have written.
    """

    def test_theirClient(self) -> None:
        theirs = WSConnection(ConnectionType.CLIENT)
        said = theirs.send(Request(host="vpn.example.com", target=PATH))
        reader = h11.Connection(h11.SERVER)
        reader.receive_data(said)
        request = reader.next_event()
        assert isinstance(request, h11.Request)
        theirs.receive_data(answerToUpgrade(request.headers) + b"\x82\x02hi")
        accepted, message = theirs.events()
        self.assertIsInstance(accepted, AcceptConnection)
        assert isinstance(message, BytesMessage)
        self.assertEqual(message.data, b"hi")

    def test_theirServer(self) -> None:
        theirs = WSConnection(ConnectionType.SERVER)
        asked = upgrade()
        theirs.receive_data(REQUEST)
        (request,) = theirs.events()
        assert isinstance(request, Request)
        self.assertEqual((request.target, request.host), (PATH, "vpn.example.com"))
        answer = theirs.send(AcceptConnection()) + theirs.send(Ping(b"?"))
        self.assertEqual(asked.received(answer), b"\x89\x01?")
