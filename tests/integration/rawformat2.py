"""
The wire format 2 by hand, as C{docs/wire.rst} tells it: peers that do just what a test
tells them.  Nothing of our package is used, so that an error there does not hide here.
"""

from __future__ import annotations

import socket
import ssl
import struct
import uuid
from typing import NamedTuple

from bench.rig.ports import Address
from bench.rig.programs import HANG_SECONDS
from tests.integration.rawpeers import RawServer, RawTunnel

MAGIC = b"uotp"

HELLO_BYTES = 8
"""What both hellos begin with."""

HEADER = struct.Struct(">BBHHI")

TRAIN, PING, PONG, DRAIN, BYE, PADDING = range(6)
MISSING = 128

WELCOME, REFUSED = 0, 1

ALPN = "uotp/2"


def opening(wireFormat: int = 2, flags: int = 0, size: int = 0) -> bytes:
    """
    @param flags: of a client; the answer of a server.
    @param size: how long the extensions are said to be.
    @return: what both hellos begin with.
    """
    return MAGIC + struct.pack(">BBH", wireFormat, flags, size)


def clientHello(sessionId: bytes, extensions: bytes = b"") -> bytes:
    """
    @return: what a client says first.
    """
    return opening(size=len(extensions)) + sessionId + extensions


def serverHello(answer: int = WELCOME, extensions: bytes = b"") -> bytes:
    """
    @return: what a server answers.
    """
    return opening(flags=answer, size=len(extensions)) + extensions


def extension(kind: int, value: bytes) -> bytes:
    """
    @return: an extension of either hello.
    """
    return struct.pack(">BH", kind, len(value)) + value


def newId() -> bytes:
    """
    @return: a session id that no other test has.
    """
    return uuid.uuid4().bytes


class RawFrame(NamedTuple):
    """
    One frame.
    """

    kind: int
    payload: bytes = b""
    number: int = 0
    segment: int = 0
    flags: int = 0

    def encode(self) -> bytes:
        """
        @return: how it stands on a tunnel.
        """
        return HEADER.pack(self.kind, self.flags, self.segment, len(self.payload), self.number) + self.payload


def train(number: int, *datagrams: bytes) -> bytes:
    """
    @param number: of the first.
    @param datagrams: of one length; the last may be shorter.
    @return: their frame.
    """
    return RawFrame(TRAIN, b"".join(datagrams), number, len(datagrams[0])).encode()


class RawTunnel2:
    """
    One connection that speaks format 2, seen from either end.

    @ivar raw: the connection itself.
    """

    def __init__(self, raw: RawTunnel) -> None:
        """
        @param raw: connected.
        """
        self.raw = raw

    def say(self, data: bytes) -> None:
        """
        Send bytes as they are.
        """
        self.raw.socket.settimeout(HANG_SECONDS)
        self.raw.socket.sendall(data)

    def readHello(self) -> tuple[int, bytes]:
        """
        @return: the answer of a server's hello, and its extensions.
        @raise AssertionError: when it is none of format 2.
        """
        begin = self.raw.read(HELLO_BYTES)
        answer, size = struct.unpack(">BH", begin[5:])
        assert begin == opening(flags=answer, size=size), begin
        return answer, self.raw.read(size)

    def readFrame(self) -> RawFrame:
        """
        @return: the next frame.
        @raise AssertionError: when none comes in time.
        """
        kind, flags, segment, size, number = HEADER.unpack(self.raw.read(HEADER.size))
        return RawFrame(kind, self.raw.read(size) if size else b"", number, segment, flags)

    def expect(self, kind: int) -> RawFrame:
        """
        Read on until a frame of a kind comes; pings on the way are answered.

        @return: that frame.
        @raise AssertionError: when none comes in time.
        """
        while (frame := self.readFrame()).kind != kind:
            if frame.kind == PING:
                self.say(frame._replace(kind=PONG).encode())
        return frame

    def close(self) -> None:
        """
        Close the connection.
        """
        self.raw.close()


def dialRaw2(server: Address, begin: bytes, context: ssl.SSLContext | None = None) -> RawTunnel2:
    """
    @param begin: what is said first.
    @param context: what it takes to speak TLS; L{None} for plain TCP.
    @return: a connection to a server, without having read anything.
    """
    connection = socket.create_connection(server, HANG_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is not None:
        connection = context.wrap_socket(connection, server_hostname=server[0])
    tunnel = RawTunnel2(RawTunnel(connection))
    tunnel.say(begin)
    return tunnel


def tlsContext(cafile: str, certificate: str | None = None, key: str | None = None) -> ssl.SSLContext:
    """
    @param certificate: a client's own, if it shows one.
    @return: what it takes to speak TLS with a server, as one who knows format 2.
    """
    context = ssl.create_default_context(cafile=cafile)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # CPython 3.13 wants more than a certificate of a test has
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    context.set_alpn_protocols([ALPN])
    return context


def takeRaw2(server: RawServer, answer: bytes) -> tuple[RawTunnel2, bytes]:
    """
    Take the next connection, and answer its hello.

    @return: the tunnel, and the session id that it shows.
    @raise AssertionError: when none comes in time, or its hello is none of format 2.
    """
    raw = server.accept()
    assert raw is not None, "no connection came"
    hello = raw.read(HELLO_BYTES)
    assert hello == opening(), hello
    sessionId = raw.read(16)
    tunnel = RawTunnel2(raw)
    tunnel.say(answer)
    return tunnel, sessionId
