"""
A machine in memory that can be examined, and what may be at the other end of its connections.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Protocol

import h11
from OpenSSL import SSL
from twisted.internet.address import IPv4Address

from tests.doubles.certificates import NOW, Issued
from uotp.doctor.seams import Buffer, Machine, TcpLine, Way
from uotp.net import Addresses
from uotp.net.sockopts import UDP_BUFFER_BYTES
from uotp.path import PathStats
from uotp.tls.credentials import ServerCredentials
from uotp.train import Numbering, Train
from uotp.transport import FrameDecoder, Opcode, answerToUpgrade, frameHeader
from uotp.wire.format2 import Format2Codec, Kind, controlFrame
from uotp.wire.hello import (
    SESSION_ID_BYTES,
    ClientHelloDecoder,
    ServerHello,
    Token,
    encodeServerHello,
    mayBeSessionId,
)
from uotp.wire.status import ServerStatus, encodeStatus

SERVER = IPv4Address("TCP", "192.0.2.7", 8443)

ROUND_TRIP = 0.02
"""So long an answer takes."""


class Speaks(Protocol):
    """
    Is a program at the other end.

    @ivar outgoing: what it has to say.
    @ivar isClosed: whether it says nothing after that.
    """

    outgoing: bytes
    isClosed: bool

    def take(self, data: bytes) -> None:
        """
        Hear something.
        """


class Plain:
    """
    Says one thing at the first word, and then closes if it is to.
    """

    def __init__(self, says: bytes = b"", *, closes: bool = False) -> None:
        self.outgoing = b""
        self.isClosed = False
        self._says = says
        self._closes = closes
        self.heard = b""

    def take(self, data: bytes) -> None:
        self.heard += data
        self.outgoing += self._says
        self._says = b""
        self.isClosed = self._closes


class Web(Plain):
    """
    Answers whole questions of HTTP.
    """

    def take(self, data: bytes) -> None:
        self.heard += data
        if b"\r\n\r\n" in self.heard:
            self.outgoing += b"HTTP/1.1 200 OK\r\nDate: Fri, 27 Nov 2026 12:00:00 GMT\r\n\r\n"
            self.isClosed = True


class Site(Web):
    """
    Speaks format 1, and is a web site for who says no hello.
    """

    def take(self, data: bytes) -> None:
        if mayBeSessionId((self.heard + data)[:SESSION_ID_BYTES]):
            self.heard += data
        else:
            super().take(data)


class Upgrading(Web):
    """
    Is a web server that goes on with WebSocket at a path, and hands on what comes there to a program.

    @ivar behind: what it says in frames of its own before anything else.
    """

    def __init__(self, path: str, program: Speaks, *, behind: bytes = b"") -> None:
        super().__init__()
        self._path = path.encode("ascii")
        self._program = program
        self._behind = behind
        self._decoder: FrameDecoder | None = None

    def take(self, data: bytes) -> None:
        if self._decoder is not None:
            self._carry(data)
            return
        if not (self.heard + data).startswith(b"GET " + self._path + b" HTTP/1.1\r\n"):
            super().take(data)
            return
        self.heard += data
        reader = h11.Connection(h11.SERVER)
        reader.receive_data(self.heard)
        request = reader.next_event()
        assert isinstance(request, h11.Request), self.heard
        self.outgoing += answerToUpgrade(request.headers) + self._behind
        self._decoder = FrameDecoder(isMasked=True)

    def _carry(self, data: bytes) -> None:
        assert self._decoder is not None
        self._decoder.feed(data)
        pieces: list[bytes | memoryview] = []
        self._decoder.take(1 << 20, pieces)
        if pieces:
            self._program.take(b"".join(pieces))
        said, self._program.outgoing = self._program.outgoing, b""
        for piece in (said[:1], said[1:]):  # where messages begin and end does not matter
            if piece:
                self.outgoing += frameHeader(Opcode.BINARY, len(piece), masks=False) + piece
        self.isClosed = self._program.isClosed


class Proxy:
    """
    Answers one message after another, and then carries all to a program.

    @ivar heard: what it was told.
    """

    def __init__(self, answers: Sequence[bytes], program: Speaks | None = None) -> None:
        """
        @param program: L{None} for one that closes behind its last answer.
        """
        self.outgoing = b""
        self.heard = b""
        self.isClosed = False
        self._answers = list(answers)
        self._program = program

    def take(self, data: bytes) -> None:
        if self._answers:
            self.heard += data
            self.outgoing += self._answers.pop(0)
            self.isClosed = self._program is None and not self._answers
        elif self._program is not None:
            self._program.take(data)
            said, self._program.outgoing = self._program.outgoing, b""
            self.outgoing += said
            self.isClosed = self._program.isClosed
        else:
            self.isClosed = True


class Uotp:
    """
    Speaks format 2 as a server.

    @ivar status: what is told to who asks; L{None} for a server that does not know the question.
    @ivar answers: whether the target sends back what it gets.
    @ivar welcomes: whether sessions are let in.
    @ivar swallows: longer frames than this never arrive, nor anything behind them.
    @ivar got: what the target got.
    @ivar tokens: those that it was shown.
    @ivar byes: how many sessions have taken their leave.
    """

    def __init__(self, status: ServerStatus | None = None, *, answers: bool = True, welcomes: bool = True) -> None:
        self.outgoing = b""
        self.isClosed = False
        self.status = status
        self.answers = answers
        self.welcomes = welcomes
        self.swallows = 1 << 20
        self.got: list[bytes] = []
        self.byes = 0
        self.tokens: list[Token | None] = []
        self._decoder: ClientHelloDecoder | None = ClientHelloDecoder()
        self._codec = Format2Codec(Numbering())

    def take(self, data: bytes) -> None:
        if self._decoder is not None:
            heard = self._decoder.feed(data)
            if heard is None:
                return
            self._decoder = None
            self.tokens.append(heard[0].token)
            self.outgoing += encodeServerHello(ServerHello(self.welcomes, isNew=True, keptSeconds=150))
            self.isClosed = not self.welcomes
            data = heard[1]
        if len(data) > self.swallows:
            self.swallows = 0
            return
        decoded = self._codec.decode(data)
        for _, train in decoded.arrivals:
            self.got.append(train.payload)
            if self.answers:
                self.outgoing += self._codec.encode([Train(len(train.payload), train.payload)])
        for kind, payload in decoded.controls:
            if kind is Kind.PING:
                self.outgoing += controlFrame(Kind.PONG, payload)
            elif kind is Kind.QUERY and self.status is not None:
                self.outgoing += controlFrame(Kind.STATUS, encodeStatus(self.status))
            elif kind is Kind.BYE:
                self.byes += 1


class ProtocolRefused(Exception):
    """
    Makes OpenSSL send the alert that there is no protocol in common.
    """


def refuseProtocols(*_: object) -> bytes:
    """
    Take none of the protocols that are offered by ALPN.
    """
    raise ProtocolRefused


class Secured:
    """
    Speaks TLS before a program.
    """

    def __init__(
        self,
        credentials: ServerCredentials | Issued,
        program: Speaks,
        *,
        insists: bool = False,
        chooses: bytes | None = None,
    ) -> None:
        """
        @param credentials: those of a server of ours; a certificate alone for one that knows no ALPN.
        @param insists: whether one with a certificate alone ends what asks for another protocol than its own.
        @param chooses: what one with a certificate alone chooses by ALPN, if anything.
        """
        self.outgoing = b""
        self.isClosed = False
        self._program = program
        if isinstance(credentials, Issued):
            context = SSL.Context(SSL.TLS_SERVER_METHOD)
            context.use_certificate(credentials.certificate)
            context.use_privatekey(credentials.key)
            if insists:
                context.set_alpn_select_callback(refuseProtocols)
            elif chooses is not None:
                context.set_alpn_select_callback(lambda *_: chooses)
            self._connection: SSL.Connection = SSL.Connection(context)
        else:
            self._connection = credentials.connection()
        self._connection.set_accept_state()

    def take(self, data: bytes) -> None:
        self._connection.bio_write(data)
        try:
            with suppress(SSL.WantReadError):
                self._connection.do_handshake()
                while True:
                    self._program.take(self._connection.recv(1 << 16))
        except SSL.ZeroReturnError:
            self.isClosed = True
        except (SSL.Error, ProtocolRefused):
            self.isClosed = True
        if self._program.outgoing:
            self._connection.send(self._program.outgoing)
            self._program.outgoing = b""
        with suppress(SSL.WantReadError):
            while True:
                self.outgoing += self._connection.bio_read(1 << 16)
        self.isClosed = self.isClosed or self._program.isClosed


class MemoryLine:
    """
    Is a connection to a program.
    """

    def __init__(self, machine: MemoryMachine, program: Speaks) -> None:
        self._machine = machine
        self._program = program
        self.isOpen = True

    def send(self, data: bytes, seconds: float) -> None:
        self._machine.time += self._machine.sendSeconds
        self._program.take(data)

    def receive(self, seconds: float) -> bytes:
        if self._program.outgoing:
            self._machine.time += ROUND_TRIP
            came, self._program.outgoing = self._program.outgoing, b""
            return came
        if self._program.isClosed:
            return b""
        self._machine.time += seconds
        raise TimeoutError

    def pathStats(self) -> PathStats | None:
        return self._machine.path

    def close(self) -> None:
        self.isOpen = False


class MemoryMachine:
    """
    Is a machine where all is well, until a test says otherwise.

    @ivar time: monotonic seconds.
    @ivar wallClock: what the clock says.
    @ivar synchronized: see L{Machine.isSynchronized}.
    @ivar found: what a lookup brings.
    @ivar program: makes what is at the server's port, for each connection; or an error.
    @ivar made: what it has made.
    @ivar lines: the connections.
    @ivar path: what the kernel tells of them.
    @ivar markError: why no mark can be set.
    @ivar marks: those that rules name.
    @ivar marked: with which marks connections were made.
    @ivar buffer: what the kernel grants.
    @ivar way: how the server is reached.
    @ivar sendSeconds: how long it takes to send something.
    """

    def __init__(self, program: Callable[[], Speaks] | OSError) -> None:
        self.time = 1000.0
        self.wallClock: datetime = NOW
        self.synchronized: bool | None = True
        self.found: Addresses | Exception = [SERVER]
        self.program = program
        self.made: list[Speaks] = []
        self.lines: list[MemoryLine] = []
        self.path: PathStats | None = PathStats(1000, 0, 0.02, 0.02)
        self.markError: str | None = None
        self.marks: set[int] | None = set()
        self.marked: list[int | None] = []
        self.buffer = Buffer(UDP_BUFFER_BYTES, UDP_BUFFER_BYTES)
        self.way: Way | None = Way("eth0")
        self.sendSeconds = 0.001

    def seconds(self) -> float:
        return self.time

    def now(self) -> datetime:
        return self.wallClock

    def isSynchronized(self) -> bool | None:
        return self.synchronized

    def addressesOf(self, host: str, port: int, seconds: float) -> Addresses:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def nameServers(self) -> list[str]:
        return ["192.0.2.53"]

    def connect(self, address: Any, mark: int | None, mss: int | None, seconds: float) -> TcpLine:
        self.marked.append(mark)
        if isinstance(self.program, OSError):
            raise self.program
        program = self.program()
        self.made.append(program)
        self.lines.append(MemoryLine(self, program))
        return self.lines[-1]

    def markTrouble(self, mark: int) -> str | None:
        return self.markError

    def hasRuleFor(self, mark: int) -> bool | None:
        return None if self.marks is None else mark in self.marks

    def udpBuffer(self, wanted: int) -> Buffer:
        return self.buffer

    def wayTo(self, address: Any, mark: int | None) -> Way | None:
        return self.way


_machine: type[Machine] = MemoryMachine
_line: type[TcpLine] = MemoryLine
