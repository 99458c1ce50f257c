"""
TLS within the TLS of a proxy, with real TLS inside, and an outer connection that a test controls.
"""

from __future__ import annotations

from collections import deque

from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.tlspairs import GOOD
from uotp.transport.proxies.nested import MOST_PULLS, NestedTls


class Outer:
    """
    Is the connection to the proxy: each record that comes, and so much as the kernel takes.

    @ivar coming: records, or what is raised in place of one.
    @ivar taken: what was sent.
    @ivar room: how many bytes are taken.
    """

    def __init__(self) -> None:
        self.coming: deque[bytes | Exception] = deque()
        self.taken = b""
        self.room = 1 << 30
        self.isShut = False

    def recv(self, size: int) -> bytes:
        """
        @raise SSL.Error: when nothing has come.
        """
        if not self.coming:
            raise SSL.WantReadError
        record = self.coming.popleft()
        if isinstance(record, Exception):
            raise record
        assert len(record) <= size
        return record

    def send(self, data: bytes) -> int:
        """
        @raise SSL.Error: when there is no room.
        """
        sent = data[: self.room]
        if not sent:
            raise SSL.WantWriteError
        self.room -= len(sent)
        self.taken += sent
        return len(sent)

    def shutdown(self) -> bool:
        self.isShut = True
        return False


class NestedTlsTests(SynchronousTestCase):
    """
    Let a client speak TLS with a server through such a connection.
    """

    def setUp(self) -> None:
        """
        Make both ends.
        """
        server = SSL.Context(SSL.TLS_METHOD)
        server.use_certificate(X509.from_cryptography(GOOD.certificate))
        server.use_privatekey(PKey.from_cryptography_key(GOOD.key))
        self.server = SSL.Connection(server)
        self.server.set_accept_state()
        self.outer = Outer()
        self.nested = NestedTls(SSL.Connection(SSL.Context(SSL.TLS_METHOD)), self.outer)
        self.nested.set_connect_state()

    def deliver(self) -> bytes:
        """
        Let the server have what was sent.

        @return: what it has read.
        """
        taken, self.outer.taken = self.outer.taken, b""
        heard = b""
        if taken:
            self.server.bio_write(taken)
        try:
            if self.server.get_state_string() != b"SSL negotiation finished successfully":
                self.server.do_handshake()
            while True:
                heard += self.server.recv(16384)
        except (SSL.WantReadError, SSL.ZeroReturnError):
            return heard

    def answers(self) -> bytes:
        """
        @return: what the server has to send.
        """
        try:
            return self.server.bio_read(1 << 20)
        except SSL.WantReadError:
            return b""

    def shakeHands(self, size: int = 16384) -> None:
        """
        Do the handshake, in records of a size.
        """
        for _ in range(200):
            try:
                self.nested.do_handshake()
            except SSL.WantReadError:
                self.deliver()
                self.comes(self.answers(), size)
            else:
                self.deliver()
                self.comes(self.answers(), size)  # tickets
                return
        self.fail("no handshake")

    def comes(self, data: bytes, size: int = 16384) -> None:
        self.outer.coming.extend(data[at : at + size] for at in range(0, len(data), size))

    def says(self, *parts: bytes) -> bytes:
        """
        @return: the server's words, a record each.
        """
        for part in parts:
            self.server.send(part)
        return self.answers()

    def test_bothEndsHearEachOther(self) -> None:
        for size in (300, 16384):
            self.setUp()
            self.shakeHands(size)
            self.assertEqual(self.nested.send(b"ping"), 4)
            self.assertEqual(self.deliver(), b"ping")
            self.comes(self.says(b"pong"))
            self.assertEqual(self.nested.recv(16384), b"pong")
            self.assertRaises(SSL.WantReadError, self.nested.recv, 16384)

    def test_nothingThatHasComeStaysInMemory(self) -> None:
        """
        The reactor would not tell of it.
        """
        self.shakeHands()
        self.comes(self.says(b"a", b"b", b"c"))
        self.assertEqual(self.nested.recv(16384), b"abc")

    def test_recordInPartsIsReadWhenAllHasCome(self) -> None:
        """
        Whoever sends it in many small ones has more than one turn.
        """
        self.shakeHands()
        self.assertRaises(SSL.WantReadError, self.nested.recv, 16384)
        self.comes(self.says(b"x" * 100), 10)
        parts = len(self.outer.coming)
        turns = 1
        while True:
            try:
                data = self.nested.recv(16384)
            except SSL.WantReadError:
                turns += 1
            else:
                break
        self.assertEqual((data, turns), (b"x" * 100, -(-parts // MOST_PULLS)))

    def test_whatTheKernelDoesNotTakeIsSentWhenItDoes(self) -> None:
        """
        The caller gives the same again, and maybe more behind it.
        """
        self.shakeHands()
        for room in (0, 5):
            self.outer.room = room
            self.assertRaises(SSL.WantWriteError, self.nested.send, b"first")
            self.assertRaises(SSL.WantWriteError, self.nested.send, b"first")
            self.outer.room = 1 << 30
            self.assertEqual(self.nested.send(b"first and second"), 5)
            self.assertEqual(self.nested.send(b" and second"), 11)
            self.assertEqual(self.deliver(), b"first and second")

    def test_readMaySendWhatWaits(self) -> None:
        self.shakeHands()
        self.assertRaises(SSL.WantReadError, self.nested.recv, 16384)
        self.outer.room = 3
        self.assertRaises(SSL.WantWriteError, self.nested.send, b"data")
        self.assertRaises(SSL.WantWriteError, self.nested.recv, 16384)
        self.outer.room = 1 << 30
        self.assertRaises(SSL.WantReadError, self.nested.recv, 16384)
        self.assertEqual((self.nested.send(b"data"), self.deliver()), (4, b"data"))

    def test_endBehindDataIsTold(self) -> None:
        """
        And met by the next read.
        """
        self.shakeHands()
        said = self.says(b"last")
        self.server.shutdown()
        self.comes(said + self.answers())
        self.assertEqual((self.nested.recv(16384), self.nested.hasEnd), (b"last", True))
        self.assertRaises(SSL.ZeroReturnError, self.nested.recv, 16384)

    def test_endOfTheProxyIsNoGoodbyeOfTheServer(self) -> None:
        self.shakeHands()
        self.outer.coming.clear()
        self.outer.coming.append(SSL.ZeroReturnError())
        self.assertRaises(SSL.SysCallError, self.nested.recv, 16384)

    def test_goodbyeIsSaidToBoth(self) -> None:
        self.shakeHands()
        self.nested.shutdown()
        self.deliver()
        self.assertEqual((bool(self.server.get_shutdown() & SSL.RECEIVED_SHUTDOWN), self.outer.isShut), (True, True))

    def test_handshakeIsBounded(self) -> None:
        """
        However small its parts are.
        """
        begin = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"
        self.comes(begin + bytes(16000), 1)
        error = None
        while error is None:
            try:
                self.nested.do_handshake()
            except SSL.WantReadError:
                self.fail("all of it was read")
            except SSL.Error as found:
                error = found
        self.assertGreater(len(self.outer.coming), 15000)
