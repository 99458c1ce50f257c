"""
Peers of format 2 that do what they may not do, over real TLS at a real server, and
on plain TCP at a client.  Each costs its own connection, with one line that says why,
and nobody else anything.
"""

from __future__ import annotations

import re
import ssl
import uuid
from pathlib import Path

from bench.rig.ports import LOOPBACK, Address
from bench.rig.programs import Program, until
from tests.doubles.certificates import CLIENT, Authority, pem
from tests.integration.rawformat2 import (
    BYE,
    DRAIN,
    PADDING,
    PING,
    PONG,
    REFUSED,
    TRAIN,
    WELCOME,
    RawFrame,
    RawTunnel2,
    clientHello,
    dialRaw2,
    extension,
    opening,
    serverHello,
    takeRaw2,
    tlsContext,
    train,
)
from tests.integration.rawpeers import RawServer
from tests.integration.rig import PLAIN, RigTestCase, said

ID = uuid.UUID(bytes=bytes(range(16)), version=4).bytes

BAD_HELLOS = (
    (opening(wireFormat=3) + ID, "its hello is of format 3, which is not known here"),
    (opening(flags=4) + ID, "its hello has flags that there are not: 0x4"),
    (opening(size=2) + ID + b"\1\0", "an extension of its hello is cut off"),
    (opening(size=4) + ID + b"\1\0\2x", "an extension of its hello is longer than all of them"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "it speaks HTTP"),
)
"""What a client may not begin with, and what the server says of it."""

BAD_FRAMES = (
    (RawFrame(6).encode(), "a frame of kind 6, which there is not"),
    (RawFrame(127, b"x").encode(), "a frame of kind 127, which there is not"),
    (RawFrame(TRAIN, b"x", segment=0).encode(), "a train of 1 bytes in datagrams of 0, with flags 0x0"),
    (RawFrame(TRAIN, b"x", segment=1, flags=2).encode(), "a train of 1 bytes in datagrams of 1, with flags 0x2"),
    (RawFrame(PING, bytes(7)).encode(), "a frame of kind 1 with 7 bytes"),
    (RawFrame(PONG, bytes(9)).encode(), "a frame of kind 2 with 9 bytes"),
    (RawFrame(PING, bytes(8), flags=128).encode(), "a frame of kind 1 with flags 0x80, which there are not"),
    (RawFrame(DRAIN, b"x").encode(), "a frame of kind 3 with 1 bytes"),
    (RawFrame(BYE, b"x").encode(), "a frame of kind 4 with 1 bytes"),
    (RawFrame(DRAIN).encode() + train(9, b"x"), "it sent a train after it had said that none would follow"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03", "a frame of kind 22, which there is not"),
)
"""What may not follow."""

BAD_ANSWERS = (
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it does not answer in format 2: it answers in HTTP"),
    (opening(wireFormat=1), "it does not answer in format 2$"),
    (opening(size=4096), "its hello has 4096 bytes of extensions, and 4095 are allowed"),
    (serverHello(extensions=b"\1\0"), "an extension of its hello is cut off"),
    (serverHello(extensions=extension(1, b"12")), "an extension of its hello has 2 bytes instead of 1"),
    (serverHello(REFUSED), "the server refuses the session; its log says why"),
    (serverHello() + RawFrame(BYE).encode(), "it took its leave, which only a client may"),
    (serverHello() + RawFrame(99).encode(), "a frame of kind 99, which there is not"),
)
"""What a server may not answer, and what the client says of it."""


class ServerTests(RigTestCase):
    """
    At a server with TLS, which another client uses meanwhile.
    """

    def setUp(self) -> None:
        super().setUp()
        pki = self.newPki()
        self.udpTarget = self.udpEnd()
        self.programs = self.pair(self.udpTarget.address, pki)
        self.other = self.flow(self.programs, self.udpTarget)
        self.other.both(b"hello")
        self.refusals = 0
        self.context = tlsContext(pki.caCertificate, pki.clientCertificate, pki.clientKey)

    def dial(self, begin: bytes) -> RawTunnel2:
        """
        @param begin: what is said first.
        @return: a connection to the server.
        """
        tunnel = dialRaw2(self.programs.serverAddress, begin, self.context)
        self.addCleanup(tunnel.close)
        return tunnel

    def join(self, sessionId: bytes) -> RawTunnel2:
        """
        @return: a tunnel that is welcome.
        """
        tunnel = self.dial(clientHello(sessionId))
        self.assertEqual(tunnel.readHello()[0], WELCOME)
        return tunnel

    def assertSaidOnce(self, words: str) -> None:
        """
        The server has said why, in one line, and nothing else but that.
        """
        server = self.programs.server
        until(lambda: len(said(server, "refused a connection")) > self.refusals, words)
        lines = said(server, "refused a connection")[self.refusals :]
        self.refusals += 1
        reasons = [line.partition(f"{LOOPBACK}: ")[2].partition(" (its certificate: ")[0] for line in lines]
        self.assertEqual(reasons, [words])

    def test_badHellosAreClosedWithOneLine(self) -> None:
        """
        They are answered as a web server answers such bytes, and the other session goes on.
        """
        for number, (hello, words) in enumerate(BAD_HELLOS):
            tunnel = self.dial(hello)
            if hello.startswith(b"GET"):
                self.assertEqual(tunnel.raw.read(12), b"HTTP/1.1 404", words)
                tunnel.close()  # whoever asks like this may ask again
            else:
                self.assertEqual(tunnel.raw.read(12), b"HTTP/1.1 400", words)
                tunnel.raw.waitUntilClosed()
            self.assertSaidOnce(words)
            self.other.both(b"%d" % number)
        self.assertEqual(said(self.programs.server, "Traceback"), [])

    def test_badFramesCostTheirTunnelAndNothingElse(self) -> None:
        """
        What came before is handed on, another tunnel of the same session goes on, and
        so does another session.
        """
        good = self.join(ID)
        for number, (frame, words) in enumerate(BAD_FRAMES):
            tunnel = self.join(ID)
            tunnel.say(train(2 * number, b"before %d" % number))
            self.udpTarget.expect(b"before %d" % number)
            tunnel.say(frame)
            tunnel.raw.waitUntilClosed()
            self.assertSaidOnce(words)
            good.say(train(2 * number + 1, b"beside %d" % number) + RawFrame(PING, bytes(8)).encode())
            self.udpTarget.expect(b"beside %d" % number)
            good.expect(PONG)
            self.other.both(b"%d" % number)
        self.assertEqual(said(self.programs.server, "ended"), [])

    def test_whatIsNotKnownYetIsSkipped(self) -> None:
        """
        Extensions of a hello, padding, and frames of kinds from 129 up, also in small
        pieces; a ping behind them is answered with what it carried.
        """
        begin = clientHello(ID, extension(200, b"later") + extension(0, b""))
        skipped = RawFrame(129, b"later", 7, 7, 7).encode() + RawFrame(255).encode() + RawFrame(PADDING, b"xy").encode()
        tunnel = self.dial(begin[:5])
        for byte in begin[5:] + skipped:
            tunnel.say(bytes([byte]))
        tunnel.say(
            RawFrame(PADDING, bytes(60000)).encode()
            + skipped
            + RawFrame(PING, b"12345678").encode()
            + train(0, b"one", b"two", b"3")
        )
        self.assertEqual(tunnel.readHello()[0], WELCOME)
        self.assertEqual(tunnel.expect(PONG), RawFrame(PONG, b"12345678"))
        for datagram in (b"one", b"two", b"3"):
            source = self.udpTarget.expect(datagram)
        self.udpTarget.send(b"answer", source)
        self.assertEqual(tunnel.expect(TRAIN), RawFrame(TRAIN, b"answer", 0, 6))


class RefusedTests(RigTestCase):
    """
    Clients whose hello is in order, but who may not come in.
    """

    def assertRefused(self, server: Program, address: Address, context: ssl.SSLContext, words: str) -> None:
        """
        They are told that, and no more: the server's log says why.
        """
        tunnel = dialRaw2(address, clientHello(ID), context)
        self.addCleanup(tunnel.close)
        self.assertEqual(tunnel.readHello(), (REFUSED, b""))
        with self.assertRaisesRegex(AssertionError, "0 of 1 bytes came"):
            tunnel.raw.read(1)
        server.waitForLine(f"refused a connection from {LOOPBACK}: {words}")

    def test_refusalDoesNotSayWhy(self) -> None:
        """
        The session is another certificate's; or the server is told to speak format 1
        alone.  Both get the same answer.
        """
        authority = Authority("CA")
        folder = Path(self.mktemp())
        folder.mkdir()
        ca = folder / "ca.pem"
        ca.write_bytes(pem(authority.certificate))
        own = authority.issue(LOOPBACK).write(folder / "server.pem")
        mine, others = (authority.issue(usages=CLIENT).write(folder / f"{name}.pem") for name in ("mine", "others"))
        target = self.udpEnd()
        servers = [self.startServer(target.address, "-c", own, "-C", str(ca), "--wire", wire) for wire in ("auto", "1")]
        addresses = [self.listening(server) for server in servers]
        first = dialRaw2(addresses[0], clientHello(ID) + train(0, b"mine"), tlsContext(str(ca), mine))
        self.addCleanup(first.close)
        self.assertEqual(first.readHello()[0], WELCOME)
        target.expect(b"mine")
        stranger = tlsContext(str(ca), others)
        self.assertRefused(servers[0], addresses[0], stranger, "the session belongs to another client certificate")
        self.assertRefused(servers[1], addresses[1], stranger, "it speaks format 2, and --wire 1 was said here")
        first.say(train(1, b"mine still"))
        target.expect(b"mine still")


class ClientTests(RigTestCase):
    """
    At a client, whose server answers what it may not.
    """

    def test_badAnswersAreSaidOnceAndDialledAgain(self) -> None:
        """
        After all of them the server comes to its senses, and what waited arrives.
        """
        server = RawServer()
        self.addCleanup(server.close)
        client = self.startClient(server.address, *PLAIN, "--wire", "2", "-n", "1", "-B", "0.1")
        application = self.udpEnd()
        application.send(b"hello", self.listening(client))
        for answer, words in BAD_ANSWERS:
            tunnel, _ = takeRaw2(server, answer)
            client.waitForLine(f"port {server.address[1]}.*: {words}")
            tunnel.raw.waitUntilClosed()
        application.send(b"hello again", self.listening(client))
        tunnel, _ = takeRaw2(server, serverHello())
        came = tunnel.expect(TRAIN)
        while came.payload != b"hello again":
            came = tunnel.expect(TRAIN)
        tunnel.say(train(0, b"welcome"))
        application.expect(b"welcome")
        for _, words in BAD_ANSWERS:
            self.assertEqual(len([line for line in client.lines if re.search(words, line)]), 1, words)
