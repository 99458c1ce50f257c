"""
What is said to a SOCKS5 proxy, and what its answers mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from uotp.net import ProxyLogin
from uotp.transport.proxies.faults import ProxyRefused
from uotp.transport.proxies.socks import LONGEST_ANSWERS, REPLIES, SocksConnect

LOGIN = ProxyLogin(b"alice", b"secret")
TO_NAME = b"\x05\x01\0\x03\x09good.test\x01\xbb"
DONE = b"\x05\0\0\x01\x7f\0\0\x01\x04\x38"
DONE_BY_IPV6 = b"\x05\0\0\x04" + bytes(15) + b"\x01\x04\x38"
DONE_BY_NAME = b"\x05\0\0\x03\x04host\x04\x38"

REFUSED = (
    (None, [b"\x05\xff"], "wants user and password"),
    (LOGIN, [b"\x05\xff"], "wants to know in another way who asks"),
    (None, [b"\x05\x02"], "a way to show who asks that was not offered"),
    (LOGIN, [b"\x05\x01"], "a way to show who asks that was not offered"),
    (LOGIN, [b"\x05\x02", b"\x01\x01"], "does not accept user and password"),
    (LOGIN, [b"\x05\x02", b"\x05\0"], "its answer to user and password is broken"),
    (None, [b"\x05\0", b"\x04\0\0\x01"], "its reply is broken"),
    (None, [b"\x05\0", b"\x05\0\0\x02xx"], "its reply is broken"),
    (None, [b"\x05\0", b"\x05\x63\0\x01"], "it replies 99"),
    (None, [b"HTTP/1.1 400 Bad Request\r\n\r\n"], "seems to be an HTTP proxy"),
    (None, [b"\x15\x03\x01"], "it wants TLS"),
    (None, [b"\0\x5b"], "it speaks SOCKS4"),
    (None, [b"SSH-2.0"], "is no SOCKS5 proxy"),
)
"""Who we are, what is answered step by step, and what is said of that."""


class SocksConnectTests(SynchronousTestCase):
    """
    Ask a proxy that answers step by step, all at once or byte by byte.
    """

    def said(self, login: ProxyLogin | None, answers: Sequence[bytes], size: int = 999, host: str = "good.test") -> str:
        """
        @return: what was said before each answer and behind the last, in hexadecimal.
        """
        preamble = SocksConnect(host, 443, login)
        said = [preamble.dataToSend()]
        for answer in answers[:-1]:
            for at in range(0, len(answer), size):
                self.assertIsNone(preamble.received(answer[at : at + size]))
            said.append(preamble.dataToSend())
        last = answers[-1]
        while len(last) > size:
            self.assertIsNone(preamble.received(last[:size]))
            last = last[size:]
        self.assertEqual(preamble.received(last + b"\x05 of the stream"), len(last))
        self.assertEqual(preamble.dataToSend(), b"")
        return " ".join(each.hex() for each in said)

    def test_withoutAPassword(self) -> None:
        for done in (DONE, DONE_BY_IPV6, DONE_BY_NAME):
            for size in (1, 3, 999):
                self.assertEqual(self.said(None, [b"\x05\0", done], size), f"050100 {TO_NAME.hex()}")

    def test_withAPassword(self) -> None:
        login = b"\x01\x05alice\x06secret".hex()
        for size in (1, 999):
            said = self.said(LOGIN, [b"\x05\x02", b"\x01\0", DONE], size)
            self.assertEqual(said, f"05020002 {login} {TO_NAME.hex()}")

    def test_proxyNeedNotWantThePassword(self) -> None:
        self.assertEqual(self.said(LOGIN, [b"\x05\0", DONE]), f"05020002 {TO_NAME.hex()}")

    def test_addressesAreTheirBytes(self) -> None:
        for host, written in (("192.0.2.1", b"\x01\xc0\0\x02\x01"), ("::1", b"\x04" + bytes(15) + b"\x01")):
            said = self.said(None, [b"\x05\0", DONE], host=host)
            self.assertEqual(said, f"050100 050100{written.hex()}01bb")

    def test_allAnswersInOneSegmentAreTakenApart(self) -> None:
        """
        Whoever answers before he is asked is heard too.
        """
        preamble = SocksConnect("good.test", 443, LOGIN)
        answers = b"\x05\x02\x01\0" + DONE
        self.assertEqual(preamble.received(answers + b"x"), len(answers))

    def test_refusalsAreSaidInWords(self) -> None:
        for login, answers, words in REFUSED:
            for size in (1, 999):
                error = self.assertRaises(ProxyRefused, self.said, login, answers, size)
                self.assertIn(words, str(error))

    def test_eachReplyHasItsWordsAndItsFault(self) -> None:
        for number, (fault, words) in REPLIES.items():
            error = self.assertRaises(ProxyRefused, self.said, None, [b"\x05\0", bytes([5, number])])
            self.assertIn(words, str(error))
            self.assertIs(error.fault, fault)

    def test_longestAnswersFitTheLimit(self) -> None:
        answers = b"\x05\x02\x01\0\x05\0\0\x03\xff" + bytes(255) + b"\x04\x38"
        self.assertEqual((len(answers), SocksConnect.limit), (LONGEST_ANSWERS, LONGEST_ANSWERS))
        self.assertEqual(SocksConnect("good.test", 443, LOGIN).received(answers), len(answers))
