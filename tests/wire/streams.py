"""
Streams of bytes for the codecs: cut anywhere, damaged as a stranger may damage them,
and watched for how much of them is held and looked at.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterable
from itertools import pairwise
from random import Random
from typing import Any

from uotp.errors import PeerError
from uotp.train import LAST_NUMBER, Arrival, Numbering, cut
from uotp.wire.format1 import Format1Codec
from uotp.wire.format2 import Format2Codec, Kind
from uotp.wire.hello import ClientHello, ClientHelloDecoder, ServerHello, ServerHelloDecoder, WireFormat

LONGEST_HELLO_BYTES = 24 + 4095
LONGEST_DATAGRAM_BYTES = 65535

SOUND_STREAMS = 256
"""How many streams there are to be damaged."""

MOST_FAULTS = 5
MOST_CUTS = 4

TELLING_BYTES = bytes.fromhex("00 01 02 03 04 05 06 07 08 0a 0f 10 7f 80 fe ff")
"""Where something begins or ends: kinds, flags, and halves of lengths."""


def pieces(stream: bytes, cuts: Iterable[int]) -> list[bytes]:
    """
    @param cuts: places, taken modulo the length of the stream.
    @return: the stream, cut there; some pieces may be empty.
    """
    places = sorted(place % (len(stream) + 1) for place in cuts)
    return [stream[begin:end] for begin, end in pairwise([0, *places, len(stream)])]


class CountingHeld(bytearray):
    """
    Keeps what a codec holds, and counts how often it was taken away at once.
    """

    cleared = 0

    def clear(self) -> None:
        self.cleared += 1
        super().clear()


class CountingBytes(bytes):
    """
    Counts how many of its bytes were looked at.

    @ivar looks: how often.
    @ivar seen: how many bytes, in all.
    """

    looks = 0
    seen = 0

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        self.looks += 1
        self.seen += len(found) if isinstance(found, bytes) else 1
        return found


def soundFrame(dice: Random) -> bytes:
    """
    @return: a frame of format 2 as it should be, most of them short.
    """
    number = dice.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, dice.getrandbits(32)))
    kind = dice.choice((0, 0, 0, 0, 1, 2, 3, 4, 5, 128, 255))
    size = {1: 8, 2: 8, 3: 0, 4: 0}.get(kind, dice.choice((0, 1, 2, 9, 10, 11, 40, dice.randrange(1500))))
    segment = dice.choice((1, 2, 7, size or 1, 65535)) if kind == 0 else 0
    header = (kind.to_bytes(1, "big"), b"\0", segment.to_bytes(2, "big"), size.to_bytes(2, "big"))
    return b"".join((*header, number.to_bytes(4, "big"), dice.randbytes(size)))


def soundId(dice: Random) -> bytes:
    """
    @return: a session id, as every client shows one.
    """
    return uuid.UUID(bytes=dice.randbytes(16), version=4).bytes


TOKEN = 4
"""An extension of clients whose value may have 16 bytes and more."""


def soundHello(dice: Random, *, ofClient: bool) -> bytes:
    """
    @return: a hello of format 2 as it should be, or now and then of format 1.
    """
    if ofClient and dice.random() < 0.2:
        return soundId(dice)
    extensions = b""
    for _ in range(dice.randrange(4)):
        kind = dice.choice((1, 2, 3, 4, 255))
        size = (
            {1: 1, 2: 4}.get(kind, dice.randrange(20)) if not ofClient else dice.randrange(19 if kind == TOKEN else 6)
        )
        extensions += kind.to_bytes(1, "big") + size.to_bytes(2, "big") + dice.randbytes(size)
    answer = b"\0" if ofClient else dice.choice((b"\0", b"\1"))
    opening = b"uotp\2" + answer + len(extensions).to_bytes(2, "big")
    return opening + (soundId(dice) if ofClient else b"") + extensions


class Reader:
    """
    Reads a tunnel's stream without the tunnel: a hello, if one comes first, and frames.

    @ivar hello: once it is complete.
    @ivar arrived: number and bytes of each datagram; 0 where it has no number.
    @ivar controls: the other frames.
    """

    def __init__(self, hello: ClientHelloDecoder | ServerHelloDecoder | None) -> None:
        """
        @param hello: takes the hello off the front.
        """
        self._helloDecoder = hello
        self._codec: Format1Codec | Format2Codec = Format2Codec(Numbering())
        self.hello: ClientHello | ServerHello | None = None
        self.arrived: list[tuple[int, bytes]] = []
        self.controls: list[tuple[Kind, bytes]] = []

    def read(self, data: bytes) -> None:
        """
        @param data: the next bytes of the stream.
        @raise PeerError: for what may not be.
        @raise AssertionError: when more is held than has to be.
        """
        if self._helloDecoder is not None:
            taken = self._helloDecoder.feed(data)
            assert len(self._helloDecoder._held) < LONGEST_HELLO_BYTES
            if taken is None:
                return
            self.hello, data = taken
            self._helloDecoder = None
            if isinstance(self.hello, ClientHello) and self.hello.wireFormat is WireFormat.ONE:
                self._codec = Format1Codec()
        if isinstance(self._codec, Format1Codec):
            trains = self._codec.decode(data)
            self.arrived += [(0, datagram) for train in trains for datagram in cut(train)]
            return
        arrivals, controls, _ = self._codec.decode(data)
        assert len(self._codec._held) < LONGEST_DATAGRAM_BYTES
        self.arrived += numbered(arrivals)
        self.controls += controls


def clientsStream() -> Reader:
    """
    @return: reads what a client sends.
    """
    return Reader(ClientHelloDecoder())


def serversStream() -> Reader:
    """
    @return: reads what a server sends, in format 2.
    """
    return Reader(ServerHelloDecoder())


def frames() -> Reader:
    """
    @return: reads frames of format 2.
    """
    return Reader(None)


READERS: tuple[Callable[[], Reader], ...] = (frames, clientsStream, serversStream)


def numbered(arrivals: Iterable[Arrival]) -> list[tuple[int, bytes]]:
    """
    @return: number and bytes of each datagram.
    """
    return [
        (number + place & LAST_NUMBER, datagram)
        for number, train in arrivals
        for place, datagram in enumerate(cut(train))
    ]


class Streams:
    """
    Makes an endless row of streams, all of them from one seed.
    """

    def __init__(self, seed: str) -> None:
        """
        @param seed: the same seed gives the same streams.
        """
        self._dice = dice = Random(seed)  # noqa: S311 - no secret
        self._sound = [
            [
                self._soundStream(beginning)
                for beginning in (b"", soundHello(dice, ofClient=True), soundHello(dice, ofClient=False))
            ]
            for _ in range(SOUND_STREAMS)
        ]

    def _soundStream(self, beginning: bytes) -> bytes:
        return beginning + b"".join(soundFrame(self._dice) for _ in range(1 + self._dice.randrange(5)))

    def next(self) -> tuple[int, list[bytes]]:
        """
        @return: whom a stream is for, by the place in L{READERS}, and the stream, cut.
        """
        dice = self._dice
        reader = dice.randrange(len(READERS))
        if dice.random() < 0.1:
            stream = dice.randbytes(dice.randrange(80))
        else:
            stream = self._sound[dice.randrange(SOUND_STREAMS)][reader]
            for _ in range(dice.randrange(MOST_FAULTS)):
                stream = self._damaged(stream)
        return reader, pieces(stream, [dice.randrange(1 << 16) for _ in range(dice.randrange(MOST_CUTS))])

    def _damaged(self, stream: bytes) -> bytes:
        """
        @return: the stream with one fault: most of them near the front, where what is
            read first decides about the rest.
        """
        dice = self._dice
        reach = min(len(stream), 64) if dice.random() < 0.7 else len(stream)
        place = int(dice.random() * (reach + 1))
        fault = int(dice.random() * 6)
        if fault == 0:  # another bit
            return (
                stream[:place]
                + bytes(byte ^ 1 << int(dice.random() * 8) for byte in stream[place : place + 1])
                + stream[place + 1 :]
            )
        if fault == 1:  # another byte
            at = int(dice.random() * len(TELLING_BYTES))
            return stream[:place] + TELLING_BYTES[at : at + 1] + stream[place + 1 :]
        if fault == 2:  # less
            return stream[:place] + stream[place + int(dice.random() * 12) :]
        if fault == 3:  # more
            return stream[:place] + dice.randbytes(int(dice.random() * 12)) + stream[place:]
        if fault == 4:  # the end
            return stream[:place]
        other = self._sound[int(dice.random() * SOUND_STREAMS)][int(dice.random() * len(READERS))]
        return stream[:place] + other[int(dice.random() * (len(other) + 1)) :]


def main() -> None:
    """
    Read as many streams as the second argument says, from the seed that is the first: for a process of its own.

    @raise Exception: what a codec raised that it may not; the stream is told.
    """
    seed, count = sys.argv[1], int(sys.argv[2])
    streams = Streams(seed)
    refused = 0
    for number in range(count):
        place, parts = streams.next()
        reader = READERS[place]()
        try:
            for part in parts:
                reader.read(part)
        except PeerError:
            refused += 1
        except BaseException:
            told = " ".join(part.hex() or "-" for part in parts)
            sys.stdout.write(f"seed {seed}, stream {number}, {READERS[place].__name__}: {told}\n")
            raise
    sys.stdout.write(f"{count} streams read, {refused} of them refused\n")
