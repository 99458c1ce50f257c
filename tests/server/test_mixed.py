"""
What a server with two workers can do, all at once: WebSocket at a secret path, padding, tokens, and connections that a
balancer announces.  Everything but the sockets is real.
"""

from __future__ import annotations

import struct
from ipaddress import ip_network
from typing import Any

from twisted.logger import LogLevel

from tests.doubles.serverworkers import Client, TlsClient, WorkersTestCase, newId
from tests.server.door.test_request import PATH, REQUEST
from uotp.server.workers.contact import workerFor
from uotp.tls.credentials import ClientTls, ServerTls
from uotp.transport.websocket.frames import Opcode, frameHeader
from uotp.wire.format2 import HEADER_BYTES, Kind, controlFrame
from uotp.wire.hello import PADDED_HELLO_BYTES, ClientHello, Token, WireFormat, encodeClientHello
from uotp.wire.padding import PADDED_SIZES, PADDED_WRITES

BALANCER = "198.51.100.7"
ONES, TWOS = "203.0.113.4", "203.0.113.1"
"""Clients of worker 1 and of worker 2, where the balancer announces them."""

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

TOKEN = Token(b"a token that is long enough")

FOUR = bytes([203, 0, 113, 1, 192, 0, 2, 100]) + struct.pack("!HH", 40000, 8443)
SIX = bytes.fromhex("20010db8000000000000000000000005" * 2) + struct.pack("!HH", 40000, 8443)

TLVS = b"\x01\0\x02h2" + b"\x04\0\x07" + bytes(7)


def binary(command: int, family: int, addresses: bytes, behind: bytes = b"") -> bytes:
    """
    @return: a header of version 2.
    """
    following = addresses + behind
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", command, family, len(following)) + following


HEADERS: dict[str, tuple[bytes, str]] = {
    "version 1": (f"PROXY TCP4 {TWOS} 192.0.2.100 40000 8443\r\n".encode(), TWOS),
    "version 1, IPv6": (b"PROXY TCP6 2001:db8::5 2001:db8::9 40000 8443\r\n", "2001:db8::5"),
    "version 1, unknown": (b"PROXY UNKNOWN\r\n", BALANCER),
    "version 2": (binary(0x21, 0x11, FOUR), TWOS),
    "version 2, IPv6": (binary(0x21, 0x21, SIX), "2001:db8::5"),
    "version 2 and more": (binary(0x21, 0x11, FOUR, TLVS), TWOS),
    "version 2, IPv6 and more": (binary(0x21, 0x21, SIX, TLVS), "2001:db8::5"),
    "version 2, of UNIX": (binary(0x21, 0x31, b"/run/a".ljust(108, b"\0") * 2), BALANCER),
    "version 2, unspecified": (binary(0x21, 0x00, b"", TLVS), BALANCER),
    "version 2, local": (binary(0x20, 0x11, FOUR), BALANCER),
}
"""Headers, each with the address that the client has then."""


def message(payload: bytes, opcode: int = Opcode.BINARY) -> bytes:
    """
    @return: what a client says in one message.
    """
    return frameHeader(opcode, len(payload), masks=True) + payload


def messagesIn(heard: bytes) -> list[bytes]:
    """
    @return: what is in whole messages of a server.
    """
    found = []
    while heard:
        size, at = heard[1], 2
        if size == 126:
            size, at = int.from_bytes(heard[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(heard[2:10], "big"), 10
        found.append(heard[at : at + size])
        heard = heard[at + size :]
    return found


def ping(number: int) -> bytes:
    """
    @return: a frame that is answered.
    """
    return controlFrame(Kind.PING, number.to_bytes(8, "big"))


class MixedStories(WorkersTestCase):
    """
    Clients that come in by the path.
    """

    def startWithTokens(self, **choices: Any) -> ClientTls:
        """
        Start a server with TLS and a path, whose clients show a token.

        @return: the files of a client.
        """
        server, client = self.certificates()
        tokens = self.path(TOKEN + b"\n")
        self.start(ServerTls(server.cert), tokenFile=tokens, httpPath=PATH.decode(), **choices)
        return client

    def hear(self, client: Client) -> bytes:
        """
        @return: all that has come.
        """
        heard, came = b"", client.hear()
        while came:
            heard += came
            came = client.hear()
        return heard

    def enter(self, client: Client, sessionId: bytes, token: Token | None = None, *, pads: bool = False) -> list[bytes]:
        """
        Ask for the path, and say hello.

        @return: the messages of the answer: a hello, and where that is a welcome a ping.
        """
        client.say(REQUEST)
        self.settle()
        answer = self.hear(client)
        self.assertTrue(answer.startswith(b"HTTP/1.1 101 "), answer[:40])
        client.say(message(encodeClientHello(ClientHello(WireFormat.TWO, sessionId, token=token), pads=pads)))
        self.settle()
        return messagesIn(self.hear(client))

    def secured(self, number: int, tls: Any, header: bytes = b"", host: str = BALANCER) -> TlsClient:
        """
        @return: a client with TLS whose connection has come to a worker, behind a header.
        """
        plain = self.connect(number, host, settle=False)
        if header:
            plain.say(header)
        return self.securedOn(plain, tls)

    def test_aPaddedTunnelInWebSocketMayBeRelayed(self) -> None:
        """
        The first connection is at the worker of the session, and the second at the other.  All that each is sent first
        has one of a few lengths.
        """
        clientTls = self.startWithTokens(pad=True)
        sessionId = newId()
        clients = [self.secure(number, clientTls, f"192.0.2.{number}") for number in (1, 2)]
        for client in clients:
            answered = self.enter(client, sessionId, TOKEN, pads=True)
            answered += self.pongs(client, PADDED_WRITES - 1)  # a ping behind the hello was the first
            self.assertEqual(len(b"".join(answered)) % PADDED_SIZES[0], 0)
            self.assertEqual([len(each) for each in answered if len(each) % PADDED_SIZES[0]], [])
            self.assertTrue(answered[0].startswith(b"uotp\2\0"))
            self.assertEqual(int.from_bytes(answered[0][6:8], "big") + 8, PADDED_HELLO_BYTES)
            self.assertEqual([len(each) for each in self.pongs(client, 3)], [HEADER_BYTES + 8] * 3)
        self.assertEqual((self.sessions(), self.table()), ([1, 0], (1, 2)))
        self.assertEqual([len(self.worker(number).service._contact.relays) for number in (1, 2)], [0, 1])

    def pongs(self, client: Client, count: int) -> list[bytes]:
        """
        Have so many pings answered, each for itself.

        @return: the messages that came.
        """
        found = []
        for number in range(count):
            client.say(message(ping(number)))
            self.settle()
            found += messagesIn(self.hear(client))
        return found

    def test_whoIsAnnouncedMayComeByThePath(self) -> None:
        """
        With every kind of header, over TLS: whoever has the session gets the connection, and the log has the client's
        address.
        """
        clientTls = self.startWithTokens(proxyProtocol=(ip_network(BALANCER),))
        for name, (header, host) in HEADERS.items():
            client = self.secured(1, clientTls, header)
            answer, _ = self.enter(client, newId(), TOKEN)
            self.assertTrue(answer.startswith(b"uotp\2\0"), name)
            client.say(message(ping(7)))
            self.settle()
            self.assertEqual(messagesIn(self.hear(client)), [controlFrame(Kind.PONG, (7).to_bytes(8, "big"))], name)
            opened = [line for line in self.lines(LogLevel.info) if " opened from " in line][-1]
            self.assertIn(f"opened from {host}, ", opened, name)
        self.assertEqual(sum(self.sessions()), len(HEADERS))

    def test_aSessionOfTwoAddressesIsRelayed(self) -> None:
        """
        Its client has another address each time, as behind a NAT of a large provider.
        """
        clientTls = self.startWithTokens(proxyProtocol=(ip_network(BALANCER),))
        sessionId = newId()
        for host in (ONES, TWOS):
            client = self.secured(1, clientTls, f"PROXY TCP4 {host} 192.0.2.100 40000 8443\r\n".encode())
            answer, *_ = self.enter(client, sessionId, TOKEN)
            self.assertTrue(answer.startswith(b"uotp\2\0"))
        self.assertEqual((self.sessions(), self.table()), ([1, 0], (1, 2)))
        self.assertEqual(len(self.worker(2).service._contact.relays), 1)

    def test_aHeaderMayBeCutAnywhere(self) -> None:
        """
        What stands behind it is asked for the path, wherever it is cut.
        """
        self.start(httpPath=PATH.decode(), proxyProtocol=(ip_network(BALANCER),))
        for name in ("version 1, IPv6", "version 2 and more"):
            header, host = HEADERS[name]
            said = header + REQUEST
            for at in range(1, len(header) + 2):
                client = self.connect(1, BALANCER, settle=False)
                client.say(said[:at])
                self.settle()
                client.say(said[at:])
                self.settle()
                self.assertTrue(self.hear(client).startswith(b"HTTP/1.1 101 "), (name, at))
                client.socket.close()
                self.settle()
            self.assertEqual([line for line in self.lines() if "refused" in line], [])
            self.assertNotEqual(host, BALANCER)

    def test_headersOfOthersAreForeign(self) -> None:
        """
        From an address that is not named each is what it is: no hello, and no request.
        """
        self.start(httpPath=PATH.decode(), proxyProtocol=(ip_network(BALANCER),))
        for name, (header, _) in HEADERS.items():
            client = self.connect(1, "192.0.2.66", settle=False)
            client.say(header + REQUEST)
            self.settle()
            self.assertTrue(self.hear(client).startswith(b"HTTP/1.1 400 "), name)
            client.socket.close()
            self.settle()
        self.assertEqual(self.sessions(), [0, 0])
        refused = [line for line in self.lines() if line.startswith("refused a connection from ")]
        self.assertTrue(refused)
        self.assertTrue(all("192.0.2.66" in line and "PROXY" in line for line in refused), refused)

    def test_whoShowsNoTokenInWebSocketIsRefused(self) -> None:
        """
        He knew the path, so he is told that he is refused, and not why.
        """
        clientTls = self.startWithTokens()
        for token in (None, Token(b"another one that is long")):
            client = self.secure(2, clientTls)
            answered = self.enter(client, newId(), token)
            self.assertEqual(answered[0][:6], b"uotp\2\1")
            self.assertIsNone(client.hear())
        self.assertEqual(self.sessions(), [0, 0])

    def test_visitorsOfOneAnnouncedAddressHaveAShare(self) -> None:
        """
        However many there are of one client, another one finds room: they count by their own addresses, and not by the
        balancer's.
        """
        self.start(httpPath=PATH.decode(), proxyProtocol=(ip_network(BALANCER),))
        self.patch(self.worker(1).service.acceptor._entrance.visitors._places, "_owned", 1)
        other = next(host for host in (f"203.0.113.{last}" for last in range(5, 99)) if workerFor(host, 2) == 1)
        answers = []
        for host in (ONES, ONES, other, ONES):
            client = self.connect(1, BALANCER, settle=False)
            client.say(f"PROXY TCP4 {host} 192.0.2.100 40000 8443\r\n".encode() + GET)
            self.settle()
            answers.append(self.hear(client)[9:12])
        self.assertEqual(answers, [b"404", b"503", b"404", b"503"])
        refused = [line for line in self.lines() if line.startswith("refused a connection from ")]
        self.assertEqual({line.split()[4].rstrip(":") for line in refused}, {ONES, other})
