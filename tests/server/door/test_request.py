"""
Who asks for the path: what comes whole, byte by byte, and with more behind it.
"""

from __future__ import annotations

import contextlib
import gc
import hmac

from twisted.trial.unittest import SynchronousTestCase

from uotp.errors import PeerError
from uotp.server.door.heads import MOST_HEAD_LINES
from uotp.server.door.request import (
    MOST_REQUEST_LINE_BYTES,
    MOST_SEARCHED_BYTES,
    MOST_UPGRADE_BYTES,
    PathUpgrade,
    asksForPath,
    judgeRequest,
    pathCrossedOut,
)
from uotp.server.settings import SHORT_PATH

PATH = b"/a-path-that-nobody-knows"
FIELDS = (
    b"Host: vpn.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
REQUEST = b"GET " + PATH + b" HTTP/1.1\r\n" + FIELDS

REFERRED = b"GET /favicon.ico HTTP/1.1\r\nHost: a\r\nreferer: https://vpn.example.com"

VISITORS = {
    "another path": (REQUEST.replace(PATH, b"/another"), "it speaks HTTP"),
    "a shorter path": (REQUEST.replace(PATH, PATH[:-1]), "it speaks HTTP"),
    "a longer path": (REQUEST.replace(PATH, PATH + b"/"), "it speaks HTTP"),
    "a query": (REQUEST.replace(PATH, PATH + b"?"), "it speaks HTTP"),
    "an absolute target": (REQUEST.replace(PATH, b"http://vpn.example.com" + PATH), "it speaks HTTP"),
    "HTTP/1.0": (REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"), "it speaks HTTP"),
    "two spaces": (REQUEST.replace(b"GET ", b"GET  "), "it speaks HTTP"),
    "no version": (b"GET " + PATH + b"\r\n", "it speaks HTTP"),
    "POST": (REQUEST.replace(b"GET", b"POST"), "it speaks HTTP"),
    "a hello": (b"uotp\2\0\0\0", "it speaks uotp without TLS: tls=None was said there, and not here"),
    "no HTTP": (b"hello, this is nothing", "what it says is no hello"),
    "a line without end": (b"GET /" + b"a" * MOST_REQUEST_LINE_BYTES, "it speaks HTTP"),
    "no upgrade": (REQUEST.replace(b"Upgrade: websocket\r\n", b""), "it does not ask for WebSocket"),
    "another version": (REQUEST.replace(b"13", b"12"), "it speaks another version of WebSocket"),
    "a bad key": (REQUEST.replace(b"dGhl", b"dGh"), "it has no key of WebSocket"),
    "a head of short lines": (
        REQUEST[:-2] + b"a:\r\n" * MOST_HEAD_LINES + b"\r\n",
        "its request is broken or too long",
    ),
    "no host": (REQUEST.replace(b"Host: vpn.example.com\r\n", b""), "its request is broken or too long"),
    "two lengths": (
        REQUEST.replace(b"Host:", b"Content-Length: 1\r\nContent-Length: 2\r\nHost:"),
        "its request is broken or too long",
    ),
    "a head without end": (
        b"GET " + PATH + b" HTTP/1.1\r\nX: " + b"a" * MOST_UPGRADE_BYTES,
        "its request is broken or too long",
    ),
}
"""Who is a visitor, and what the log says of him at the end."""


class RequestTests(SynchronousTestCase):
    """
    Judge requests.
    """

    def assertUpgrade(self, judged: PathUpgrade | None, rest: bytes = b"") -> None:
        assert judged is not None
        self.assertTrue(judged.answer.startswith(b"HTTP/1.1 101 "))
        self.assertIn(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", judged.answer)
        self.assertEqual(judged.rest, rest)

    def test_whoAsksForThePathComesIn(self) -> None:
        """
        What is glued to the request is what comes first inside.
        """
        self.assertUpgrade(judgeRequest(REQUEST, PATH))
        self.assertUpgrade(judgeRequest(REQUEST + b"\x82\x00", PATH), b"\x82\x00")
        self.assertUpgrade(judgeRequest(REQUEST.replace(b"\r\n", b"\n"), PATH))

    def test_nothingIsDecidedBeforeAllHasCome(self) -> None:
        for end in range(1, len(REQUEST)):
            self.assertIsNone(judgeRequest(REQUEST[:end], PATH), REQUEST[:end])

    def test_whoeverElseIsAVisitor(self) -> None:
        """
        However it is cut, the words are the same, and none of them is a secret.
        """
        for name, (request, words) in VISITORS.items():
            error = self.assertRaises(PeerError, judgeRequest, request, PATH)
            self.assertTrue(str(error).endswith(words), (name, str(error)))
            self.assertNotIn(PATH.decode(), str(error))

    def test_howLongItTakesDoesNotTellThePath(self) -> None:
        """
        Each target is compared in constant time, and whole.
        """
        compared = []

        def compare(one: bytes, other: bytes) -> bool:
            compared.append((one, other))
            return one == other

        self.patch(hmac, "compare_digest", compare)
        for target in (b"/b", PATH[:-1], PATH + b"/", PATH):
            asksForPath(b"GET " + target + b" HTTP/1.1", PATH)
            self.assertEqual(compared.pop(), (target, PATH))

    def test_onlyAGetAsks(self) -> None:
        self.assertTrue(asksForPath(b"GET " + PATH + b" HTTP/1.1", PATH))
        for method in (b"get", b"POST", b"", b"GET\t"):
            self.assertFalse(asksForPath(method + b" " + PATH + b" HTTP/1.1", PATH))

    def test_nothingOfABrokenRequestIsLeftToTheGarbageCollector(self) -> None:
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for name, (request, _) in VISITORS.items():
            with contextlib.suppress(PeerError):
                judgeRequest(request, PATH)
            self.assertEqual(gc.collect(), 0, name)

    def test_aWrongPathIsKnownAtTheEndOfItsLineOnly(self) -> None:
        """
        Not where it begins to be wrong, which would tell how much of it is right.
        """
        for target in (b"/b" + PATH[2:], PATH[:-1] + b"x"):
            line = b"GET " + target + b" HTTP/1.1\r\n"
            for end in range(1, len(line)):
                self.assertIsNone(judgeRequest(line[:end], PATH))
            self.assertRaises(PeerError, judgeRequest, line, PATH)


class PathCrossedOutTests(SynchronousTestCase):
    """
    Show others what asks for the path in a wrong way.
    """

    def test_thePathIsCrossedOut(self) -> None:
        """
        Also where more follows, and where the method is another one.
        """
        seen = b"/" + b"x" * (len(PATH) - 1)
        lines = (b"GET ", b"\r\nPOST ", b"GET  ", b"GET http://vpn.example.com:8443", REFERRED)
        for before in (*lines, b"GET /", REFERRED + b"//"):
            for behind in (b"", b" HTTP/1.1\r\n", b"?", b"/a HTTP/1.0\r\n\r\n" + PATH):
                self.assertEqual(pathCrossedOut(before + PATH + behind, PATH), before + seen + behind)

    def test_allElseIsLeft(self) -> None:
        whole = b"GET " + PATH + b" HTTP/1.1\r\n"
        elsewhere = b"GET / HTTP/1.1\r\nHost: " + PATH + b"\r\nX-Referer: http://a" + PATH
        notThere = (whole[:-20], whole[1:4] + whole[5:], elsewhere, b"GET /a\r\n" + whole)
        for shown in (*notThere, b"", b" ", b"GET"):
            self.assertEqual(pathCrossedOut(shown, PATH), shown)

    def test_noMoreIsReadThanTheHeadOfARequest(self) -> None:
        """
        Whoever sends much makes no work by it, nor by what is alike.
        """
        first = b"POST / HTTP/1.1\r\n"
        field = b"Referer: http://a" + PATH + b"\r\n"
        crossed = field.replace(PATH, b"/" + b"x" * (len(PATH) - 1))
        room = MOST_SEARCHED_BYTES - len(first) - len(b"Referer:")
        near, far = (b"a" * (room - 2 + more) + b"\r\n" for more in (0, 1))
        self.assertEqual(pathCrossedOut(first + near[9:] + field, PATH), first + near[9:] + crossed)
        self.assertEqual(pathCrossedOut(first + far + field, PATH), first + far + field)
        self.assertEqual(pathCrossedOut(first + field + field, PATH), first + crossed + field)

    def test_aShortPathMayBeThatOfAPage(self) -> None:
        for path in (b"/", b"/about", b"/" + b"a" * (SHORT_PATH - 2)):
            self.assertEqual(pathCrossedOut(b"GET " + path + b" HTTP/1.1", path), b"GET " + path + b" HTTP/1.1")

    def test_howLongItTakesDoesNotTellThePath(self) -> None:
        compared = []

        def compare(one: bytes, other: bytes) -> bool:
            compared.append((one, other))
            return one == other

        self.patch(hmac, "compare_digest", compare)
        for target in (b"/b", PATH, PATH + b"/a"):
            pathCrossedOut(b"GET " + target, PATH)
            self.assertEqual(compared.pop(), (target[: len(PATH)], PATH))
