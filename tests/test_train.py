"""
Trains: nothing of a datagram is lost, added or moved by joining and cutting.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from uotp.train import (
    MAX_TRAIN_BYTES,
    Train,
    bytesOf,
    countOf,
    couple,
    cut,
    datagramsOf,
    gather,
    joined,
    portions,
    split,
)

DATAGRAMS = st.lists(st.binary(max_size=4) | st.integers(0, 3).map(lambda n: b"=" * n), max_size=24)
"""Short ones of few lengths, so that many have a neighbour of their own length."""


def fits(run: list[bytes]) -> bool:
    """
    @return: whether datagrams can be one train: all of one length, but a shorter
        one at the end, and an empty one alone.
    """
    *before, last = run
    return not before or (all(len(one) == len(run[0]) for one in before) and 0 < len(last) <= len(run[0]))


def fewest(datagrams: list[bytes]) -> int:
    """
    @return: the least number of trains, found by trying everything.
    """
    least = [0]
    for end in range(1, len(datagrams) + 1):
        least.append(1 + min(least[start] for start in range(end) if fits(datagrams[start:end])))
    return least[-1]


class TrainTests(SynchronousTestCase):
    """
    Cut a train into its datagrams.
    """

    def test_aTrainIsCutEverySegment(self) -> None:
        self.assertEqual(cut(Train(3, b"abcdefgh")), [b"abc", b"def", b"gh"])
        self.assertEqual(cut(Train(3, b"abcdef")), [b"abc", b"def"])

    def test_aLoneDatagramIsATrain(self) -> None:
        self.assertEqual(cut(Train(3, b"abc")), [b"abc"])
        self.assertEqual(cut(Train(3, b"ab")), [b"ab"])

    def test_anEmptyDatagramIsADatagram(self) -> None:
        self.assertEqual(cut(Train(0, b"")), [b""])
        self.assertEqual(Train(0, b"").datagrams, 1)

    def test_datagramsAreCountedWithoutBeingCut(self) -> None:
        for size in range(14):
            train = Train(4, bytes(size))
            self.assertEqual(train.datagrams, len(cut(train)), train)
            self.assertEqual(datagramsOf(size, 4), len(cut(train)), train)
        self.assertEqual(Train(3, b"abcdefgh").datagrams, 3)
        self.assertEqual(Train(1, bytes(MAX_TRAIN_BYTES)).datagrams, MAX_TRAIN_BYTES)

    def test_someTrainsAreCountedTogether(self) -> None:
        trains = [Train(3, b"abcdefgh"), Train(0, b""), Train(9, b"abc")]
        self.assertEqual((countOf(trains), bytesOf(trains)), (5, 11))
        self.assertEqual((countOf([]), bytesOf([])), (0, 0))


class DivisionTests(SynchronousTestCase):
    """
    Divide trains that are too long for one go.
    """

    def test_asManyDatagramsAsFitAreTakenOffTheFront(self) -> None:
        train = Train(3, b"abcdefgh")
        self.assertEqual(split(train, 5), (Train(3, b"abc"), Train(3, b"defgh")))
        self.assertEqual(split(train, 6), (Train(3, b"abcdef"), Train(3, b"gh")))
        self.assertEqual(split(train, 8), (train, None))

    def test_oneDatagramIsAlwaysTaken(self) -> None:
        """
        Otherwise one that is longer than a go would never leave.
        """
        self.assertEqual(split(Train(3, b"abcdefgh"), 0), (Train(3, b"abc"), Train(3, b"defgh")))
        for train in (Train(3, b"abc"), Train(9, b"abc"), Train(0, b"")):
            self.assertEqual(split(train, -1), (train, None))

    @given(DATAGRAMS, st.integers(-1, 12))
    def test_dividingATrainChangesNoDatagram(self, datagrams: list[bytes], most: int) -> None:
        for train in gather(datagrams):
            first, rest = split(train, most)
            left = [] if rest is None else cut(rest)
            self.assertEqual(cut(first) + left, cut(train))
            self.assertTrue(len(first.payload) <= most or first.datagrams == 1)
            if left:
                self.assertGreater(len(first.payload) + len(left[0]), most)

    @given(DATAGRAMS, st.integers(1, 12))
    def test_portionsAreTheSameDatagramsInTheSameOrder(self, datagrams: list[bytes], most: int) -> None:
        divided = list(portions(gather(datagrams), most))
        self.assertEqual([one for portion in divided for train in portion for one in cut(train)], datagrams)
        for portion in divided:
            self.assertTrue(portion)
            self.assertTrue(bytesOf(portion) <= most or countOf(portion) == 1)
        for one, other in pairwise(divided):
            self.assertGreater(bytesOf(one) + bytesOf(other), most)

    def test_trainsThatFitAreOnePortion(self) -> None:
        trains = [Train(3, b"abcdef"), Train(0, b""), Train(2, b"gh")]
        self.assertEqual(list(portions(trains, 8)), [trains])
        self.assertEqual(list(portions([], 8)), [])


class GatherTests(SynchronousTestCase):
    """
    Join neighbours.
    """

    def test_neighboursOfOneLengthRideTogether(self) -> None:
        self.assertEqual(gather([b"abc", b"def", b"gh"]), [Train(3, b"abcdefgh")])

    def test_aShorterDatagramEndsATrain(self) -> None:
        self.assertEqual(
            gather([b"abc", b"de", b"fg", b"hij"]), [Train(3, b"abcde"), Train(2, b"fg"), Train(3, b"hij")]
        )

    def test_aLongerDatagramBeginsATrain(self) -> None:
        self.assertEqual(gather([b"ab", b"cde"]), [Train(2, b"ab"), Train(3, b"cde")])

    def test_emptyDatagramsTravelAlone(self) -> None:
        empty = Train(0, b"")
        self.assertEqual(gather([b"", b"", b"a", b"", b"b"]), [empty, empty, Train(1, b"a"), empty, Train(1, b"b")])

    def test_nothingMakesNoTrain(self) -> None:
        self.assertEqual(gather([]), [])

    def test_aTrainFitsIntoOneBatchedSend(self) -> None:
        """
        A train is filled up to what one send can hold, to the byte, and not above.
        """
        half = bytes(32753)  # two, and one byte, are 65507: the largest UDP datagram
        self.assertEqual(gather([half, half, b"x"]), [Train(len(half), half + half + b"x")])
        self.assertEqual(gather([half, half, b"xy"]), [Train(len(half), half + half), Train(2, b"xy")])

    def test_aDatagramAboveTheLimitTravelsAlone(self) -> None:
        """
        A frame may bring one that no UDP socket can send; it drags no other along.
        """
        long = bytes(65535)
        self.assertEqual(gather([long, b"a", b"b"]), [Train(65535, long), Train(1, b"ab")])

    @given(DATAGRAMS)
    def test_joiningAndCuttingChangesNothing(self, datagrams: list[bytes]) -> None:
        trains = gather(datagrams)
        self.assertEqual([one for train in trains for one in cut(train)], datagrams)
        self.assertEqual(sum(train.datagrams for train in trains), len(datagrams))
        self.assertEqual(len(trains), fewest(datagrams))


class JoinTests(SynchronousTestCase):
    """
    Join messages, of which each is one datagram or several.
    """

    def test_piecesAreHandedOnAsTheyAre(self) -> None:
        """
        Whoever writes them one after another needs no copy of them.
        """
        messages = [(b"aabb", 2), (b"cc", 0), (b"d", 0), (b"ee", 9)]
        self.assertEqual(joined(messages), [(2, [b"aabb", b"cc", b"d"]), (2, [b"ee"])])
        pieces = [piece for _, run in joined(messages) for piece in run]
        for piece, (payload, _) in zip(pieces, messages, strict=True):
            self.assertIs(piece, payload)
        self.assertEqual(joined([]), [])

    @given(st.lists(st.tuples(st.binary(max_size=9), st.integers(0, 10)), max_size=12))
    def test_messagesKeepTheirDatagrams(self, messages: list[tuple[bytes, int]]) -> None:
        """
        In order; no two trains could be one; and one message alone is treated as any.
        """
        datagrams = [datagram for data, each in messages for datagram in cut(Train(each or len(data), data))]
        trains = couple(messages)
        self.assertEqual([datagram for train in trains for datagram in cut(train)], datagrams)
        self.assertEqual(trains, [Train(segment, b"".join(run)) for segment, run in joined(messages)])
        for one, other in pairwise(trains):
            self.assertFalse(fits(cut(one) + cut(other)))
