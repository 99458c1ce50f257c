"""
What a peer may say on a tunnel, the worst that can be constructed: bytes by the name of what
is wrong with them.  Each is allowed by C{docs/wire.rst}, and costs more to read than to send.
Pure: nothing is sent here.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from itertools import count, cycle

from tests.integration.rawformat2 import DRAIN, MISSING, PADDING, PING, PONG, TRAIN, RawFrame
from tests.integration.rawpeers import frame

Frames = Iterator[bytes]

AGAIN = 1
"""The flag of a train that was sent before."""

UNKNOWN, LAST_KIND = 129, 255
"""Kinds that are skipped."""

NUMBERS = 1 << 32

FAR = 1 << 20
"""A jump ahead that nothing ever fills."""

BLOCK = 1 << 16
"""Each tunnel of an attack begins so many numbers later."""

LONGEST_PAYLOAD = 65535

_PAYLOAD = bytes(range(256)) * 256


def _lone(number: int, size: int = 0, flags: int = 0) -> bytes:
    return RawFrame(TRAIN, _PAYLOAD[:size], number % NUMBERS, size, flags).encode()


def _empty1() -> Frames:
    return cycle([frame(b"")])


def _ones1() -> Frames:
    return cycle([frame(b"x")])


def _alternating1() -> Frames:
    return cycle([frame(b"x"), frame(b"xy")])


def _growing1() -> Frames:
    return cycle([frame(_PAYLOAD[:size]) for size in range(64)])


def _large1() -> Frames:
    return cycle([frame(_PAYLOAD[:size]) for size in (65507, 1, 65506, 0)])


def _random1(dice: random.Random) -> Frames:
    return (frame(_PAYLOAD[: int(dice.paretovariate(0.7)) % 1500]) for _ in count())


def _trainOfOnes(begin: int) -> Frames:
    payload = _PAYLOAD[:LONGEST_PAYLOAD]
    return (RawFrame(TRAIN, payload, (begin + turn * LONGEST_PAYLOAD) % NUMBERS, 1).encode() for turn in count())


def _far(begin: int) -> Frames:
    return (_lone(begin + number * FAR, 1) for number in count())


def _wrapping(begin: int) -> Frames:
    return (_lone(begin + NUMBERS - 64 + number * (NUMBERS // 2 - 1), 1) for number in count())


def _reversed(begin: int) -> Frames:
    return (_lone(begin + NUMBERS // 4 - number, 1) for number in count())


def _again(begin: int) -> Frames:
    return (_lone(begin + 4096 - 2 * number, 1, AGAIN) for number in count())


def _random2(dice: random.Random) -> Frames:
    while True:
        size, kind = int(dice.paretovariate(0.7)) % 1500, dice.random()
        if kind < 0.7:
            flags, segment = int(dice.random() < 0.2), dice.randint(1, 1500)
            number = dice.choice([dice.randrange(NUMBERS), dice.randrange(1 << 16)])
            yield RawFrame(TRAIN, _PAYLOAD[:size], number, segment, flags).encode()
        elif kind < 0.8:
            yield RawFrame(PING, dice.randbytes(8)).encode()
        else:
            kinds = (PADDING, UNKNOWN, LAST_KIND)
            yield RawFrame(dice.choice(kinds), _PAYLOAD[:size]).encode()


def _missing(dice: random.Random) -> Frames:
    """
    Names as many ranges as it may: single numbers, all there are, and what lies in between.
    """
    while True:
        ranges = []
        for _ in range(16):
            first = dice.choice([dice.randrange(1 << 12), dice.randrange(NUMBERS)])
            ranges += [first, (first + dice.choice([0, 7, 1 << 16, NUMBERS - 1])) % NUMBERS]
        yield RawFrame(MISSING, struct.pack(">32I", *ranges)).encode()


def _pings(number: int) -> bytes:
    return RawFrame(PING, struct.pack(">Q", number)).encode()


FORMAT_1: dict[str, Callable[[int, random.Random], Frames]] = {
    "two-byte frames": lambda *_: _empty1(),
    "alternating lengths": lambda *_: _alternating1(),
    "one-byte datagrams": lambda *_: _ones1(),
    "growing lengths": lambda *_: _growing1(),
    "long and short": lambda *_: _large1(),
    "random lengths": lambda _, dice: _random1(dice),
}

FORMAT_2: dict[str, Callable[[int, random.Random], Frames]] = {
    "trains of one byte": lambda begin, _: _trainOfOnes(begin),
    "every other number": lambda begin, _: (_lone(begin + 2 * number, 1) for number in count()),
    "what is missing": lambda _, dice: _missing(dice),
    "random numbers": lambda _, dice: (_lone(dice.randrange(NUMBERS), 1) for _ in count()),
    "empty datagrams": lambda begin, _: (_lone(begin + number) for number in count()),
    "pings": lambda *_: (_pings(number) for number in count()),
    "unknown frames": lambda *_: cycle([RawFrame(kind).encode() for kind in range(UNKNOWN, LAST_KIND + 1)]),
    "marked again": lambda begin, _: _again(begin),
    "alternating lengths": lambda begin, _: (_lone(begin + number, 1 + number % 2) for number in count()),
    "reversed numbers": lambda begin, _: _reversed(begin),
    "far ahead": lambda begin, _: _far(begin),
    "wrapping numbers": lambda begin, _: _wrapping(begin),
    "duplicates": lambda begin, _: cycle([_lone(begin, 1)]),
    "pongs": lambda *_: cycle([RawFrame(PONG, bytes(8)).encode()]),
    "empty padding": lambda *_: cycle([RawFrame(PADDING).encode()]),
    "drains": lambda *_: cycle([RawFrame(DRAIN).encode()]),
    "random frames": lambda _, dice: _random2(dice),
}
"""By name: made of the number to begin with, and of dice."""


def stream(wire: int, kind: str, size: int, tunnel: int = 0, seed: int = 1) -> bytes:
    """
    @param wire: the format, 1 or 2.
    @param kind: one of L{FORMAT_1} or L{FORMAT_2}.
    @param size: bytes, at least; the last frame is whole.
    @param tunnel: which tunnel of an attack it is for.
    @return: frames.
    """
    dice = random.Random(f"{seed} {tunnel}")  # noqa: S311 - the same each time
    made = bytearray()
    for one in (FORMAT_1 if wire == 1 else FORMAT_2)[kind](tunnel * BLOCK, dice):
        made += one
        if len(made) >= size:
            break
    return bytes(made)
