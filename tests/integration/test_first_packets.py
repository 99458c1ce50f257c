"""
What a network sees of a tunnel that begins: the first packet of a real client, and with C{--pad} the lengths of what
both ends send first.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from random import Random

from bench.rig.ports import LOOPBACK, Address
from bench.rig.programs import HANG_SECONDS, until
from tests.doubles.clienthello import KEY_SHARE, PROTOCOLS, SERVER_NAME, Reader, seenHello
from tests.integration.harness import ourCommand
from tests.integration.relay import Relay
from tests.integration.rig import Pair, RigTestCase, clientWords, serverWords
from tests.integration.udpends import Flow
from uotp.wire.hello import PADDED_HELLO_BYTES
from uotp.wire.padding import PADDED_SIZES, PADDED_WRITES

APPLICATION_DATA = 23
RECORD_OVERHEAD = 17
"""Bytes of a record of TLS 1.3 that are no payload: its kind, and what proves it."""

SERVERS_HEADER = 4
CLIENTS_HEADER = SERVERS_HEADER + 4
"""Bytes before the payload of a message that is not short; a client's has a mask."""

NAME = "vpn.example.com"
"""What the client asks for, of a server that it dials by its address."""


def payloads(stream: bytes, hello: int = PADDED_HELLO_BYTES) -> list[int]:
    """
    @param stream: of one way of a connection with TLS 1.3; the last record may be cut off.
    @param hello: how long the record is in which it stands.
    @return: how much each encrypted record carries from the hello on, which is padded, in order.
    """
    sizes: list[int] = []
    records = Reader(stream)
    while len(records.left) >= 5 and len(records.left) >= 5 + int.from_bytes(records.left[3:5], "big"):
        kind = records.number(1)
        records.take(2)
        size = len(records.piece(2)) - RECORD_OVERHEAD
        if kind == APPLICATION_DATA and (sizes or size == hello):
            sizes.append(size)
    return sizes


class FirstPacketTests(RigTestCase):
    """
    Record what is sent first.
    """

    def recorder(self) -> tuple[Address, list[bytes]]:
        """
        @return: where something listens that answers nothing, and the first packets that it gets.
        """
        port = socket.create_server((LOOPBACK, 0))
        self.addCleanup(port.close)
        heard: list[bytes] = []

        def listen() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = port.accept()
                    connection.settimeout(HANG_SECONDS)
                    with connection:
                        data = b""
                        while len(data) < 5 or len(data) < 5 + int.from_bytes(data[3:5], "big"):
                            data += connection.recv(1 << 16) or b"\0" * (1 << 17)
                        heard.append(data)

        threading.Thread(target=listen, daemon=True).start()
        return port.getsockname(), heard

    def test_nothingOfOursIsInTheFirstPacket(self) -> None:
        """
        Nothing but the server's name is a name, and C{http/1.1} that of a protocol.
        """
        pki = self.newPki()
        for words, protocols in (
            ([], b"\0\x09\x08http/1.1"),
            (["--wire", "1"], None),
            (["--wire", "2"], b"\0\x09\x08http/1.1"),
        ):
            address, heard = self.recorder()
            client = self.startClient(address, *clientWords(pki), "--tls-servername", NAME, *words)
            self.udpEnd().send(b"hello", self.listening(client))
            until(lambda heard=heard: heard, "the client says something")  # type: ignore[misc]
            hello = seenHello(heard[0])
            self.assertNotIn(b"uotp", heard[0].lower())
            listed = b"\0" + len(NAME).to_bytes(2, "big") + NAME.encode("ascii")
            self.assertEqual(hello.extension(SERVER_NAME), len(listed).to_bytes(2, "big") + listed)
            self.assertEqual(dict(hello.extensions).get(PROTOCOLS), protocols)
            for kind, value in hello.extensions:
                if kind not in (SERVER_NAME, PROTOCOLS, KEY_SHARE):
                    self.assertNotRegex(value, rb"[a-z]{5}", f"words in extension {kind}")
            self.assertStops(client)

    def test_firstWritesHaveAFewLengths(self) -> None:
        """
        Both ways, whatever is carried, also where a worker hands what it writes to another.
        """
        random = Random(11)  # noqa: S311 - no secret
        for workers in ("1", "2"):
            pki, target = self.newPki(), self.udpEnd()
            server = self.startServer(target.address, *serverWords(pki), "--pad", "--workers", workers)
            relay = self.relay(self.listening(server))
            client = self.startClient(relay.address, *clientWords(pki), "--pad", "-n", "2", "--min-pool", "2")
            pair = Pair(server, client, relay.address, self.listening(client))
            flow = self.flow(pair, target)
            flow.both(b"hello")
            for _ in range(4 * PADDED_WRITES):
                flow.both(random.randbytes(random.randrange(1, 1400)))

            def hasBegunOnAll(relay: Relay = relay, flow: Flow = flow) -> bool:
                flow.both(random.randbytes(random.randrange(1, 1400)))
                ways = [payloads(way) for each in relay.connections for way in (each.sent, each.answered)]
                others = (size % PADDED_SIZES[0] for each in relay.connections for size in payloads(each.sent))
                return all(len(way) > 1 for way in ways) and any(others)

            until(hasBegunOnAll, "each tunnel is open, and what follows its first writes has other lengths")
            for connection in relay.connections:
                for way in (connection.sent, connection.answered):
                    first = payloads(way)[: 1 + PADDED_WRITES]
                    self.assertEqual([size for size in first if size % PADDED_SIZES[0]], [])

    def test_firstMessagesOfAWebSocketHaveAFewLengths(self) -> None:
        """
        Both ways, with a token, and where a worker hands to another what is in it; and what follows has others.
        """
        random = Random(13)  # noqa: S311 - no secret
        tokens = Path(self.mktemp()).resolve()
        tokens.touch(mode=0o600)
        tokens.write_text("a token of 24 letters, so\n", "ascii")
        pki, target = self.newPki(), self.udpEnd()
        options = ["--token-file", str(tokens), "--pad"]
        words = [*serverWords(pki), "--http-path", "/path", "--workers", "2", *options]
        server = self.startServer(target.address, *words)
        relay = self.relay(self.listening(server))
        url = f"wss://{relay.address[0]}:{relay.address[1]}/path"
        usual = ["-a", LOOPBACK, "-p", "0", *clientWords(pki), "-n", "2", "--min-pool", "2"]
        client = self.start("our client", ourCommand("client", *usual, *options, url))
        flow = self.flow(Pair(server, client, relay.address, self.listening(client)), target)
        flow.both(b"hello")
        for _ in range(4 * PADDED_WRITES):
            flow.both(random.randbytes(random.randrange(1, 1400)))

        def ways() -> list[list[int]]:
            return [
                [(size - header) % PADDED_SIZES[0] for size in payloads(way, PADDED_HELLO_BYTES + header)]
                for connection in relay.connections
                for way, header in ((connection.sent, CLIENTS_HEADER), (connection.answered, SERVERS_HEADER))
            ]

        def hasBegunOnAll() -> bool:
            flow.both(random.randbytes(random.randrange(1, 1400)))
            return all(len(way) > 1 for way in ways()) and any(map(any, ways()))

        until(hasBegunOnAll, "each tunnel is open, and what follows its first messages has other lengths")
        for way in ways():
            self.assertEqual(set(way[: 1 + PADDED_WRITES]), {0})
