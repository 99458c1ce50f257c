"""
What stands in for the socket and for OpenSSL under one connection.  Each does what the test says, one step at a time,
and holds the connection to what the real one would.
"""

from __future__ import annotations

import errno
import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from socket import MSG_PEEK
from types import SimpleNamespace
from typing import Any

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from uotp.boundaries import Chain
from uotp.errors import Refusal
from uotp.net.sockopts import TunnelSocketOptions
from uotp.net.tcpinfo import BACKOFF_AT, NOTSENT_BYTES_AT, TCP_INFO_BYTES
from uotp.tls.alerts import errorWords
from uotp.transport.accepted import AcceptedTcpStream, AcceptedTlsStream
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.preamble import Preamble

UNKNOWN_CA = "the peer refused our certificate: unknown CA; the client needs the CA that has signed it by cafile"
"""What is said of that alert where no certificate of ours is known."""

PEER = IPv4Address("TCP", "192.0.2.1", 4711)

RECORD_BYTES = 16384
"""The most that OpenSSL takes, or gives, at one go."""


def broken() -> OSError:
    """
    @return: what a connection says that the peer has reset.
    """
    return OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))


def tcpInfo(state: int = 0, unsent: int = 0, backoff: int = 0) -> bytes:
    """
    @return: C{struct tcp_info} of Linux, as far as we read it.
    """
    info = bytearray(TCP_INFO_BYTES)
    info[1] = state
    info[BACKOFF_AT] = backoff
    info[NOTSENT_BYTES_AT : NOTSENT_BYTES_AT + 4] = unsent.to_bytes(4, sys.byteorder)
    return bytes(info)


class FakeSocket(AbstractContextManager["FakeSocket"]):
    """
    Does what the test says as a socket, and notes what is done to it.

    @ivar room: bytes that the kernel takes.
    @ivar taken: what it took.
    @ivar coming: what is received, piece by piece: bytes, or an error.
    @ivar asked: how much was asked for, each time.
    @ivar options: level, name and value of each that was set.
    @ivar journal: each of them, and each attempt to connect, in order.
    @ivar given: what every option reads as.
    @ivar info: what it tells when more than a number is asked for; L{None} is an error.
    @ivar connecting: what an attempt to connect is answered with.
    @ivar shut: whether our end was closed.
    @ivar failure: raised instead of anything that is sent or shut, if it is set.
    """

    def __init__(
        self, *refused: int, error: int = errno.EPERM, journal: list[tuple[Any, ...]] | None = None, connecting: int = 0
    ) -> None:
        """
        @param refused: the options that it refuses.
        @param error: with which error.
        @param journal: what several sockets share.
        """
        self._refused = refused
        self._error = error
        self.room = 1 << 30
        self.taken = b""
        self.coming: deque[bytes | OSError] = deque()
        self.asked: list[int] = []
        self.options: list[tuple[int, int, Any]] = []
        self.journal = [] if journal is None else journal
        self.given = 0
        self.info: bytes | None = tcpInfo()
        self.connecting = connecting
        self.shut = self.closed = False
        self.failure: OSError | None = None

    def __exit__(self, *_: object) -> None:
        self.close()

    def setblocking(self, flag: object) -> None:
        """
        Never.
        """

    def fileno(self) -> int:
        return -1 if self.closed else 99

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        """
        Take an option, or refuse it as a system does.
        """
        if option in self._refused:
            raise OSError(self._error, os.strerror(self._error))
        self.options.append((level, option, value))
        self.journal.append(("option", level, option, value))

    def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
        """
        What the system gives, whatever was asked for.
        """
        if not size:
            return self.given
        if self.info is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self.info[:size]

    def connect_ex(self, address: object) -> int:
        self.journal.append(("connect", address))
        return self.connecting

    def getpeername(self) -> tuple[str, int]:
        return (PEER.host, PEER.port)

    def send(self, data: bytes) -> int:
        if self.failure is not None:
            raise self.failure
        if not self.room:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        part = bytes(data[: self.room])
        self.room -= len(part)
        self.taken += part
        return len(part)

    def recv(self, size: int, flags: int = 0) -> bytes:
        self.asked.append(size)
        if not self.coming:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        piece = self.coming[0]
        if isinstance(piece, OSError):
            del self.coming[0]
            raise piece
        if not flags & MSG_PEEK:
            del self.coming[0]
            if piece[size:]:
                self.coming.appendleft(piece[size:])
        return piece[:size]

    def shutdown(self, how: int) -> None:
        if self.failure is not None:
            raise self.failure
        self.shut = self.shut or how in (1, 2)

    def close(self) -> None:
        self.closed = True


class FakeTls:
    """
    Stands in for OpenSSL's connection.  It takes a record whole, or not at all, and insists then on being given the
    same again, as the real one does.

    @ivar handshake: what each step of it leads to: an error, or L{None} for its end.
    @ivar room: records that the kernel takes.
    @ivar taken: what it took.
    @ivar coming: what is received, record by record: bytes, or an error.
    @ivar failure: raised instead of anything that is sent, if it is set.
    @ivar goodbyes: how often it was told to say goodbye.
    @ivar farewell: raised then, if it is set.
    @ivar alpn: what was agreed on.
    @ivar refusal: what we have against the peer.
    """

    def __init__(self) -> None:
        self.socket: Any = None
        self.side = ""
        self.handshake: deque[Exception | None] = deque([None])
        self.steps = 0
        self.room = 1 << 30
        self.taken = b""
        self.coming: deque[bytes | Exception] = deque()
        self.failure: Exception | None = None
        self.farewell: Exception | None = None
        self.goodbyes = 0
        self.alpn = b"uotp/2"
        self.refusal: str | None = None
        self._again = b""

    def set_accept_state(self) -> None:
        self.side = "server"

    def set_connect_state(self) -> None:
        self.side = "client"

    def do_handshake(self) -> None:
        self.steps += 1
        step = self.handshake.popleft() if self.handshake else SSL.WantReadError()
        if step is not None:
            raise step

    def send(self, data: bytes) -> int:
        if self.failure is not None:
            raise self.failure
        part = bytes(data[:RECORD_BYTES])
        assert part, "OpenSSL takes this for the end of the connection"
        assert part.startswith(self._again), "bad write retry"
        if not self.room:
            self._again = self._again or part
            raise SSL.WantWriteError
        part, self._again = self._again or part, b""
        self.room -= 1
        self.taken += part
        return len(part)

    def recv(self, size: int) -> bytes:
        assert size >= RECORD_BYTES, "the rest of a record would stay where no reactor sees it"
        if not self.coming:
            raise SSL.WantReadError
        record = self.coming.popleft()
        if isinstance(record, Exception):
            raise record
        return record

    def shutdown(self) -> bool:
        self.goodbyes += 1
        if self.farewell is not None:
            raise self.farewell
        return False

    def get_alpn_proto_negotiated(self) -> bytes:
        return self.alpn

    def peerPin(self) -> bytes | None:
        return b"the peer's"

    def get_protocol_version_name(self) -> str:
        return "TLSv1.3"

    def get_cipher_name(self) -> str | None:
        return "TLS_AES_256_GCM_SHA384"

    def peerName(self) -> str | None:
        return None

    def peerChain(self) -> Chain:
        return ()

    def refusalWords(self, error: BaseException | None = None) -> str | None:
        """
        What is wrong, as the real one says it.
        """
        if self.refusal is not None:
            return self.refusal
        return errorWords(error, None, "client") if isinstance(error, SSL.Error) else None

    def refusalKind(self, error: BaseException | None = None) -> Refusal | None:
        """
        Its kind, as the real one says it.
        """
        return None if self.refusalWords(error) is None else Refusal.HANDSHAKE


@implementer(IHandshakeListener, IPushProducer)
class Diarist(Protocol):
    """
    Writes down what becomes of it as a protocol.

    @cvar isKnown: whether it knows its peer from the beginning.
    @ivar heard: what it received, each time.
    @ivar says: everything else, in words.
    @ivar reason: why the connection was lost.
    @ivar refusal: why one end refused the other, as the stream said then.
    """

    transport: Any
    isKnown = True

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.says: list[str] = []
        self.reason: Failure | None = None
        self.refusal: str | None = None

    def connectionMade(self) -> None:
        self.says.append("made")
        self.transport.registerProducer(self, True)
        if self.isKnown:
            self.transport.admit()

    def handshakeCompleted(self) -> None:
        self.says.append("secured")

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)

    def pauseProducing(self) -> None:
        self.says.append("pause")

    def resumeProducing(self) -> None:
        self.says.append("resume")

    def stopProducing(self) -> None:
        """
        The loss of the connection says so too.
        """

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        Keep why, and what can be asked about it now.
        """
        self.says.append("lost")
        self.reason = reason
        security = self.transport.security
        self.refusal = None if security is None else security.refusal


def accept(
    reactor: Any,
    protocol: Any,
    socket: FakeSocket,
    tls: FakeTls | None,
    makePreamble: Callable[[], Preamble] | None = None,
) -> Any:
    """
    @param tls: L{None} for plain TCP.
    @param makePreamble: makes what comes before the stream.
    @return: a stream that was accepted, and has its protocol.
    """
    untyped: Any = socket
    port: Any = SimpleNamespace(_realPortNumber=8443)
    handshakes = HandshakeQueue(reactor)
    rest = (protocol, (PEER.host, PEER.port), port, 1, reactor)
    choices: dict[str, Any] = {} if makePreamble is None else {"makePreamble": staticmethod(makePreamble)}
    stream: Any
    if tls is None:
        stream = type("Kind", (AcceptedTcpStream,), choices)(handshakes, TunnelSocketOptions(), untyped, *rest)
    else:

        def create(accepted: Any) -> FakeTls:
            tls.socket = accepted
            return tls

        stream = type("Kind", (AcceptedTlsStream,), choices)(create, handshakes, TunnelSocketOptions(), untyped, *rest)
    protocol.makeConnection(stream)
    return stream
