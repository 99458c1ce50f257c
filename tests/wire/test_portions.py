"""
A peer chooses how much work its bytes are.  No call of a codec does more than it is told to, and
the portions together are what one call would have brought.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.wire.streams import numbered, pieces, soundFrame
from uotp.errors import PeerError
from uotp.train import DATAGRAMS_PER_UNIT, Numbering, Train, cut, unitsOf
from uotp.wire.format1 import Format1Codec
from uotp.wire.format2 import HEADER, LONE_DATAGRAMS, Format2Codec, Kind, controlFrame

READ_BYTES = 16 * 1024
"""So much is a quarter of what a stream reads at one go."""

CUTS = st.lists(st.integers(0, 1 << 20), max_size=6)


def portionsOf1(codec: Format1Codec, data: bytes, most: int) -> list[list[Train]]:
    """
    @return: what each call has brought.
    """
    found = [codec.decode(data, most)]
    while codec.rest:
        found.append(codec.decode(b"", most))
    return found


class Format1PortionTests(SynchronousTestCase):
    """
    Decode format 1 a portion at a time.
    """

    def test_theWorstReadsAreManyPortions(self) -> None:
        """
        Each of them is bounded, whatever its frames are.
        """
        for frames, most in ((b"\0\0", 16), (b"\0\1a", 16), (b"\0\1a\0\2aa", 16), (b"\0\2aa\0\1a\0\0", 1)):
            data = frames * (READ_BYTES // len(frames))
            codec = Format1Codec()
            portions = portionsOf1(codec, data, most)
            for trains in portions:
                units = sum(unitsOf(train.datagrams) for train in trains)
                self.assertLessEqual(units, most + 1 + unitsOf(1), frames)
            expected = [datagram for train in Format1Codec().decode(data) for datagram in cut(train)]
            self.assertEqual([each for trains in portions for train in trains for each in cut(train)], expected)

    def test_whatIsSpentIsTold(self) -> None:
        codec = Format1Codec()
        codec.decode(b"\0\0" * 5 + b"\0\1a" * DATAGRAMS_PER_UNIT, 100)
        self.assertEqual(codec.spent, 5 + 2)
        codec.decode(b"\0")
        self.assertEqual(codec.spent, 0)
        codec.decode(b"\2a")
        self.assertEqual(codec.spent, 0)

    def test_longTrainIsDividedWithoutAWord(self) -> None:
        trains = portionsOf1(Format1Codec(), b"\0\1a" * 1000, 10)
        self.assertGreater(len(trains), 5)
        self.assertTrue(all(len(each) == 1 for each in trains))

    @settings(max_examples=40)
    @given(st.lists(st.sampled_from([0, 0, 1, 1, 2, 300]), max_size=60), CUTS, st.integers(1, 9))
    def test_portionsAreTheWhole(self, sizes: list[int], cuts: list[int], most: int) -> None:
        """
        Also where more is read before all portions were asked for.
        """
        stream = b"".join(size.to_bytes(2, "big") + bytes([size % 256]) * size for size in sizes)
        patient, hasty = Format1Codec(), Format1Codec()
        slow: list[Train] = []
        fast: list[Train] = []
        for piece in pieces(stream, cuts):
            slow += [train for trains in portionsOf1(patient, piece, most) for train in trains]
            fast += hasty.decode(piece, most)
        while hasty.rest:
            fast += hasty.decode(b"", most)
        whole = [bytes([size % 256]) * size for size in sizes]
        for trains in (slow, fast):
            self.assertEqual([datagram for train in trains for datagram in cut(train)], whole)


class Format2PortionTests(SynchronousTestCase):
    """
    Decode format 2 a portion at a time.
    """

    def test_theWorstReadsAreManyPortions(self) -> None:
        for frame in (
            HEADER.pack(Kind.TRAIN, 0, 0, 0, 1),
            HEADER.pack(Kind.TRAIN, 1, 1, 1, 1) + b"a",
            HEADER.pack(Kind.TRAIN, 0, 1, 60000, 1) + bytes(60000),
            controlFrame(Kind.PING, bytes(8)),
            controlFrame(Kind.PADDING),
            controlFrame(Kind.PADDING, bytes(30)),
            HEADER.pack(200, 0, 0, 0, 0),
        ):
            data = frame * max(READ_BYTES // len(frame), 1)
            codec = Format2Codec(Numbering())
            decoded = [codec.decode(data, 16)]
            self.assertLessEqual(codec.spent, 16 + 1)
            while codec.rest:
                decoded.append(codec.decode(b"", 16))
                self.assertLessEqual(codec.spent, 16 + 1)
            self.assertGreater(len(decoded), 12)
            for arrivals, controls, again in decoded:
                units = sum(unitsOf(train.datagrams) for _, train in (*arrivals, *again))
                self.assertLessEqual(units + len(controls), 16 + 1)
            whole = Format2Codec(Numbering()).decode(data)
            self.assertEqual(
                numbered(arrival for each in decoded for arrival in (*each.arrivals, *each.again)),
                numbered((*whole.arrivals, *whole.again)),
            )
            self.assertEqual([control for each in decoded for control in each.controls], whole.controls)

    def test_aLoneTrainIsNoMoreThanOneUnit(self) -> None:
        """
        A longer one is worked off in portions.
        """
        for datagrams, isLone in ((1, True), (LONE_DATAGRAMS, True), (LONE_DATAGRAMS + 1, False)):
            frame = Format2Codec(Numbering()).encode([Train(2, bytes(2 * datagrams))])
            self.assertEqual(Format2Codec(Numbering()).decodeLone(frame) is not None, isLone)

    def test_whatIsLeftIsNotOvertaken(self) -> None:
        """
        A lone train behind frames that wait is no lone one.
        """
        codec = Format2Codec(Numbering())
        frame = HEADER.pack(Kind.TRAIN, 0, 1, 1, 1) + b"a"
        codec.decode(frame * 3, 1)
        self.assertTrue(codec.rest)
        self.assertIsNone(codec.decodeLone(frame))

    @settings(max_examples=40)
    @given(st.integers(0, 1 << 30), CUTS, st.integers(1, 9))
    def test_portionsAreTheWhole(self, seed: int, cuts: list[int], most: int) -> None:
        dice = Random(seed)  # noqa: S311 - no secret
        stream = b"".join(soundFrame(dice) for _ in range(12)) + dice.choice((b"", b"\6", b"\0\7"))
        found: list[object] = []
        for bound in (1 << 40, most):
            codec = Format2Codec(Numbering())
            arrived: list[tuple[int, bytes]] = []
            again: list[tuple[int, bytes]] = []
            controls: list[tuple[Kind, bytes]] = []
            refusal = None
            try:
                for piece in pieces(stream, cuts):
                    data = piece
                    while data or codec.rest:
                        decoded = codec.decode(data, bound)
                        data = b""
                        arrived += numbered(decoded.arrivals)
                        again += numbered(decoded.again)
                        controls += decoded.controls
            except PeerError as error:
                refusal = str(error)
            found.append((arrived, again, controls, refusal) if refusal is None else refusal)
        self.assertEqual(found[0], found[1])
