"""
The short way for records does what pyOpenSSL's own does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL

from tests.doubles.tlspairs import TlsTestCase, shake
from uotp.tls.records import ROOM_BYTES, RecordConnection

PLAIN = SSL.Connection


class RecordTests(TlsTestCase):
    """
    Two connections in memory, and the same calls of pyOpenSSL beside ours.
    """

    def pair(self) -> tuple[RecordConnection, RecordConnection]:
        """
        @return: a server's and a client's connection after their handshake.
        """
        server, client = self.server().connection(), self.client()(None)
        assert isinstance(client, RecordConnection)
        server.set_accept_state()
        client.set_connect_state()
        shake(server, client)
        return server, client

    def carry(self, here: SSL.Connection, there: SSL.Connection) -> None:
        there.bio_write(here.bio_read(1 << 20))

    def outcome(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """
        @return: what a call returns, or the kind and the words of its error.
        """
        try:
            return call(*arguments)
        except SSL.Error as error:
            return type(error), error.args

    def happen(self, event: str, ours: RecordConnection, peer: RecordConnection) -> None:
        """
        @param event: what is to happen to a connection.
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

    def test_bytesArriveAsTheyWereSent(self) -> None:
        """
        Bytes and views of them, of one record and of more, read in pieces of any length.
        """
        server, client = self.pair()
        for size in (1, 2, 255, ROOM_BYTES - 1, ROOM_BYTES, ROOM_BYTES + 1, 3 * ROOM_BYTES):
            data = bytes(at % 251 for at in range(size))
            for form in (data, memoryview(data), bytearray(data)):
                for piece in (ROOM_BYTES, 1 << 16, 7000):
                    sent = 0
                    while sent < size:
                        sent += client.send(form[sent:])
                    self.carry(client, server)
                    heard = b""
                    while len(heard) < size:
                        part = server.recv(piece)
                        self.assertTrue(0 < len(part) <= min(piece, ROOM_BYTES))
                        heard += part
                    self.assertEqual(heard, data)

    def test_whatWasReadStaysAsItIs(self) -> None:
        """
        The room is one for all connections; what one has brought is not touched by the next.
        """
        server, client = self.pair()
        otherServer, otherClient = self.pair()
        client.send(b"first")
        otherClient.send(b"OTHER")
        self.carry(client, server)
        self.carry(otherClient, otherServer)
        first, other = server.recv(ROOM_BYTES), otherServer.recv(ROOM_BYTES)
        self.assertEqual((first, other), (b"first", b"OTHER"))

    def test_peekingTakesNothing(self) -> None:
        """
        Flags go the way that pyOpenSSL has for them.
        """
        server, client = self.pair()
        client.send(b"stays")
        self.carry(client, server)
        self.assertEqual(server.recv(5, 2), b"stays")
        self.assertEqual(server.recv(5), b"stays")

    def test_errorsAreThoseOfPyOpenSsl(self) -> None:
        """
        Nothing has come; nonsense has come; the peer has said goodbye; we have.
        """
        for event in ("nothing", "nonsense", "goodbye", "end", "our goodbye"):
            outcomes = []
            for recv, send in ((PLAIN.recv, PLAIN.send), (RecordConnection.recv, RecordConnection.send)):
                ours, peer = self.pair()
                self.happen(event, ours, peer)
                outcomes.append(
                    [
                        self.outcome(recv, ours, 100),
                        self.outcome(recv, ours, 100),
                        self.outcome(send, ours, b"x"),
                    ]
                )
            self.assertEqual(outcomes[0], outcomes[1], event)
            self.assertIsInstance(outcomes[1][0], tuple, event)
