"""
What a client may say within WebSocket once it was let in, the worst that can be constructed: bytes by the name of what
is wrong with them.  Each but the close is allowed by RFC 6455, and costs more to read than to send.  Pure: nothing is
sent here, and nothing of our package is used.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import cycle

from tests.integration.rawformat2 import PADDING, RawFrame

CONTINUATION, BINARY, CLOSE, PING, PONG = 0, 2, 8, 9, 10

FINAL = MASKED = 0x80

MOST_SHORT = 125

Frames = Iterator[bytes]


def frame(opcode: int, payload: bytes = b"", mask: bytes | None = bytes(4), *, isFinal: bool = True) -> bytes:
    """
    @param mask: of a client; L{None} for a server, who has none.
    @return: one frame.
    """
    size, flag = len(payload), 0 if mask is None else MASKED
    length = bytes([flag | size]) if size <= MOST_SHORT else bytes([flag | 126]) + size.to_bytes(2, "big")
    masked = payload if not mask or not any(mask) else xored(payload, mask)
    return bytes([(FINAL if isFinal else 0) | opcode]) + length + (mask or b"") + masked


def xored(payload: bytes, mask: bytes) -> bytes:
    """
    @return: a payload under a mask.
    """
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(len(payload), "big")


def _inside(size: int) -> Frames:
    """
    @return: frames of format 2 that mean nothing, of so many bytes each.
    """
    return cycle([RawFrame(PADDING, bytes(size - 10)).encode()])


def _ones(*, isFinal: bool) -> Frames:
    """
    Cut frames of format 2 into single bytes.
    """
    for each in _inside(1000):
        for at in range(len(each)):
            yield frame(BINARY if isFinal else CONTINUATION, each[at : at + 1], isFinal=isFinal)


def _pingsBetween() -> Frames:
    for each in _ones(isFinal=False):
        yield each
        yield frame(PING, b"?")


def _any(dice: random.Random) -> Frames:
    inside = _inside(100)
    while True:
        kind = dice.random()
        if kind < 0.5:
            yield frame(BINARY, next(inside), dice.randbytes(4))
        elif kind < 0.7:
            yield frame(BINARY)
        else:
            yield frame(dice.choice((PING, PONG)), dice.randbytes(dice.randrange(MOST_SHORT)), dice.randbytes(4))


def _goodbye(dice: random.Random) -> Frames:
    yield frame(CLOSE, (1000).to_bytes(2, "big"))
    while True:
        yield dice.randbytes(1000)


MESSAGES: dict[str, Callable[[random.Random], Frames]] = {
    "fragments of one byte": lambda _: _ones(isFinal=False),
    "pings": lambda dice: (frame(PING, bytes(MOST_SHORT), dice.randbytes(4)) for _ in cycle([0])),
    "empty fragments": lambda _: cycle([frame(CONTINUATION, isFinal=False)]),
    "random masks": lambda dice: (frame(BINARY, each, dice.randbytes(4)) for each in _inside(1400)),
    "a close and more": _goodbye,
    "messages of one byte": lambda _: _ones(isFinal=True),
    "empty messages": lambda _: cycle([frame(BINARY)]),
    "empty pings": lambda _: cycle([frame(PING)]),
    "pongs": lambda dice: (frame(PONG, bytes(MOST_SHORT), dice.randbytes(4)) for _ in cycle([0])),
    "pings between fragments": lambda _: _pingsBetween(),
    "long random masks": lambda dice: (frame(BINARY, each, dice.randbytes(4)) for each in _inside(65535)),
    "random frames": _any,
}
"""By name, what is said, the worst first.  Those that are cut into fragments are one message without end."""

IN_FRAGMENTS = frozenset({"fragments of one byte", "empty fragments", "pings between fragments"})


def messages(kind: str, size: int, tunnel: int = 0) -> bytes:
    """
    @param kind: one of L{MESSAGES}.
    @param size: bytes, at least; the last frame of format 2 is whole, and so is the last message.
    @param tunnel: which tunnel of an attack it is for.
    @return: frames of a client.
    """
    made = bytearray(frame(BINARY, isFinal=False) if kind in IN_FRAGMENTS else b"")
    inside = 0  # bytes of format 2 so far, where each frame brings one
    for one in MESSAGES[kind](random.Random(tunnel)):  # noqa: S311 - the same each time
        made += one
        inside += "one byte" in kind or ("between" in kind and one[0] & 15 == CONTINUATION)
        if len(made) >= size and inside % 1000 == 0:
            break
    return bytes(made) + (frame(CONTINUATION) if kind in IN_FRAGMENTS else b"")
