"""
Any bytes at all, cut anywhere and decoded in portions of any size: the same comes as of all at
once, nothing but L{PeerError} is raised, and little is kept.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.wire.streams import LONGEST_HELLO_BYTES, pieces
from uotp.errors import PeerError
from uotp.train import Numbering, Train, cut
from uotp.wire import ClientHello, ClientHelloDecoder, ServerHello, ServerHelloDecoder
from uotp.wire.format1 import Format1Codec
from uotp.wire.format2 import HEADER_BYTES, Format2Codec, Kind

HEADS = st.builds(
    lambda kind, flags, segment, size, number: bytes([kind, flags, 0, segment, 0, size]) + number,
    st.sampled_from((0, 0, 0, 1, 2, 3, 5, 128, 255, 4, 6)),
    st.sampled_from((0, 0, 0, 1, 2)),
    st.sampled_from((0, 1, 1, 2, 7, 255)),
    st.sampled_from((0, 0, 1, 8, 8, 40)),
    st.binary(min_size=4, max_size=4),
)

STREAMS = st.lists(HEADS | st.binary(max_size=40), max_size=30).map(b"".join) | st.binary(max_size=300)
"""Bytes of which some are headers of format 2, so that many get beyond the first."""

CUTS = st.lists(st.integers(0, 1 << 20), max_size=8)

PORTIONS = st.integers(1, 9)

HELLOS = st.builds(
    bytes.__add__,
    st.sampled_from(
        (b"", b"uotp", b"uotp\2\0\0", b"uotp\2\0\0\0", b"uotp\2\0\0\7", b"uotp\2\1\0\0", b"PROXY ", b"GET ")
    ),
    st.binary(max_size=60),
)

steady = settings(derandomize=True)
"""The same examples each time; C{tests.hostile.fuzz} tries others, for hours."""

Found = list[tuple[int | None, bytes]]
"""Number and bytes of datagrams, or the kind of other frames below 0 and their payload."""


def foundBy2(codec: Format2Codec, data: bytes, most: int, found: tuple[Found, Found]) -> None:
    """
    Decode all of it.

    @param found: is given what comes: trains that were sent before, and all else.  Whether a
        train comes before a control frame is not told when they come together.
    """
    while True:
        decoded = codec.decode(data, most)
        for trains, into in ((decoded.again, found[0]), (decoded.arrivals, found[1])):
            for number, train in trains:
                into.extend((number + place & 0xFFFFFFFF, each) for place, each in enumerate(cut(train)))
        found[0].extend((-1 - kind, payload) for kind, payload in decoded.controls if kind != Kind.PADDING)
        data = b""
        if not codec.rest:
            return


class AnythingTests(SynchronousTestCase):
    """
    Decode what a stranger may send.
    """

    @steady
    @given(STREAMS, CUTS, PORTIONS)
    def test_format1(self, stream: bytes, cuts: list[int], most: int) -> None:
        codec = Format1Codec()
        found: list[Train] = []
        for piece in pieces(stream, cuts):
            found += codec.decode(piece, most)
            while codec.rest:
                found += codec.decode(b"", most)
        expected = [each for train in Format1Codec().decode(stream) for each in cut(train)]
        self.assertEqual([each for train in found for each in cut(train)], expected)

    @steady
    @given(STREAMS, CUTS, PORTIONS)
    def test_format2(self, stream: bytes, cuts: list[int], most: int) -> None:
        """
        What was whole before a fault comes in pieces too; of a stream that is read at once
        nothing comes then.
        """
        whole: tuple[Found, Found] = ([], [])
        isFaulty = False
        try:
            foundBy2(Format2Codec(Numbering()), stream, 1 << 30, whole)
        except PeerError:
            isFaulty = True
        codec = Format2Codec(Numbering())
        found: tuple[Found, Found] = ([], [])
        try:
            for piece in pieces(stream, cuts):
                foundBy2(codec, piece, most, found)
                self.assertLess(len(codec._held), HEADER_BYTES + 65535)
        except PeerError:
            self.assertTrue(isFaulty)
            return
        self.assertFalse(isFaulty)
        self.assertEqual([sorted(one) for one in found], [sorted(one) for one in whole])

    @steady
    @given(HELLOS, CUTS)
    def test_hellos(self, stream: bytes, cuts: list[int]) -> None:
        """
        A hello that is cut anywhere is the same hello, or the same fault, and what comes
        behind it is handed on whole.
        """
        for decoder in (ClientHelloDecoder, ServerHelloDecoder):
            outcomes: list[tuple[ClientHello | ServerHello | None, bytes] | None] = []
            for parts in ([stream], pieces(stream, cuts)):
                one, rest = decoder(), list(parts)
                outcome: tuple[ClientHello | ServerHello | None, bytes] | None = None
                try:
                    while rest and outcome is None:
                        taken = one.feed(rest.pop(0))
                        if taken is not None:
                            outcome = (taken[0], taken[1] + b"".join(rest))
                        self.assertLessEqual(len(one._held), LONGEST_HELLO_BYTES + len(stream))
                except PeerError:
                    outcome = (None, b"")
                outcomes.append(outcome)
            self.assertEqual(outcomes[0], outcomes[1], decoder)
