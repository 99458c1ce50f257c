"""
Format 1 of the wire, byte for byte, and however the stream is cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.wire.streams import CountingBytes, CountingHeld, pieces
from tests.wire.vectors import FORMAT_1_FRAMES
from uotp.train import MAX_TRAIN_BYTES, Train, countOf, cut, gather
from uotp.wire.format1 import FIRST_LOOK_FRAMES, LENGTH_BYTES, Format1Codec, equalFrames

VECTORS = [
    *((train, vector.text) for vector, train in FORMAT_1_FRAMES),
    (Train(1, b"a"), "0001 61"),
    (Train(9, b"abc"), "0003 616263"),  # a lone datagram's own length counts, not the segment
    (Train(3, b"abcdef"), "0003 616263 0003 646566"),
    (Train(1, b"abc"), "0001 61 0001 62 0001 63"),
    (Train(258, bytes(258)), "0102" + "00" * 258),
    (Train(65535, b"\xff" * 65535), "ffff" + "ff" * 65535),
]
"""Trains, and their bytes on a tunnel, written by hand."""

SIZES = st.sampled_from([0, 0, 1, 1, 2, 2, 255, 256, 257, 1400, 1400, 65507, 65535])
"""With neighbours of one length, and around the borders of the header's bytes."""

RUNS = st.lists(st.tuples(SIZES, st.integers(1, 5)), max_size=8)
"""Lengths, and how many datagrams of each there are in a row."""

LONG_RUN = st.one_of(
    st.integers(1, 700),
    # where one look ends and the next begins: 9, 73 and 585 frames, and those lengths themselves
    st.builds(lambda looks, more: looks + more, st.sampled_from((8, 64, 72, 512, 584)), st.integers(-2, 3)),
)
"""How many frames of one length there are in a row."""

CUTS = st.lists(st.integers(0, 1 << 20), max_size=12)
"""Where a stream is cut."""


def datagramsOf(sizes: list[int]) -> list[bytes]:
    """
    @return: datagrams of these lengths, none of them like another.
    """
    return [(index.to_bytes(2, "big") * (size // 2 + 1))[:size] for index, size in enumerate(sizes)]


def inARow(runs: list[tuple[int, int]]) -> list[bytes]:
    """
    @return: datagrams in runs of one length.
    """
    return datagramsOf([size for size, count in runs for _ in range(count)])


def framesOf(datagrams: Iterable[bytes]) -> bytes:
    """
    @return: what stands on the wire, made in the simplest way.
    """
    return b"".join(len(datagram).to_bytes(2, "big") + datagram for datagram in datagrams)


def decoded(codec: Format1Codec, data: bytes) -> list[bytes]:
    """
    @return: the datagrams that these bytes complete.
    """
    return [datagram for train in codec.decode(data) for datagram in cut(train)]


DATA_BYTES = 1 << 14
"""What is looked at when the work is counted."""


class FrameTests(SynchronousTestCase):
    """
    Write datagrams as frames, and read them.
    """

    def test_framesAreALengthAndADatagram(self) -> None:
        """
        Each datagram stands behind its length, two bytes, most significant first.
        """
        for train, frames in VECTORS:
            self.assertEqual(Format1Codec().encode([train]), bytes.fromhex(frames), train[0])

    def test_framesBecomeTheDatagramsAgain(self) -> None:
        for train, frames in VECTORS:
            self.assertEqual(Format1Codec().decode(bytes.fromhex(frames)), gather(cut(train)), train[0])

    def test_aStreamThatArrivesByteByByteGivesEachDatagramWhenItIsWhole(self) -> None:
        codec = Format1Codec()
        steps = [decoded(codec, bytes([byte])) for byte in bytes.fromhex("0003616263 0000 000164")]
        self.assertEqual(steps, [[], [], [], [], [b"abc"], [], [b""], [], [], [b"d"]])

    def test_framesThatArriveTogetherAreOneTrain(self) -> None:
        frames = bytes.fromhex("0002 6161 0002 6262 0001 63 0001 64")
        self.assertEqual(Format1Codec().decode(frames), [Train(2, b"aabbc"), Train(1, b"d")])

    def test_noMoreThanOneFrameIsKept(self) -> None:
        codec = Format1Codec()
        longest = Format1Codec().encode([Train(65535, bytes(65535))])
        self.assertEqual(len(decoded(codec, longest * 3 + longest[:-1])), 3)
        self.assertEqual(len(codec._held), 65536)
        self.assertEqual(len(decoded(codec, b"\0")), 1)
        self.assertEqual(codec._held, b"")

    def test_aDatagramThatNoFrameCanHoldIsAnError(self) -> None:
        """
        Its length would be told wrongly, and all that follows read wrongly.
        """
        self.assertRaises(OverflowError, Format1Codec().encode, [Train(65536, bytes(65536))])

    def test_tunnelsDoNotShareWhatIsHalfRead(self) -> None:
        one, other = Format1Codec(), Format1Codec()
        self.assertEqual(decoded(one, b"\0\2a"), [])
        self.assertEqual(decoded(other, b"\0\1b"), [b"b"])
        self.assertEqual(decoded(one, b"c"), [b"ac"])

    def test_severalTrainsAreTheFramesOfEachInARow(self) -> None:
        """
        One write, with no border that the other end could see.
        """
        together = Format1Codec().encode([train for train, _ in VECTORS])
        self.assertEqual(together, b"".join(bytes.fromhex(frames) for _, frames in VECTORS))
        self.assertEqual(Format1Codec().encode([]), b"")

    def test_trainIsNeverLongerThanABatchedSend(self) -> None:
        """
        However many frames of one length come at once; a lone datagram may be.
        """
        for size, count in ((1, 70000), (1400, 100), (32753, 5), (65507, 3), (65508, 3), (65535, 3)):
            datagrams = [bytes(size)] * count
            trains = Format1Codec().decode(framesOf(datagrams))
            self.assertEqual(trains, gather(datagrams), size)
            self.assertEqual(countOf(trains), count)
            self.assertTrue(all(len(one.payload) <= max(MAX_TRAIN_BYTES, size) for one in trains))

    def test_longFrameInCrumbsIsNotCopiedAgainForEachOfThem(self) -> None:
        """
        A peer that dribbles would otherwise cost us gigabytes of copying.
        """
        codec = Format1Codec()
        held = codec._held = CountingHeld()
        stream = framesOf([bytes(range(255)) * 257])
        for place in range(len(stream) - 1):
            self.assertEqual(codec.decode(stream[place : place + 1]), [])
            self.assertEqual(len(held), place + 1)
        self.assertIs(codec._held, held)
        self.assertLessEqual(held.cleared, LENGTH_BYTES)
        self.assertEqual(codec.decode(stream[-1:]), [Train(65535, stream[LENGTH_BYTES:])])

    def test_workIsInProportionToTheDataWhateverItsPattern(self) -> None:
        """
        Runs that end as soon as they have begun must not make us look through all that follows, each time.
        """
        for pattern in ((1, 1, 0), (1, 1, 2, 2), (2, 2, 3), (0,), (1,), (1, 2), (1,) * (FIRST_LOOK_FRAMES + 2) + (2,)):
            unit = framesOf(bytes(size) for size in pattern)
            data = CountingBytes(unit * (DATA_BYTES // len(unit)))
            trains = Format1Codec().decode(data)
            self.assertEqual(countOf(trains), len(pattern) * (DATA_BYTES // len(unit)))
            self.assertLess(data.looks, 4 * len(data), pattern)
            self.assertLess(data.seen, 6 * len(data), pattern)

    @given(LONG_RUN, st.sampled_from((1, 2, 3, 60, 257)), st.sampled_from((None, 0, 1, 2, 4, 256, 258, 513)))
    def test_longRunsAreFoundWhole(self, count: int, size: int, following: int | None) -> None:
        before, datagrams = [bytes(7)], datagramsOf([size] * count)
        last = [] if following is None or following == size else [bytes(following)] * 3
        data = framesOf(before + datagrams + last)
        start = len(framesOf(before))
        fitting = min(count, MAX_TRAIN_BYTES // size)
        self.assertEqual(equalFrames(data, start, size, len(data)), fitting)
        self.assertEqual(
            equalFrames(data, start, size, len(framesOf(before + datagrams)) - 1), min(fitting, count - 1) or 1
        )
        same = Format1Codec().decode(data) == gather(before + datagrams + last)
        self.assertTrue(same, "trains")  # to show how they differ would take minutes

    @given(RUNS, st.randoms(use_true_random=False))
    def test_whateverTheTrainsTheBytesAreThoseOfTheDatagrams(self, runs: list[tuple[int, int]], dice: Random) -> None:
        """
        Trains are how the datagrams travel inside; the other end cannot tell.
        """
        datagrams = inARow(runs)
        trains = gather(datagrams)
        self.assertEqual(Format1Codec().encode(trains), framesOf(datagrams))
        split = dice.randint(0, len(trains))
        sender = Format1Codec()
        self.assertEqual(sender.encode(trains[:split]) + sender.encode(trains[split:]), framesOf(datagrams))

    @given(RUNS, CUTS)
    def test_howeverTheStreamIsCutTheSameDatagramsArrive(self, runs: list[tuple[int, int]], cuts: list[int]) -> None:
        """
        A stream has no borders: only the order and the lengths say what is what.  What
        is complete goes on at once, in as few trains as can be.
        """
        datagrams = inARow(runs)
        receiver = Format1Codec()
        arrived: list[bytes] = []
        read = 0
        for piece in pieces(framesOf(datagrams), cuts):
            read += len(piece)
            trains = receiver.decode(piece)
            now = [datagram for train in trains for datagram in cut(train)]
            self.assertEqual(trains, gather(now))
            arrived += now
            missing = read - len(framesOf(arrived))
            following = datagrams[len(arrived) : len(arrived) + 1]
            self.assertLess(missing, len(framesOf(following)) or 1)
        self.assertEqual(arrived, datagrams)
        self.assertEqual(receiver._held, b"")
