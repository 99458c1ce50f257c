"""
The way goes on inside WebSocket: what asks for that at a path, and the line that carries it then.  The path may be a
secret: it is in the request, and in nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from uotp.doctor.channel import ServerChannel
from uotp.doctor.seams import TcpLine
from uotp.errors import PeerError
from uotp.path import PathStats
from uotp.transport import FrameDecoder, Opcode, UpgradeRefused, WebSocketUpgrade, controlMessage, frameHeader

FRAMES_AT_ONCE = 1024
"""So many frames are taken apart before somebody looks whether there are more."""


class UpgradeEnd(Enum):
    """
    Names what comes of the question for WebSocket where there is none.

    REFUSED: it was answered otherwise in HTTP.
    FOREIGN: what came is no answer of HTTP.
    CLOSED: the connection was closed without an answer.
    SILENT: nothing came, or not all of an answer.
    HTTP_2: it was not asked, since HTTP/2 is spoken there.
    """

    REFUSED = auto()
    FOREIGN = auto()
    CLOSED = auto()
    SILENT = auto()
    HTTP_2 = auto()


@dataclass(frozen=True, slots=True)
class NoUpgrade:
    """
    Says why there is no WebSocket.

    @ivar words: what a refusal means; nothing where none came.
    @ivar status: of the answer; L{None} where it is none of HTTP.
    @ivar shown: what came first, so that it is known who speaks.
    """

    end: UpgradeEnd
    words: str = ""
    status: int | None = None
    shown: bytes = field(default=b"", repr=False)


class UpgradeFailed(Exception):
    """
    Is raised when there is no WebSocket.

    @ivar why: that, as a value.
    """

    def __init__(self, why: NoUpgrade) -> None:
        super().__init__(why.end.name)
        self.why = why


class BrokenCarrier(OSError):
    """
    Is raised when the other end breaks the rules of WebSocket.  Its text says how.
    """

    def __init__(self, words: str) -> None:
        super().__init__(0, words)
        self.words = words


class CarriedLine:
    """
    Is a line inside WebSocket: what is sent are messages, and what comes was in messages.  Pings are answered.
    """

    def __init__(self, line: TcpLine, begun: bytes, clock: Callable[[], float]) -> None:
        """
        @param line: what carries the messages.
        @param begun: what has come of them already.
        @param clock: monotonic seconds.
        """
        self._line = line
        self._clock = clock
        self._decoder = FrameDecoder(isMasked=False)
        self._decoder.feed(begun)

    def send(self, data: bytes, seconds: float) -> None:
        """
        See L{TcpLine.send}.
        """
        self._line.send(frameHeader(Opcode.BINARY, len(data), masks=True) + data, seconds)

    def receive(self, seconds: float) -> bytes:
        """
        See L{TcpLine.receive}.

        @raise BrokenCarrier: when what comes is none of WebSocket.
        """
        deadline = self._clock() + seconds
        while True:
            payload = self._decoded()
            left = deadline - self._clock()
            self._answerPing(left)
            if payload or self._decoder.hasClosed:
                return payload
            if left <= 0:
                raise TimeoutError
            came = self._line.receive(left)
            if not came:
                return b""
            self._decoder.feed(came)

    def _decoded(self) -> bytes:
        pieces: list[bytes | memoryview] = []
        try:
            while self._decoder.take(FRAMES_AT_ONCE, pieces) == FRAMES_AT_ONCE:
                pass
        except PeerError as error:
            raise BrokenCarrier(str(error)) from None
        return b"".join(pieces)

    def _answerPing(self, seconds: float) -> None:
        ping, self._decoder.ping = self._decoder.ping, None
        if ping is not None:
            self._line.send(controlMessage(Opcode.PONG, ping, masks=True), seconds)

    def pathStats(self) -> PathStats | None:
        """
        See L{TcpLine.pathStats}.
        """
        return self._line.pathStats()

    def close(self) -> None:
        """
        See L{TcpLine.close}.
        """
        self._line.close()


def becomeWebSocket(
    channel: ServerChannel, host: str, path: str, seconds: float, clock: Callable[[], float]
) -> ServerChannel:
    """
    Ask a web server to go on with WebSocket.

    @param channel: the connection, after the handshake.
    @param host: host and port, as they stand in the URL.
    @param path: of the URL.
    @param seconds: how long the answer may take.
    @param clock: monotonic seconds.
    @return: the same connection inside WebSocket.
    @raise UpgradeFailed: when that does not go on so.
    @raise HandshakeTrouble: when the other end refuses our certificate.
    """
    upgrade = WebSocketUpgrade(host, path, secrets.token_bytes)
    deadline = clock() + seconds
    shown = b""
    try:
        channel.send(upgrade.request(), seconds)
        while True:  # as long as the upgrade lets an answer be
            came = channel.receive(deadline - clock())
            if not came:
                raise UpgradeFailed(NoUpgrade(UpgradeEnd.CLOSED, shown=shown))
            shown += came
            rest = upgrade.received(came)
            if rest is not None:
                return ServerChannel(CarriedLine(channel, rest, clock), None, clock)
    except UpgradeRefused as error:
        end = UpgradeEnd.FOREIGN if error.status is None else UpgradeEnd.REFUSED
        raise UpgradeFailed(NoUpgrade(end, str(error), error.status, shown)) from None
    except TimeoutError:
        raise UpgradeFailed(NoUpgrade(UpgradeEnd.SILENT, shown=shown)) from None
    except OSError:
        raise UpgradeFailed(NoUpgrade(UpgradeEnd.CLOSED, shown=shown)) from None
