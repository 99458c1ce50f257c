"""
What can be seen of the head of a request before it is read.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.server.door.heads import MOST_REQUEST_HEAD_BYTES, linesOfHead, mayBeRequest

LINES = {
    b"": 0,
    b"GET / HTTP/1.1": 0,
    b"GET / HTTP/1.1\r\n": 1,
    b"GET / HTTP/1.1\r\nHost: a\r\n": 2,
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n": 2,
    b"GET / HTTP/1.1\nHost: a\n\n": 2,
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\nb\nb\n\nb\r\n\r\n": 2,
    b"GET / HTTP/1.1\nHost: a\n\nb\nb\r\n\r\n": 2,
    b"GET / HTTP/1.1\nHost: a\r\n\nb\nb\r\n\r\n": 2,
    b"\n" * 3: 1,
    b"a\n" * MOST_REQUEST_HEAD_BYTES: MOST_REQUEST_HEAD_BYTES // 2,
}
"""How many lines there are in what has come: none of the body, and not the empty line."""

REQUESTS = (
    b"",
    b"GET / HTTP/1.1\r\n",
    b"GET / HTTP/1.1\n",
    b"GET / HTTP/1.1\r\nwhatever\n\n",
    b"A" * 32,
    b"A" * 32 + b" / HTTP/1.1\r\n",
    b"M-SEARCH * HTTP/1.1\r\n",
    b"X_Y /" + b"a" * 5000,
    b"GET / HTTP/7.5\r",
)

NOTHINGS = (
    b"A" * 33,
    b"A" * 33 + b" / HTTP/1.1\r\n",
    b" / HTTP/1.1\r\n",
    b"GET  / HTTP/1.1\r\n",
    b"GET / HTTP/1.1 \r\n",
    b"GET / HTTP/1.11\r\n",
    b"GET / HTTP/1.\r\n",
    b"GET / HTTP/1.1\r\r\n",
    b"GET /\r\n",
    b"\r\n",
    b"\n",
    b"\x16\x03",
    b"GET / HTTP/1.1\rx",
)


class HeadsTests(SynchronousTestCase):
    """
    Look at what has come.
    """

    def test_theLinesOfTheHeadAreCounted(self) -> None:
        for begun, lines in LINES.items():
            self.assertEqual(linesOfHead(begun), lines, begun[:60])

    def test_whatMayBeARequestIsTold(self) -> None:
        for begun in REQUESTS:
            self.assertTrue(mayBeRequest(begun), begun)
        for begun in NOTHINGS:
            self.assertFalse(mayBeRequest(begun), begun)
