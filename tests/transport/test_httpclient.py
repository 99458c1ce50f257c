"""
The heads of answers of HTTP: which counts, what stands behind it, and how long they may be.
"""

from __future__ import annotations

import h11
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.wire.streams import pieces
from uotp.errors import PeerError
from uotp.transport.httpclient import MOST_HEADS_BYTES, MOST_HEADS_LINES, AnswerHead, HttpClient

BROKEN = "it is broken"
NEWS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"


def client() -> HttpClient:
    """
    @return: what has asked for a connection.
    """
    return HttpClient(h11.Request(method="CONNECT", target="h:1", headers=[("Host", "h:1")]), lambda: PeerError(BROKEN))


class HttpClientTests(SynchronousTestCase):
    """
    Ask, and hear.
    """

    def refusal(self, *parts: bytes) -> str:
        """
        @return: why an answer is none.
        """
        asked = client()
        return str(self.assertRaises(PeerError, lambda: [*map(asked.received, parts)]))

    def fed(self, *parts: bytes) -> AnswerHead | None:
        """
        @return: the answer, which the last of these parts completes.
        """
        asked = client()
        *first, last = parts
        self.assertEqual([asked.received(part) for part in first], [None] * len(first))
        return asked.received(last)

    def test_requestIsSaid(self) -> None:
        self.assertEqual(client().request, b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n")

    @given(st.lists(st.integers(0, 120), max_size=6), st.binary(max_size=20))
    def test_answerMayComeInPieces(self, cuts: list[int], rest: bytes) -> None:
        """
        News are passed over, and of what stands behind nothing is lost.
        """
        asked, behind = client(), b""
        answer = None
        for piece in pieces(NEWS + NEWS.replace(b"\r\n", b"\n") + OK + rest, cuts):
            if answer is None:
                answer = asked.received(piece)
                behind = b"" if answer is None else answer.rest
            else:
                behind += piece
        assert answer is not None
        self.assertEqual((answer.status, answer.fields, behind), (200, [(b"server", b"x")], rest))

    def test_linesBehindTheHeadDoNotCount(self) -> None:
        """
        What comes there is of another protocol.
        """
        rest = b"\n" * 5000
        self.assertEqual(self.fed(OK + rest), AnswerHead(200, [(b"server", b"x")], rest))

    def test_linesAreBounded(self) -> None:
        """
        Those of all heads together, and before any is read.
        """
        field = b"a:\r\n"
        most = MOST_HEADS_LINES - 2
        head = b"HTTP/1.1 200 OK\r\n"
        answer = self.fed(head + field * most + b"\r\n")
        assert answer is not None
        self.assertEqual(len(answer.fields), most)
        self.assertEqual(self.refusal(head + field * (most + 1) + b"\r\n"), BROKEN)
        self.assertEqual(self.refusal(head, *[field] * (most + 2)), BROKEN)
        self.assertEqual(self.refusal(NEWS * MOST_HEADS_LINES), BROKEN)

    def test_bytesAreBounded(self) -> None:
        """
        Also where a head has come whole.
        """
        head = b"HTTP/1.1 200 OK\r\nX: "
        self.assertEqual(self.refusal(head, b"x" * MOST_HEADS_BYTES), BROKEN)
        self.assertEqual(self.refusal(head + b"x" * MOST_HEADS_BYTES + b"\r\n\r\n"), BROKEN)
        self.assertIsNotNone(self.fed(head + b"x" * (MOST_HEADS_BYTES - len(head) - 4) + b"\r\n\r\n"))

    def test_whatIsNoAnswerIsRefused(self) -> None:
        for other in (
            b"\r\n" + OK,
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",  # nobody has asked for that
            b"HTTP/9 200\r\n\r\n",
        ):
            self.assertEqual(self.refusal(other), BROKEN)
            self.assertEqual(self.refusal(*[other[at : at + 1] for at in range(len(other))]), BROKEN)
