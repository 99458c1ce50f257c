"""
What comes in frames of WebSocket, without any I/O.  The payload of binary messages is one stream
of bytes: it is handed on as it comes, and where messages and frames begin and end does not matter.

Whoever calls bounds the work: a frame costs the same, however little is in it.
"""

from __future__ import annotations

from uotp.errors import PeerError
from uotp.transport.websocket.frames import (
    FINAL,
    MASKED,
    MOST_IN_TWO_BYTES,
    NO_MASK,
    SHORT_BYTES,
    TWO_BYTES,
    Opcode,
)

EXTENDED = 0x70
"""The bits of the first byte that belong to extensions, of which we offer none."""

OPCODE = 0x0F

LENGTH = 0x7F
"""The bits of the second byte that say how long the payload is, or where that is said."""

MOST_PAYLOAD_BYTES = (1 << 63) - 1
"""No payload has more bytes."""

CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})
"""The reasons for a close that may be said on the wire."""


class FrameDecoder:
    """
    Takes the frames of one end apart.

    @ivar isAtRest: whether a message may begin with the next byte, and nothing waits to be decoded.
    @ivar ping: the payload of the last ping that has not been answered, or L{None}.
    @ivar hasClosed: whether the other end has said that nothing more comes.  What it says behind
        that is passed over.
    @ivar closeCode: why, if it has said so.
    """

    __slots__ = (
        "_at",
        "_data",
        "_inMessage",
        "_isMasked",
        "_left",
        "_mask",
        "_maskAt",
        "closeCode",
        "hasClosed",
        "isAtRest",
        "ping",
    )

    def __init__(self, *, isMasked: bool) -> None:
        """
        @param isMasked: whether the other end is a client, and has to mask its frames.
        """
        self._isMasked = MASKED if isMasked else 0
        self._data = b""
        self._at = 0  # where in it we are
        self._left = 0  # of the payload of a frame
        self._mask = NO_MASK
        self._maskAt = 0  # which byte of the mask comes next
        self._inMessage = False
        self.isAtRest = True
        self.ping: bytes | None = None
        self.hasClosed = False
        self.closeCode: int | None = None

    def feed(self, data: bytes) -> None:
        """
        Something has come.
        """
        held = self._data[self._at :]
        self._data, self._at = held + data if held else data, 0

    def take(self, most: int, pieces: list[bytes | memoryview]) -> int:
        """
        Decode what has come.

        @param most: frames that may be decoded at one go.
        @param pieces: the payload of messages is put here, in order, and not copied where it need not be.
        @return: how many frames that were; there may be more when these are C{most}.
        @raise PeerError: when the other end has said what it may not.
        """
        count = 0
        while not self.hasClosed:
            if self._left:
                self._takePayload(pieces)
                if self._left:
                    break
            if count == most or not self._takeHeader():
                break
            count += 1
        if self.hasClosed or self._at == len(self._data):
            self._data, self._at = b"", 0  # a connection at rest keeps nothing of what it has carried
        self.isAtRest = not (self._left or self._inMessage or self.hasClosed or self._data)
        return count

    def _takePayload(self, pieces: list[bytes | memoryview]) -> None:
        at = self._at
        piece: bytes | memoryview = memoryview(self._data)[at : at + self._left]
        size = len(piece)
        if not size:
            return
        self._at = at + size
        self._left -= size
        if self._mask is not NO_MASK:
            piece = unmasked(piece, self._mask, self._maskAt)
            self._maskAt = (self._maskAt + size) % 4
        pieces.append(piece)

    def _takeHeader(self) -> bool:
        """
        Take the header of a frame, and all of a control frame.

        @return: whether it was all there.
        """
        data, at = self._data, self._at
        there = len(data) - at
        if there <= 1:
            if there:
                self._requireFirst(data[at])
            return False
        first, second = data[at], data[at + 1]
        self._requireFirst(first)
        isControl = first & OPCODE >= Opcode.CLOSE
        if second & MASKED != self._isMasked:
            reason = (
                "it does not mask what it sends, as a client of WebSocket has to"
                if self._isMasked
                else "it masks what it sends, as a server of WebSocket may not"
            )
            raise PeerError(reason)
        size, at = second & LENGTH, at + 2
        if size > SHORT_BYTES:
            if isControl:
                reason = "a control frame of WebSocket has more than 125 bytes"
                raise PeerError(reason)
            width = 2 if size == TWO_BYTES else 8
            if there < 2 + width:
                return False
            size = int.from_bytes(data[at : at + width], "big")
            requireMinimal(size, width)
            at += width
        mask = NO_MASK
        if self._isMasked:
            if len(data) < at + 4:
                return False
            mask = data[at : at + 4]
            at += 4
        if isControl:
            return self._takeControl(first & OPCODE, data, at, size, mask)
        self._at, self._left = at, size
        self._mask, self._maskAt = NO_MASK if mask == NO_MASK else mask, 0
        self._inMessage = not first & FINAL
        return True

    def _requireFirst(self, first: int) -> None:
        """
        @raise PeerError: when no frame may begin with this byte here.
        """
        opcode = first & OPCODE
        if first & EXTENDED:
            reason = "a frame of WebSocket uses an extension, and none was agreed on"
        elif opcode == Opcode.BINARY:
            if not self._inMessage:
                return
            reason = "a message of WebSocket begins within another one"
        elif opcode == Opcode.CONTINUATION:
            if self._inMessage:
                return
            reason = "a message of WebSocket goes on that has not begun"
        elif Opcode.CLOSE <= opcode <= Opcode.PONG:
            if first & FINAL:
                return
            reason = "a control frame of WebSocket is in pieces"
        elif opcode == Opcode.TEXT:
            reason = "a message of WebSocket is text"
        else:
            reason = f"there is no frame of WebSocket of kind {opcode}"
        raise PeerError(reason)

    def _takeControl(self, opcode: int, data: bytes, at: int, size: int, mask: bytes) -> bool:
        payload = data[at : at + size]
        if len(payload) < size:
            return False
        self._at = at + size
        if mask != NO_MASK:
            payload = unmasked(payload, mask, 0)
        if opcode == Opcode.PING:
            self.ping = payload
        elif opcode == Opcode.CLOSE:
            self.closeCode = closeCodeOf(payload)
            self.hasClosed = True
        return True


def requireMinimal(size: int, width: int) -> None:
    """
    @param size: a length.
    @param width: in how many bytes it was said.
    @raise PeerError: when it may not be said so.
    """
    if size <= (SHORT_BYTES if width == 2 else MOST_IN_TWO_BYTES):  # noqa: PLR2004
        reason = "the length of a frame of WebSocket takes more bytes than it needs"
        raise PeerError(reason)
    if size > MOST_PAYLOAD_BYTES:
        reason = "a frame of WebSocket is longer than any may be"
        raise PeerError(reason)


def closeCodeOf(payload: bytes) -> int | None:
    """
    @param payload: what stands in a close.
    @return: the reason that it says, if it says one.
    @raise PeerError: when it is none.
    """
    if not payload:
        return None
    code = int.from_bytes(payload[:2], "big")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        isText = False
    else:
        isText = True
    if len(payload) < 2 or code not in CODES or not isText:  # noqa: PLR2004
        reason = "a close of WebSocket says a reason that there is not"
        raise PeerError(reason)
    return code


def unmasked(data: bytes | memoryview, mask: bytes, at: int) -> bytes:
    """
    @param mask: four bytes.
    @param at: which of them is for the first byte of data.
    @return: the data without it.
    """
    size = len(data)
    key = (mask[at:] + mask[:at]) * (size // 4 + 1)
    both = int.from_bytes(data, "little") ^ int.from_bytes(key[:size], "little")
    return both.to_bytes(size, "little")
