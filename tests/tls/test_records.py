"""
The short way for records does what pyOpenSSL's own does.
"""

from __future__ import annotations

import contextlib
import socket
from array import array
from typing import Any

from OpenSSL import SSL

from tests.doubles.tlspairs import TlsTestCase, shake
from uotp.tls import records
from uotp.tls.records import ROOM_BYTES, RecordConnection

Pair = tuple[RecordConnection, RecordConnection]


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
