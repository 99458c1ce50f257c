"""
What is said to an HTTP proxy, and what its answers mean.
"""

from __future__ import annotations

import contextlib
import gc
import weakref

from twisted.trial.unittest import SynchronousTestCase

from uotp.errors import PeerError
from uotp.net import ProxyLogin
from uotp.transport.httpclient import MOST_HEADS_BYTES
from uotp.transport.proxies.httpconnect import HttpConnect, schemesIn

LOGIN = ProxyLogin(b"alice", b"p@ss:w\xc3\xb6rd")
WELCOME = b"HTTP/1.1 200 Connection established\r\n\r\n"

WELCOMES = (
    WELCOME,
    b"HTTP/1.0 200 OK\r\n\r\n",
    b"HTTP/1.1 204 \r\nVia: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",  # which means nothing here (RFC 9110)
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + WELCOME,
)
"""Answers by which a proxy agrees."""

REFUSALS = {
    b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x\r\n\r\n": "wants user and password (407)",
    b"HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: negotiate\r\n\r\n": "by NTLM or Negotiate",
    b"HTTP/1.1 407 x\r\nProxy-Authenticate: Digest realm=x\r\n\r\n": "by Digest, and here is only Basic (407)",
    b"HTTP/1.1 407 x\r\n\r\n": "wants user and password (407)",
    b"HTTP/1.1 403 x\r\nContent-Length: 3\r\n\r\nno.": "forbids connections to this server or port (403)",
    b"HTTP/1.1 502 x\r\n\r\n": "cannot reach the server (502)",
    b"HTTP/1.1 503 x\r\n\r\n": "cannot reach the server, or has no room (503)",
    b"HTTP/1.1 504 x\r\n\r\n": "does not answer it (504)",
    b"HTTP/1.1 302 x\r\nLocation: http://login.test/\r\n\r\n": "sends us elsewhere (302)",
    b"HTTP/1.1 418 x\r\n\r\n": "it answers 418",
    b"SSH-2.0-OpenSSH_9.2\r\n": "is no HTTP proxy",
    b"HTTP/1.1 2x0 OK\r\n\r\n": "is no HTTP proxy, or its answer is broken",
    b"HTTP/1.1 200 OK\r\nbroken\r\n\r\n": "is no HTTP proxy, or its answer is broken",
    b"HTTP/2 200\r\n\r\n": "is no HTTP proxy",
    b"\x15\x03\x03\0\x02\x02\x46": "wants TLS first",
    b"\x05\xff": "speaks SOCKS5",
    b"\0": "is no HTTP proxy",
}
"""What else may be answered, and what is said of that."""


def cut(data: bytes, size: int) -> list[bytes]:
    """
    @return: the data in parts of a size.
    """
    return [data[at : at + size] for at in range(0, len(data), size)]


class RequestTests(SynchronousTestCase):
    """
    See what the proxy is told.
    """

    def test_requestHasTheServerAndNothingElse(self) -> None:
        """
        Nothing tells the proxy which program this is.
        """
        preamble = HttpConnect("VPN.example.com", 8443, None)
        expected = b"CONNECT vpn.example.com:8443 HTTP/1.1\r\nHost: vpn.example.com:8443\r\n\r\n"
        self.assertEqual((preamble.dataToSend(), preamble.dataToSend()), (expected, b""))

    def test_addressOfIpv6StandsInBracketsWithoutItsZone(self) -> None:
        for host in ("2001:db8::1", "2001:db8::1%eth0"):
            said = HttpConnect(host, 443, None).dataToSend()
            self.assertTrue(said.startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n"), said)

    def test_internationalNameIsAnALabel(self) -> None:
        self.assertIn(b"CONNECT xn--bcher-kva.test:443 ", HttpConnect("b\u00fccher.test", 443, None).dataToSend())

    def test_userAndPasswordAreShownInTheBasicWay(self) -> None:
        said = HttpConnect("good.test", 443, LOGIN).dataToSend()
        self.assertIn(b"\r\nProxy-Authorization: Basic YWxpY2U6cEBzczp3w7ZyZA==\r\n", said)


class AnswerTests(SynchronousTestCase):
    """
    Hear what the proxy answers: at once, byte by byte, and with what stands behind it.
    """

    def test_proxyThatAgreesIsHeardToTheEndOfItsHead(self) -> None:
        for answer in WELCOMES:
            for size in (1, 2, 7, len(answer)):
                preamble = HttpConnect("good.test", 443, None)
                *parts, last = cut(answer, size)
                self.assertEqual([preamble.received(part) for part in parts], [None] * len(parts))
                self.assertEqual(preamble.received(last + b"HTTP/1.1 of the stream"), len(last))

    def test_whatIsNoAgreementIsSaidInWords(self) -> None:
        for answer, words in REFUSALS.items():
            for size in (1, len(answer)):
                preamble = HttpConnect("good.test", 443, None)
                error = self.assertRaises(PeerError, lambda p=preamble, s=size, a=answer: [*map(p.received, cut(a, s))])
                self.assertIn(words, str(error))

    def test_passwordThatIsWrongIsToldFromNone(self) -> None:
        preamble = HttpConnect("good.test", 443, LOGIN)
        answer = b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=alice\r\n\r\n"
        self.assertIn("does not accept", str(self.assertRaises(PeerError, preamble.received, answer)))

    def test_nothingOfABrokenAnswerIsLeftToTheGarbageCollector(self) -> None:
        gc.disable()
        self.addCleanup(gc.enable)
        preamble = HttpConnect("good.test", 443, LOGIN)
        with contextlib.suppress(PeerError):
            preamble.received(b"HTTP/1.1 200 OK\r\nbroken\r\n\r\n")
        known = weakref.ref(preamble)
        del preamble
        self.assertIsNone(known())

    def test_headIsBounded(self) -> None:
        """
        Also where it is many heads of interim answers.
        """
        for part in (b"X: " + b"x" * 1000 + b"\r\n", b"\r\nHTTP/1.1 100 Continue\r\n"):
            preamble = HttpConnect("good.test", 443, None)
            preamble.received(b"HTTP/1.1 100 Continue\r\n")
            self.assertEqual(preamble.limit, MOST_HEADS_BYTES)
            heard = len(part)
            try:
                while heard < MOST_HEADS_BYTES:
                    self.assertIsNone(preamble.received(part))
                    heard += len(part)
            except PeerError as error:
                self.assertIn("too long", str(error))

    def test_onlyNamesOfSchemesAreRepeated(self) -> None:
        """
        A proxy decides what it sends, and not what the log looks like.
        """
        values = (b"\x1b[31m", b"x" * 30, b"", b"Basic", b"A1", b"A2", b"A3", b"A4", b"A5")
        self.assertEqual(schemesIn([(b"proxy-authenticate", value) for value in values]), ["Basic", "A1", "A2", "A3"])
