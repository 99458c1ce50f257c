"""
The short way for records does what pyOpenSSL's own does.
"""

from __future__ import annotations

import contextlib
import socket
import uuid
from array import array
from typing import Any

from OpenSSL import SSL

from tests.doubles.certificates import CLIENT, SERVER, Authority, Issued
from tests.doubles.tlspairs import TRUSTED, TlsTestCase, shake
from uotp.tls import records
from uotp.tls.records import LEAST_COUNTED, MAX_HANDSHAKE_BYTES, ROOM_BYTES, RecordConnection
from uotp.tls.verification import VerifyingConnection

Pair = tuple[RecordConnection, RecordConnection]

TOO_MUCH = "the peer sends too much in its handshake (too many certificates, or too large ones)"


class MemorySocket:
    """
    Takes the place of a socket that does not block, as long as a handshake needs one.

    @ivar came: what has come, and was not read.
    @ivar peer: where it is sent to.
    @ivar most: bytes that it takes and gives at one go.
    @ivar isFull: whether it takes nothing.
    @ivar isEnded: whether nothing more comes.
    """

    def __init__(self) -> None:
        self.came = b""
        self.peer = self
        self.most = 1 << 20
        self.isFull = self.isEnded = False

    def fileno(self) -> int:
        """
        @return: a number that nobody uses.
        """
        return 99

    def send(self, data: bytes) -> int:
        """
        @return: how many bytes were taken.
        """
        if self.isFull:
            raise BlockingIOError
        self.peer.came += data[: self.most]
        return min(len(data), self.most)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """
        @return: what has come.
        """
        if flags:
            return self.came[:size]
        taken, self.came = self.came[: min(size, self.most)], self.came[min(size, self.most) :]
        if not taken and not self.isEnded:
            raise BlockingIOError
        return taken


class RecordTests(TlsTestCase):
    """
    Connects two ends, and makes the same calls of pyOpenSSL beside ours.
    """

    def pairs(self) -> list[Pair]:
        """
        @return: a server and its client after their handshake in memory, with each version.
        """
        found: list[Pair] = []
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.limit(SSL.TLS_SERVER_METHOD, version=version)
            server, client = self.server().connection(), self.client()(None)
            assert isinstance(client, RecordConnection)
            server.set_accept_state()
            client.set_connect_state()
            shake(server, client)
            found.append((server, client))
        return found

    def carry(self, here: SSL.Connection, there: SSL.Connection) -> None:
        there.bio_write(here.bio_read(1 << 20))

    def test_bytesArriveAsTheyWereSent(self) -> None:
        """
        They come as bytes or in something else, and are read in pieces of any length.
        """
        for server, client in self.pairs():
            for size in (1, 255, ROOM_BYTES - 1, ROOM_BYTES, ROOM_BYTES + 1, 3 * ROOM_BYTES):
                data = bytes(at % 251 for at in range(size))
                for form in (data, memoryview(data), bytearray(data)):
                    sent = 0
                    while sent < size:
                        sent += client.send(form[sent:])
                self.carry(client, server)
                for piece in (ROOM_BYTES, 1 << 16, 7000):
                    heard = b""
                    while len(heard) < size:
                        heard += server.recv(min(piece, size - len(heard)))
                    self.assertEqual(heard, data)
            self.assertEqual(client.send(array("I", range(10))), 40)  # so many bytes are in ten numbers

    def test_nothingOfPyOpenSslIsInTheWay(self) -> None:
        """
        OpenSSL is asked at once, and for no more than there is room for; peeking alone goes
        the long way.
        """
        asked = []

        def readRecord(connection: Any, room: Any, size: int) -> int:
            asked.append(size)
            return int(records.library.SSL_read(connection, room, size))

        self.patch(records, "readRecord", readRecord)
        for server, client in self.pairs():
            client.send(b"stays")
            self.carry(client, server)
            self.assertEqual(server.recv(5, 2), b"stays")
            asked.clear()
            with self.patch(SSL.Connection, "recv", None), self.patch(SSL.Connection, "send", None):
                client.send(b"goes")
                self.carry(client, server)
                self.assertEqual(
                    [server.recv(1), server.recv(1 << 20), server.recv(ROOM_BYTES)], [b"s", b"tays", b"goes"]
                )
            self.assertEqual(asked, [1, ROOM_BYTES, ROOM_BYTES])

    def test_aFullSocketTakesTheRestFromElsewhere(self) -> None:
        """
        What was not sent may lie at another place when it is tried again.
        """
        here, there = socket.socketpair()
        client, server = self.client()(here), self.server().connection(there)
        client.set_connect_state()
        server.set_accept_state()
        for end in (here, there):
            end.setblocking(False)
            self.addCleanup(end.close)
        for connection in (client, server, client, server):
            with contextlib.suppress(SSL.WantReadError):
                connection.do_handshake()
        sent = heard = 0
        with contextlib.suppress(SSL.WantWriteError):
            while True:
                sent += client.send(bytes(ROOM_BYTES))
        while heard < sent:
            heard += len(server.recv(ROOM_BYTES))
        self.assertEqual(client.send(bytearray(ROOM_BYTES)), ROOM_BYTES)

    def test_errorsAreThoseOfPyOpenSsl(self) -> None:
        """
        They are of the same kind with the same words, the first time and the second.
        """
        for event in ("nothing", "nonsense", "goodbye", "end", "our goodbye"):
            outcomes = [
                [self.outcomes(kind, event, *pair) for pair in self.pairs()]
                for kind in (SSL.Connection, RecordConnection)
            ]
            self.assertEqual(outcomes[0], outcomes[1], event)
            self.assertTrue(all(issubclass(outcome[0][0], SSL.Error) for outcome in outcomes[1]), event)

    def outcomes(self, kind: type[SSL.Connection], event: str, ours: RecordConnection, peer: RecordConnection) -> Any:
        """
        @param kind: whose C{recv} and C{send} are called.
        @param event: what happens to our connection before.
        @return: what they return, or the kind and the words of their errors.
        """
        match event:
            case "nonsense":
                ours.bio_write(b"GET / HTTP/1.0\r\n\r\n")
            case "goodbye":
                peer.shutdown()
                self.carry(peer, ours)
            case "end":
                ours.bio_shutdown()
            case "our goodbye":
                ours.shutdown()
        found: list[Any] = []
        calls: list[tuple[Any, Any]] = [(kind.recv, 100), (kind.recv, 100), (kind.send, b"x")]
        for call, argument in calls:
            try:
                found.append(call(ours, argument))
            except SSL.Error as error:
                found.append((type(error), error.args))
        return found


class HandshakesOnSocketsTests(TlsTestCase):
    """
    Lets both ends shake hands on sockets in memory.
    """

    def ends(self, server: Issued | None = None, client: Issued | None = None) -> None:
        """
        Make both.

        @param server: what it shows, if not the usual.
        @param client: what it shows, where the server asks for it.
        """
        self.sockets = (MemorySocket(), MemorySocket())
        self.sockets[0].peer, self.sockets[1].peer = self.sockets[::-1]
        credentials = {} if server is None else {"issued": server}
        clientsFrom = None if client is None else TRUSTED
        self.served = self.server(**credentials, clientsFrom=clientsFrom).connection(self.sockets[0])
        dialled = self.client(shows=client)(self.sockets[1])
        assert isinstance(dialled, VerifyingConnection)
        self.dialled = dialled
        self.served.set_accept_state()
        self.dialled.set_connect_state()

    def shake(self, most: int) -> dict[RecordConnection, SSL.Error | None]:
        """
        Let them go on, each so often at the most.

        @return: those that are through, and what others have met.
        """
        ended: dict[RecordConnection, SSL.Error | None] = {}
        for _ in range(most):
            for end in (self.dialled, self.served):
                if end not in ended:
                    try:
                        end.do_handshake()
                    except (SSL.WantReadError, SSL.WantWriteError):
                        continue
                    except SSL.Error as error:
                        ended[end] = error
                    else:
                        ended[end] = None
        return ended

    def test_handshakeGoesOnWithEachByte(self) -> None:
        """
        In both versions.
        """
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.limit(SSL.TLS_SERVER_METHOD, version=version)
            self.ends(client=TRUSTED.issue(usages=CLIENT))
            for one in self.sockets:
                one.most = 1
            self.assertEqual(self.shake(4), {self.dialled: None, self.served: None})

    def test_handshakeWaitsForRoom(self) -> None:
        self.ends()
        server, client = self.sockets
        server.isFull = client.isFull = True
        self.assertRaises(SSL.WantWriteError, self.dialled.do_handshake)
        self.assertRaises(SSL.WantWriteError, self.dialled.do_handshake)
        client.isFull = False
        self.assertRaises(SSL.WantReadError, self.dialled.do_handshake)
        self.assertRaises(SSL.WantWriteError, self.served.do_handshake)
        server.isFull, client.isFull = False, True
        self.assertRaises(SSL.WantReadError, self.served.do_handshake)
        self.assertRaises(SSL.WantWriteError, self.dialled.do_handshake)
        client.isFull = False
        self.assertEqual(self.shake(2), {self.dialled: None, self.served: None})

    def test_whatFollowsTheHandshakeIsLeftToOpenssl(self) -> None:
        """
        Which reads it on the socket itself.
        """
        self.ends()
        following = b"\x17\x03\x03\x00\x05hello"
        self.shake(1)
        with contextlib.suppress(SSL.WantReadError):
            self.dialled.do_handshake()
        self.sockets[0].came += following
        self.served.do_handshake()
        self.assertEqual(self.sockets[0].came, following)

    def assertTooMuch(self, refusing: VerifyingConnection, refused: RecordConnection) -> None:
        """
        One end has read no more than the bound, and says so.
        """
        error = self.shake(4)[refusing]
        self.assertEqual(refusing.refusalWords(error), TOO_MUCH)
        self.assertGreater(len(self.sockets[refusing is self.dialled].came), 0)

    def test_tooLargeAChainIsRefusedBeforeItIsParsed(self) -> None:
        """
        Of many certificates, or of one large one, whoever has signed it.
        """
        deep = TRUSTED
        for number in range(280):
            deep = Authority(str(number), issuer=deep)
        large = (f"{number:060}.example" for number in range(900))
        for issuer, names in ((deep, ()), (TRUSTED, tuple(large))):
            shown = issuer.issue("good.test", *names, usages=(*CLIENT, *SERVER))
            for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
                self.limit(SSL.TLS_SERVER_METHOD, version=version)
                self.ends(server=shown)
                self.assertTooMuch(self.dialled, self.served)
                self.ends(client=shown)
                self.assertTooMuch(self.served, self.dialled)

    def test_largeChainIsAccepted(self) -> None:
        """
        Up to 32 KiB.
        """
        names = (f"{number:060}.example" for number in range(440))
        shown = TRUSTED.issue("good.test", *names, usages=(*CLIENT, *SERVER))
        self.assertGreater(len(shown.certificate.tbs_certificate_bytes), 30 * 1024)
        self.ends(server=shown, client=shown)
        self.assertEqual(self.shake(4), {self.dialled: None, self.served: None})

    def test_manySmallRecordsAreTooMuchToo(self) -> None:
        """
        Each takes its time.
        """
        self.ends()
        with contextlib.suppress(SSL.WantReadError):
            self.dialled.do_handshake()
        hello = self.sockets[0].came[5:]
        records = MAX_HANDSHAKE_BYTES // LEAST_COUNTED
        self.assertGreater(len(hello), records)
        self.sockets[0].came = b"".join(b"\x16\x03\x01\x00\x01" + hello[at : at + 1] for at in range(len(hello)))
        error = self.assertRaises(SSL.Error, self.served.do_handshake)
        self.assertEqual(self.served.refusalWords(error), TOO_MUCH)
        self.assertEqual(len(self.sockets[0].came), 6 * (len(hello) - records) - 5)

    def test_whatIsNotTlsIsRefusedAtOnce(self) -> None:
        """
        More than its beginning need not come.
        """
        proxy = (
            "which is not understood from there: name it in proxyProtocol, or turn that off in the balancer "
            "(send-proxy)"
        )
        for began, words in (
            (b"GET /", "it speaks HTTP"),
            (b"PROXY TCP4 ", f"it announces its client by the PROXY protocol, {proxy}"),
            (b"\r\n\r\n\0\r\nQUIT\n", f"it announces its client by the PROXY protocol (v2), {proxy}"),
            (b"SSH-2", "it speaks SSH"),
            (b"uotp\2\0\0\0" + bytes(16), "it speaks uotp without TLS: tls=None was said there, and not here"),
            (uuid.uuid4().bytes, "it may be a uotp of format 1 that was told tls=None"),
            (bytes.fromhex("3f03a631ad0b40938882e126c94871f1"), "it may be a uotp of format 1 that was told tls=None"),
            (b"\x3f\x03\x01\x31\x00", "was tls=None said there?"),  # OpenSSL waits for more of this
            (bytes(5), "was tls=None said there?"),
            (b"\xff" * 5, "was tls=None said there?"),
        ):
            self.ends()
            self.sockets[0].came = began
            error = self.shake(1)[self.served]
            self.assertEqual(self.served.refusalWords(error), f"the peer does not speak TLS: {words}", began)
            self.assertTrue(
                self.sockets[1].came.endswith(b"\x15\x03\x03\0\x02\x02\x46"), "the peer can know by an alert"
            )

    def test_whatAServerSaysInPlaceOfTlsIsTold(self) -> None:
        """
        A portal, a web server, or a service of another kind answers to a client.
        """
        for answer, words in (
            (
                b"HTTP/1.1 400 Bad Request\r\n",
                "it answers in HTTP: an HTTP server is there, not uotp, or a portal or proxy on the way",
            ),
            (b"SSH-2.0-OpenSSH_9\r\n", "it speaks SSH"),
            (b"220 mail.test ESMTP\r\n", "it speaks SMTP or FTP"),
            (b"+OK ready\r\n", "it speaks POP3"),
        ):
            self.ends()
            self.sockets[1].came = answer
            error = self.assertRaises(SSL.Error, self.dialled.do_handshake)
            self.assertEqual(self.dialled.refusalWords(error), f"the peer does not speak TLS: {words}", answer)

    def test_endOfTheConnectionIsAnEnd(self) -> None:
        """
        Whether it is closed or broken.
        """
        self.ends()
        self.sockets[0].isEnded = True
        error = self.shake(1)[self.served]
        self.assertEqual((type(error), error and error.args), (SSL.SysCallError, (-1, "Unexpected EOF")))
        for name in ("recv", "send"):
            self.ends()

            def fail(_: object) -> None:
                raise ConnectionResetError(104, "reset")

            self.patch(self.sockets[1], name, fail)
            error = self.shake(1)[self.dialled]
            self.assertEqual((type(error), error and error.args), (SSL.SysCallError, (104, "reset")))
