"""
What stands between a stream and its protocol once the stream carries WebSocket: the one side
writes messages, and the other gets what was in them.

A lone datagram is one message, which most often comes in one read.  So it passes one function
more each way.  Everything else goes through L{uotp.transport.websocket.decoder.FrameDecoder}, a
portion at a time: what is left over waits for the next turn, as whatever else a peer sends, and
nothing more is read meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from uotp.boundaries import Allowance
from uotp.errors import PeerError
from uotp.process import Unlimited
from uotp.transport.websocket.decoder import FrameDecoder
from uotp.transport.websocket.frames import (
    FINAL,
    MASKED,
    MOST_IN_TWO_BYTES,
    NO_MASK,
    SHORT_BYTES,
    TWO_BYTES,
    CloseCode,
    Opcode,
    closeMessage,
    controlMessage,
    frameHeader,
)

PORTION_FRAMES = 64
"""So many frames are decoded before somebody looks whether that is enough for this turn: some 100 microseconds."""

FRAMES_A_UNIT = 8
"""To take so many frames apart costs one unit of an allowance, as a lone datagram does."""

MOST_FRAMES = 2048
"""
So many frames may come at one go, and where nobody bounds the work so many in all that bring nothing: before the other
end has shown who it is, one or two messages come.  It takes some three milliseconds.
"""

MUCH_IN_VAIN = "it sends thousands of frames of WebSocket with almost nothing in them"
"""Why somebody is refused who sends more."""

PONG_SECONDS = 1.0
"""While the other end takes nothing, a ping is answered no more often, so that answers do not pile up."""

PONG_UNITS = 2
"""To answer a ping takes about as long as to hand on so many lone datagrams."""

GOODBYE_SECONDS = 1.0
"""So long the other end may take to end a connection of which it has said that nothing more comes on it."""

BINARY = FINAL | Opcode.BINARY
"""The first byte of each message of ours."""

SHORT_HEADERS = {
    masks: [frameHeader(Opcode.BINARY, size, masks=masks) for size in range(SHORT_BYTES + 1)] for masks in (False, True)
}
"""What stands before a short payload, by whether we are the client, and by its size."""


class CarryingStream(Protocol):
    """
    Is the stream that carries the messages.

    @ivar allowance: of whom it carries for.
    @ivar isPaused: whether nothing is to be handed on.
    @ivar reactor: C{IReactorTime}.
    """

    allowance: Allowance
    isPaused: bool
    reactor: Any

    def queuedBytes(self) -> int:
        """
        @return: what the stream holds and has not given to the kernel.
        """

    def close(self) -> None:
        """
        Send what is written, then close.
        """

    def abort(self) -> None:
        """
        Close now.
        """

    def fail(self, error: PeerError) -> None:
        """
        Close now, since the other end did what it may not do.
        """


class WebSocketCarrier:
    """
    Is the protocol of a stream that carries WebSocket, and what is written to such a stream.

    @ivar protocol: gets what comes in messages.
    """

    def __init__(
        self, stream: CarryingStream, writeBare: Callable[[bytes], None], protocol: Any, *, masks: bool
    ) -> None:
        """
        @param writeBare: writes bytes to the stream as they are.
        @param masks: whether this end is the client.
        """
        self.protocol = protocol
        self._stream = stream
        self._writeBare = writeBare
        self._masks = masks
        self._decoder = FrameDecoder(isMasked=not masks)
        self._hasTurn = False
        self._vain = 0  # frames that brought nothing, while nobody bounds the work
        self._hasSaidGoodbye = self._isLost = False
        self._lastPong = float("-inf")
        self._deadline: Any = None
        # All that stands before a payload of our own peer, but for its length.
        self._flag = 0 if masks else MASKED
        self._comingMask = b"" if masks else NO_MASK
        self._shortSize, self._longSize = 2 + len(self._comingMask), 4 + len(self._comingMask)
        self._goingShort = SHORT_HEADERS[masks]
        self._goingLong = bytes((BINARY, (MASKED if masks else 0) | TWO_BYTES))
        self._goingMask = NO_MASK if masks else b""

    # What is written.

    def write(self, data: bytes) -> None:
        """
        Write one message.
        """
        size = len(data)
        if size > SHORT_BYTES:
            if size <= MOST_IN_TWO_BYTES:
                self._writeBare(self._goingLong + size.to_bytes(2, "big") + self._goingMask + data)
            else:
                self._writeBare(frameHeader(Opcode.BINARY, size, masks=self._masks) + data)
        elif size:
            self._writeBare(self._goingShort[size] + data)

    def sayGoodbye(self, code: int | None = CloseCode.NORMAL) -> None:
        """
        Say once, behind what is written, that nothing more comes.
        """
        if not self._hasSaidGoodbye:
            self._hasSaidGoodbye = True
            self._writeBare(closeMessage(code, masks=self._masks))

    # What comes.

    def dataReceived(self, data: bytes) -> None:
        """
        Something has come.  Where it is one message of our own kind, and nothing else, hand it on.
        """
        decoder = self._decoder
        if decoder.isAtRest and data[0] == BINARY:
            size = len(data) - self._shortSize
            if 0 < size <= SHORT_BYTES:
                if data[1] == self._flag | size and data[2 : self._shortSize] == self._comingMask:
                    self.protocol.dataReceived(data[self._shortSize :])
                    return
            else:
                size = len(data) - self._longSize
                if (
                    SHORT_BYTES < size <= MOST_IN_TWO_BYTES
                    and data[1] == self._flag | TWO_BYTES
                    and data[2] << 8 | data[3] == size
                    and data[4 : self._longSize] == self._comingMask
                ):
                    self.protocol.dataReceived(data[self._longSize :])
                    return
        decoder.feed(data)
        if not self._hasTurn and not self._stream.isPaused:
            self._goOn()

    def resume(self) -> None:
        """
        The stream hands on again what comes: go on with what has come before.
        """
        if not self._decoder.isAtRest and not self._hasTurn:
            self._takeTurn()

    def _takeTurn(self) -> None:
        self._hasTurn = True
        self._stream.allowance.later(self._turn)

    def _turn(self) -> None:
        self._hasTurn = False
        if not self._isLost and not self._stream.isPaused:
            self._goOn()

    def _goOn(self) -> None:
        """
        Decode what has come, as far as the allowance reaches, and hand it on at one go.
        """
        pieces: list[bytes | memoryview] = []
        isMore = False
        error: PeerError | None = None
        try:
            isMore = self._decode(pieces)
        except PeerError as found:
            error = found
        if self._decoder.ping is not None:
            self._answer()
        if pieces:
            self.protocol.dataReceived(b"".join(pieces))
        else:
            self._stream.allowance.spend(1)  # what brings nothing takes its time as well
        if error is not None:
            self.sayGoodbye(CloseCode.PROTOCOL_ERROR)
            self._stream.fail(error)
        elif self._decoder.hasClosed:
            self._close()
        elif isMore:
            self._takeTurn()

    def _decode(self, pieces: list[bytes | memoryview]) -> bool:
        """
        @return: whether something is left for the next turn.
        """
        allowance, count = self._stream.allowance, 0
        while True:
            before = len(pieces)
            taken = self._decoder.take(PORTION_FRAMES, pieces)
            allowance.spend(taken // FRAMES_A_UNIT)
            if isinstance(allowance, Unlimited):
                self._vain += max(0, taken - (len(pieces) - before))
                if self._vain >= MOST_FRAMES:
                    raise PeerError(MUCH_IN_VAIN)
            if taken < PORTION_FRAMES:
                return False
            if allowance.isSpent or allowance.owner.isExhausted:
                return True
            count += taken
            if count >= MOST_FRAMES:
                raise PeerError(MUCH_IN_VAIN)

    def _answer(self) -> None:
        """
        Answer the last ping that has come, which is enough for all before it.  While the stream holds something, the
        other end reads slowly or not at all.
        """
        ping, self._decoder.ping = self._decoder.ping, None
        if ping is None or self._hasSaidGoodbye:
            return
        now = self._stream.reactor.seconds()
        if self._stream.queuedBytes() and now < self._lastPong + PONG_SECONDS:
            return
        self._lastPong = now
        self._stream.allowance.spend(PONG_UNITS)
        self._writeBare(controlMessage(Opcode.PONG, ping, masks=self._masks))

    # The end.

    def _close(self) -> None:
        """
        The other end has said that nothing more comes: say the same, and close.
        """
        if self._deadline is None:
            self.sayGoodbye(self._decoder.closeCode)
            self._deadline = self._stream.reactor.callLater(GOODBYE_SECONDS, self._stream.abort)
            self._stream.close()

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection is gone.  After a goodbye that is in good order, whatever became of ours.
        """
        deadline = self._deadline
        if deadline is not None and deadline.active():
            deadline.cancel()
        self._isLost = True
        isExpected = self._decoder.hasClosed and reason.check(ConnectionLost) and not reason.check(ConnectionAborted)
        self.protocol.connectionLost(Failure(ConnectionDone()) if isExpected else reason)
