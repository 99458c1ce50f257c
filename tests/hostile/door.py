"""
How an attacker comes in: from one of many addresses of loopback, with TLS or without, with a
session of either format.  It knows nothing of what follows.
"""

from __future__ import annotations

import resource
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from bench.rig.ports import LOOPBACK, Address
from bench.rig.programs import HANG_SECONDS
from tests.hostile.crowd import WHO_AM_I, YOU_ARE
from tests.integration.rawformat2 import (
    ALPN,
    BYE,
    HELLO_BYTES,
    TRAIN,
    WELCOME,
    RawFrame,
    clientHello,
    newId,
    tlsContext,
)
from tests.integration.rawpeers import frame


def addresses(number: int, begin: int = 2) -> list[str]:
    """
    @param begin: of the last part of the first.
    @return: so many addresses of loopback, none of which is 127.0.0.1.
    """
    return [f"127.0.{(begin + one) // 250}.{(begin + one) % 250 + 2}" for one in range(number)]


def newIdOf(wire: int) -> bytes:
    """
    @return: a new session id: of format 1 a UUID of version 4.
    """
    made = bytearray(newId())
    if wire == 1:
        made[6] = made[6] & 0x0F | 0x40
        made[8] = made[8] & 0x3F | 0x80
    return bytes(made)


def allowDescriptors() -> None:
    """
    Let this process have as many descriptors as it may.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@dataclass(frozen=True)
class Door:
    """
    A server, as an attacker sees it.

    @ivar server: where it listens.
    @ivar wire: the format that is spoken, 1 or 2.
    @ivar cafile: with whose certificate it is known; empty for plain TCP.
    @ivar certificate: a file with a certificate to show and its key, if any.
    @ivar token: what to show in the hello, if anything.
    """

    server: Address
    wire: int
    cafile: str = ""
    certificate: str = ""
    token: str = ""

    def context(self) -> ssl.SSLContext | None:
        """
        @return: what it takes to speak TLS, if it is spoken.
        """
        if not self.cafile:
            return None
        made = tlsContext(self.cafile, self.certificate or None)
        made.set_alpn_protocols([ALPN] if self.wire == 2 else ["uotp/1"])
        return made

    def connect(self, source: str = LOOPBACK, seconds: float = HANG_SECONDS) -> socket.socket:
        """
        @param source: the address to come from.
        @return: a TCP connection, with nothing said.
        """
        connection = socket.create_connection(self.server, seconds, (source, 0))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def shakeHands(self, connection: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
        """
        @param context: of L{context}; made once for many.
        @return: the connection, with TLS over it if it is spoken.
        """
        if context is None:
            return connection
        return context.wrap_socket(connection, server_hostname=self.server[0])

    def hello(self, sessionId: bytes) -> bytes:
        """
        @return: what is said first.
        """
        return sessionId if self.wire == 1 else clientHello(sessionId, tokenExtension(self.token.encode()))

    def enter(
        self,
        sessionId: bytes,
        source: str = LOOPBACK,
        context: ssl.SSLContext | None = None,
        seconds: float = HANG_SECONDS,
        far: float = 0.0,
    ) -> socket.socket:
        """
        @param far: seconds from the connection to the first word.
        @return: a tunnel of a session; in format 2 a welcome one.
        @raise OSError: when it is closed.
        @raise AssertionError: when it is refused.
        """
        connection = self.connect(source, seconds)
        time.sleep(far)
        connection = self.shakeHands(connection, context)
        connection.sendall(self.hello(sessionId))
        if self.wire == 2:
            begin = readExactly(connection, HELLO_BYTES)
            assert begin[5] == WELCOME, "refused"
            readExactly(connection, int.from_bytes(begin[6:8], "big"))
        return connection

    def datagram(self, data: bytes, number: int = 0) -> bytes:
        """
        @return: the frame of one datagram.
        """
        return frame(data) if self.wire == 1 else RawFrame(TRAIN, data, number, max(1, len(data))).encode()


def tokenExtension(token: bytes) -> bytes:
    """
    @return: the extension of a hello that shows a token; nothing where there is none.
    """
    return b"\4" + len(token).to_bytes(2, "big") + token if token else b""


def readExactly(connection: socket.socket, count: int) -> bytes:
    """
    @return: the next bytes.
    @raise ConnectionError: when there are fewer.
    """
    held = b""
    while len(held) < count:
        more = connection.recv(count - len(held))
        if not more:
            reason = f"closed after {len(held)} of {count} bytes"
            raise ConnectionError(reason)
        held += more
    return held


def whoAmI(
    door: Door,
    source: str,
    seconds: float = HANG_SECONDS,
    context: ssl.SSLContext | None = None,
    far: float = 0.0,
) -> Address:
    """
    Come in as a session of its own, have the target answer, and take leave.

    @param source: the address to come from.
    @param context: see L{Door.enter}; made anew when left out.
    @param far: see L{Door.enter}.
    @return: the session's socket, as the target sees it.
    @raise OSError: when it does not work out in time.
    """
    with door.enter(newIdOf(door.wire), source, context or door.context(), seconds, far) as tunnel:
        tunnel.sendall(door.datagram(WHO_AM_I))
        held = b""
        while YOU_ARE not in held or held.count(b" ", held.index(YOU_ARE)) < len(YOU_ARE.split()) + 2:
            more = tunnel.recv(65536)
            if not more:
                reason = "closed, and not answered"
                raise ConnectionError(reason)
            held += more
        if door.wire == 2:
            tunnel.sendall(RawFrame(BYE).encode())
    host, port = held[held.index(YOU_ARE) + len(YOU_ARE) :].split(b" ")[:2]
    return host.decode(), int(port)


def closeAll(connections: Sequence[socket.socket]) -> None:
    """
    Close what there is.
    """
    for one in connections:
        with suppress(OSError):
            one.close()
