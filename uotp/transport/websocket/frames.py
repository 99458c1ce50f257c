"""
The frames of WebSocket as they are written.  One write becomes one binary message, of one frame.

A client has to mask what it writes.  The mask is there to keep a browser's script from choosing
the bytes on the wire; nobody but we choose ours.  So the client's mask is zero: it is set, as the
standard wants it, and to apply it changes nothing.
"""

from __future__ import annotations

from enum import IntEnum


class Opcode(IntEnum):
    """
    Names what a frame is.
    """

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class CloseCode(IntEnum):
    """
    Names why an end closes.
    """

    NORMAL = 1000
    PROTOCOL_ERROR = 1002


FINAL = 0x80
"""The bit of the first byte that is set in the last frame of a message."""

MASKED = 0x80
"""The bit of the second byte that is set where a mask follows the length."""

SHORT_BYTES = 125
"""A payload of so many bytes has its length in the second byte, and a control frame may not have more."""

TWO_BYTES = 126
EIGHT_BYTES = 127
"""What the second byte says where a length of two or of eight bytes follows."""

MOST_IN_TWO_BYTES = 0xFFFF
"""The longest payload whose length takes two bytes."""

NO_MASK = bytes(4)
"""The mask that changes nothing."""


def frameHeader(opcode: int, size: int, *, masks: bool) -> bytes:
    """
    @param size: of the payload, in bytes.
    @param masks: whether the frame goes to a server, and so has a mask, which is zero.
    @return: what stands before the payload.
    """
    first, flag, mask = FINAL | opcode, MASKED if masks else 0, NO_MASK if masks else b""
    if size <= SHORT_BYTES:
        return bytes((first, flag | size)) + mask
    if size <= MOST_IN_TWO_BYTES:
        return bytes((first, flag | TWO_BYTES)) + size.to_bytes(2, "big") + mask
    return bytes((first, flag | EIGHT_BYTES)) + size.to_bytes(8, "big") + mask


def controlMessage(opcode: Opcode, payload: bytes = b"", *, masks: bool) -> bytes:
    """
    @param payload: at most L{SHORT_BYTES}.
    @return: a whole ping, pong or close.
    """
    assert len(payload) <= SHORT_BYTES
    return frameHeader(opcode, len(payload), masks=masks) + payload


def closeMessage(code: int | None, *, masks: bool) -> bytes:
    """
    @param code: why we close; L{None} to say nothing of that.
    @return: the last message.
    """
    payload = b"" if code is None else code.to_bytes(2, "big")
    return controlMessage(Opcode.CLOSE, payload, masks=masks)
