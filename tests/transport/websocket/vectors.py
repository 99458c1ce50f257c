"""
Frames of WebSocket, byte for byte.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.wire.vectors import Vector

MASK = bytes.fromhex("37 fa 21 3d")
"""The mask of the examples in RFC 6455, section 5.7."""


class FrameVector(NamedTuple):
    """
    Shows what a whole message is on the wire.
    """

    text: str
    payload: bytes
    octets: bytes
    isMasked: bool


class ForbiddenFrame(NamedTuple):
    """
    Shows what the other end may not say; with the last byte that is clear.
    """

    text: str
    octets: bytes
    isMasked: bool
    reason: str


WRITTEN = [
    FrameVector("one byte", b"a", b"\x82\x01a", False),
    FrameVector("one byte of a client", b"a", b"\x82\x81\0\0\0\0a", True),
    FrameVector("the longest short one", b"s" * 125, b"\x82\x7d" + b"s" * 125, False),
    FrameVector("the same of a client", b"s" * 125, b"\x82\xfd\0\0\0\0" + b"s" * 125, True),
    FrameVector("the shortest with two bytes", b"m" * 126, b"\x82\x7e\0\x7e" + b"m" * 126, False),
    FrameVector("the same of a client", b"m" * 126, b"\x82\xfe\0\x7e\0\0\0\0" + b"m" * 126, True),
    FrameVector("the longest with two bytes", b"M" * 65535, b"\x82\x7e\xff\xff" + b"M" * 65535, False),
    FrameVector("the same of a client", b"M" * 65535, b"\x82\xfe\xff\xff\0\0\0\0" + b"M" * 65535, True),
    FrameVector(
        "the shortest with eight bytes", b"L" * 65536, b"\x82\x7f" + (65536).to_bytes(8, "big") + b"L" * 65536, False
    ),
    FrameVector(
        "the same of a client", b"L" * 65536, b"\x82\xff" + (65536).to_bytes(8, "big") + bytes(4) + b"L" * 65536, True
    ),
]
"""What our own ends write."""

UNDERSTOOD = [
    *WRITTEN,
    FrameVector("nothing", b"", b"\x82\0", False),
    FrameVector("masked as the standard's example", b"Hello", b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", True),
    FrameVector("in three frames", b"abcd", b"\x02\x02ab\0\0\x80\x02cd", False),
    FrameVector("with a ping between", b"abcd", b"\x02\x02ab\x89\x01?\x80\x02cd", False),
    FrameVector("with a pong between", b"abcd", b"\x02\x02ab\x8a\x05what?\x80\x02cd", False),
    FrameVector("two messages", b"abcd", b"\x82\x02ab\x82\x02cd", False),
    FrameVector("two masked ones", b"\0\0", b"\x82\x81\1\2\3\4\1\x82\x81\4\3\2\1\4", True),
]
"""What others may write too, and web servers on the way."""

FORBIDDEN = [
    ForbiddenFrame("text", b"\x81", False, "text"),
    ForbiddenFrame("text in pieces", b"\x01", False, "text"),
    ForbiddenFrame("another kind of data", b"\x83", False, "kind 3"),
    ForbiddenFrame("the last kind of data", b"\x87", False, "kind 7"),
    ForbiddenFrame("another kind of control", b"\x8b", False, "kind 11"),
    ForbiddenFrame("the last kind of control", b"\x8f", False, "kind 15"),
    *(ForbiddenFrame("an extension", bytes([0x82 | bit]), False, "extension") for bit in (0x10, 0x20, 0x40)),
    ForbiddenFrame("an extension of a ping", b"\xc9", False, "extension"),
    ForbiddenFrame("the middle of nothing", b"\0", False, "has not begun"),
    ForbiddenFrame("the end of nothing", b"\x80", False, "has not begun"),
    ForbiddenFrame("a message within another", b"\x02\x01a\x82", False, "within another"),
    ForbiddenFrame("a ping in pieces", b"\x09", False, "in pieces"),
    ForbiddenFrame("a close in pieces", b"\x08", False, "in pieces"),
    ForbiddenFrame("a long ping", b"\x89\x7e", False, "more than 125"),
    ForbiddenFrame("a longer pong", b"\x8a\xff", True, "more than 125"),
    ForbiddenFrame("a mask of a server", b"\x82\x81", False, "may not"),
    ForbiddenFrame("a ping with a mask of a server", b"\x89\x80", False, "may not"),
    ForbiddenFrame("no mask of a client", b"\x82\x01", True, "has to"),
    ForbiddenFrame("a close without a mask of a client", b"\x88\x00", True, "has to"),
    ForbiddenFrame("a short length in two bytes", b"\x82\x7e\0\x7d", False, "than it needs"),
    ForbiddenFrame("a short length in eight bytes", b"\x82\x7f" + (65535).to_bytes(8, "big"), False, "than it needs"),
    ForbiddenFrame("a length that is none", b"\x82\x7f\x80" + bytes(7), False, "longer than any"),
    ForbiddenFrame("half a reason", b"\x88\x01\x03", False, "reason"),
    ForbiddenFrame("a reason that is not said", b"\x88\x02\x03\xed", False, "reason"),  # 1005
    ForbiddenFrame("a reason that nobody has", b"\x88\x02\x03\xe7", False, "reason"),  # 999
    ForbiddenFrame("a reason without words", b"\x88\x03\x03\xe8\xff", False, "reason"),
    ForbiddenFrame("the same masked", b"\x88\x83\1\1\1\1\x02\xe9\xfe", True, "reason"),
]
"""What ends a connection."""

SHOWN = [
    Vector("websocket-of-a-server", "82 0b 03 00 0000 0000 00000000 00"),
    Vector("websocket-of-a-client", "82 8a 00000000 03 00 0000 0000 00000000"),
    Vector("websocket-long", "82 7e 0080" + "00" * 128),
]
"""The examples in C{docs/wire.rst}: a message of a server, of a client, and a long one."""
