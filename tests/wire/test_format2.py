"""
Format 2 of the wire, byte for byte, and however the stream is cut.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.wire.streams import READERS, CountingBytes, CountingHeld, Streams, numbered, pieces
from tests.wire.vectors import FRAMES, FRAMES_AGAIN, FRAMES_UNDERSTOOD, MALFORMED_FRAMES
from uotp.errors import PeerError
from uotp.train import LAST_NUMBER, MAX_TRAIN_BYTES, Numbering, Train, countOf, cut, gather
from uotp.wire.format2 import (
    HEADER_BYTES,
    MAX_MISSING,
    Decoded,
    Format2Codec,
    Kind,
    controlFrame,
    frameAgain,
    missingFrame,
    missingOf,
)

SIZES = st.sampled_from((0, 1, 2, 9, 10, 11, 255, 256, 257, 1400, 65506, 65507, 65534, 65535)) | st.integers(0, 65535)

NUMBERS = st.sampled_from((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFF00, 0xFFFFFFFE, 0xFFFFFFFF)) | st.integers(
    0, 2**32 - 1
)

CUTS = st.lists(st.integers(0, 1 << 20), max_size=12)
"""Where a stream is cut."""

STREAMS = 2000
"""Random and damaged streams; C{tests.integration} reads many more."""


class Frame(NamedTuple):
    """
    Holds a frame as the tests write it.

    @ivar header: kind, flags, segment, length and number.
    """

    header: tuple[int, int, int, int, int]
    payload: bytes

    @property
    def octets(self) -> bytes:
        return struct.pack(">BBHHI", *self.header) + self.payload


class Event(NamedTuple):
    """
    Holds what a reader of a stream learns.

    @ivar end: how much of the stream has to be there for that.
    @ivar what: number and bytes of a datagram, or kind and payload of another frame.
    """

    end: int
    what: tuple[int, bytes]


def filling(size: int, number: int = 0) -> bytes:
    """
    @return: so many bytes, without two equal neighbours.
    """
    noise = bytes(range(1, 252))
    return (noise * (size // len(noise) + 2))[number % 251 :][:size]


def trainFrame(segment: int, size: int, number: int) -> Frame:
    """
    @return: a train.
    """
    return Frame((0, 0, segment, size, number), filling(size, number))


def controlOf(kind: Kind, payload: bytes) -> Frame:
    """
    @return: another frame that is known.
    """
    return Frame((kind, 0, 0, len(payload), 0), payload)


def skippedFrame(kind: int, flags: int, segment: int, size: int, number: int) -> Frame:
    """
    @return: a frame of a kind that nobody knows.
    """
    return Frame((kind, flags, segment, size, number), filling(size))


EIGHT = st.binary(min_size=8, max_size=8)

TRAINS = st.tuples(st.integers(1, 5), st.binary(max_size=20)).map(
    lambda each: Train(each[0] if each[1] else 0, each[1])
)
"""Short trains of short datagrams, so that neighbours often make one."""

BYTE = st.integers(0, 255)

FRAME = st.one_of(
    st.builds(trainFrame, SIZES.filter(bool), SIZES, NUMBERS),
    # many datagrams in one train, and segments near the length of the payload
    st.builds(trainFrame, st.integers(1, 1500), SIZES, NUMBERS),
    st.builds(
        lambda size, less, number: trainFrame(min(max(size - less, 1), 65535), size, number),
        SIZES,
        st.integers(-1, 2),
        NUMBERS,
    ),
    st.builds(trainFrame, st.just(0), st.just(0), NUMBERS),
    st.builds(controlOf, st.sampled_from((Kind.PING, Kind.PONG)), EIGHT),
    st.builds(controlOf, st.sampled_from((Kind.BYE, Kind.QUERY)), st.just(b"")),
    st.builds(controlOf, st.just(Kind.STATUS), st.binary(min_size=21, max_size=21)),
    st.builds(lambda size: controlOf(Kind.PADDING, bytes(size)), SIZES),
    st.builds(
        controlOf,
        st.just(Kind.MISSING),
        st.integers(1, 16).map(lambda ranges: filling(8 * ranges)),
    ),
    st.builds(
        skippedFrame, st.one_of(st.just(129), st.integers(132, 255)), BYTE, st.integers(0, 65535), SIZES, NUMBERS
    ),
)

FRAMES_IN_A_ROW = st.lists(FRAME, max_size=6)

DRAINED = st.lists(FRAME.filter(lambda frame: frame.header[0] != 0), max_size=3)
"""What may come behind a drain."""

RUNS = st.lists(st.tuples(st.sampled_from((0, 0, 1, 2, 256, 1400, 65507, 65535)), st.integers(1, 6)), max_size=8)
"""Lengths, and how many datagrams of each there are in a row."""


def eventsOf(frames: Iterable[Frame]) -> tuple[list[Event], list[Event]]:
    """
    Read frames in the simplest way.

    @return: the datagrams, and the other frames that are not skipped.
    """
    datagrams: list[Event] = []
    controls: list[Event] = []
    start = 0
    for (kind, _, segment, size, number), payload in frames:
        start += HEADER_BYTES
        if kind == 0:
            for place, begin in enumerate(range(0, max(size, 1), segment or 1)):
                end = min(begin + segment, size)
                datagrams.append(Event(start + end, ((number + place) % 2**32, payload[begin:end])))
        elif kind in (1, 2, 3, 4, 128, 130, 131):
            controls.append(Event(start + size, (kind, payload)))
        start += size
    return datagrams, controls


def octetsOf(frames: Iterable[Frame]) -> bytes:
    """
    @return: the stream.
    """
    return b"".join(frame.octets for frame in frames)


def newCodec(first: int = 0) -> Format2Codec:
    """
    @param first: number of the first datagram that it sends.
    """
    return Format2Codec(Numbering(first))


class EncodingTests(SynchronousTestCase):
    """
    Write trains and other frames as bytes.
    """

    def test_framesAreSaidAsTheyAreWrittenDown(self) -> None:
        for (name, text), arrivals, controls in FRAMES:
            encoded = b"".join(controlFrame(kind, payload) for kind, payload in controls)
            if arrivals:
                codec = newCodec(arrivals[0][0])
                encoded += b"".join(codec.encode([train]) for _, train in arrivals)
            self.assertEqual(encoded.hex(), text.replace(" ", ""), name)
        self.assertEqual(newCodec().encode([]), b"")

    def test_neighboursThatAreOneTrainAreOneFrame(self) -> None:
        """
        Of the same length, of which the last may be shorter; but nothing follows that.
        """
        for trains, expected in (
            ([Train(2, b"aabb"), Train(2, b"cc")], [Train(2, b"aabbcc")]),
            ([Train(2, b"aabb"), Train(1, b"c")], [Train(2, b"aabbc")]),
            ([Train(2, b"aabb"), Train(9, b"c"), Train(9, b"d")], [Train(2, b"aabbc"), Train(1, b"d")]),
            ([Train(2, b"aab"), Train(2, b"cc")], [Train(2, b"aab"), Train(2, b"cc")]),
            ([Train(2, b"aa"), Train(1, b"bc")], [Train(2, b"aa"), Train(1, b"bc")]),
            ([Train(2, b"aa"), Train(3, b"bbb")], [Train(2, b"aa"), Train(3, b"bbb")]),
            ([Train(2, b"aa"), Train(2, b"bbccd"), Train(1, b"e")], [Train(2, b"aabbccd"), Train(1, b"e")]),
            ([Train(9, b"aa"), Train(9, b"bb"), Train(9, b"c")], [Train(2, b"aabbc")]),
            ([Train(2, b"aa"), Train(0, b""), Train(2, b"bb")], [Train(2, b"aa"), Train(0, b""), Train(2, b"bb")]),
            ([Train(0, b""), Train(0, b"")], [Train(0, b"")] * 2),
        ):
            codec = newCodec(LAST_NUMBER)
            arrivals = newCodec().decode(codec.encode(trains)).arrivals
            self.assertEqual([train for _, train in arrivals], expected)
            numbers = [LAST_NUMBER]
            for train in expected:
                numbers.append(numbers[-1] + train.datagrams & LAST_NUMBER)
            self.assertEqual([number for number, _ in arrivals], numbers[:-1])
            self.assertEqual(newCodec().decode(codec.encode([Train(1, b"z")])).arrivals[0][0], numbers[-1])

    def test_whatIsJoinedFitsAFrame(self) -> None:
        for last, frames in ((MAX_TRAIN_BYTES - 30_000, 1), (MAX_TRAIN_BYTES - 29_999, 2)):
            encoded = newCodec().encode([Train(5, bytes(30_000)), Train(5, bytes(last))])
            self.assertEqual(len(encoded), 30_000 + last + 10 * frames)

    @given(st.lists(TRAINS, max_size=8))
    def test_everyDatagramKeepsItsPlaceAndItsNumber(self, trains: list[Train]) -> None:
        codec = newCodec(LAST_NUMBER - 3)
        arrivals, _, _ = newCodec().decode(codec.encode(trains))
        sent = [datagram for train in trains for datagram in cut(train)]
        self.assertEqual([datagram for _, train in arrivals for datagram in cut(train)], sent)
        number = LAST_NUMBER - 3
        for first, train in arrivals:
            self.assertEqual(first, number)
            number = number + train.datagrams & LAST_NUMBER
        self.assertEqual(newCodec().decode(codec.encode([Train(1, b"z")])).arrivals, [(number, Train(1, b"z"))])

    def test_aSessionIsNumberedFromZero(self) -> None:
        self.assertEqual(Format2Codec(Numbering()).encode([Train(1, b"a")]), bytes.fromhex("000000010001 00000000 61"))

    def test_aLoneDatagramHasItsOwnLengthAsSegment(self) -> None:
        self.assertEqual(newCodec().encode([Train(9, b"abc")]), bytes.fromhex("000000030003 00000000 616263"))

    def test_aTrainThatNoFrameCanHoldIsAnError(self) -> None:
        """
        Its length would be told wrongly, and all that follows read wrongly.
        """
        self.assertEqual(len(newCodec().encode([Train(1400, bytes(65535))])), 65545)
        for train in (Train(1400, bytes(65536)), Train(65536, bytes(65536))):
            self.assertRaises(struct.error, newCodec().encode, [train])

    @given(RUNS, NUMBERS, st.integers(1, 4), st.randoms(use_true_random=False))
    def test_tunnelsOfASessionNumberTogether(
        self, runs: list[tuple[int, int]], first: int, tunnels: int, dice: Random
    ) -> None:
        """
        Each datagram has the number after that of the one before it, whichever tunnels
        they go through; behind the last number comes 0.
        """
        datagrams = [filling(size, place) for size, count in runs for place in range(count)]
        trains = gather(datagrams)
        numbering = Numbering(first)
        senders = [Format2Codec(numbering) for _ in range(tunnels)]
        receivers = [newCodec() for _ in range(tunnels)]
        arrived: list[tuple[int, bytes]] = []
        while trains:
            most = dice.randint(1, 3)
            portion, trains = trains[:most], trains[most:]
            tunnel = dice.randrange(tunnels)
            decoded = receivers[tunnel].decode(senders[tunnel].encode(portion))
            arrived += numbered(decoded.arrivals)
        expected = [((first + place) % 2**32, datagram) for place, datagram in enumerate(datagrams)]
        self.assertTrue(arrived == expected)
        self.assertEqual(numbering.next, (first + len(datagrams)) % 2**32)

    @given(RUNS, NUMBERS)
    def test_trainsArriveAsTheyWereSent(self, runs: list[tuple[int, int]], first: int) -> None:
        trains = gather(filling(size, place) for size, count in runs for place in range(count))
        arrivals, controls, _ = newCodec().decode(newCodec(first).encode(trains))
        self.assertTrue([train for _, train in arrivals] == trains)
        self.assertEqual(controls, [])
        for number, train in arrivals:
            self.assertEqual(number, first)
            first = (first + train.datagrams) % 2**32


class DecodingTests(SynchronousTestCase):
    """
    Read bytes as trains and other frames again.
    """

    def test_framesAreUnderstoodAsTheyAreWrittenDown(self) -> None:
        for vector, arrivals, controls in FRAMES + FRAMES_UNDERSTOOD:
            self.assertEqual(newCodec().decode(vector.octets), Decoded(arrivals, controls, []), vector.name)

    def test_trainsThatWereSentBeforeSaySo(self) -> None:
        """
        As it is written down; those in the same stream that were not are kept apart, also
        where a train comes in part.
        """
        for vector, again in FRAMES_AGAIN:
            self.assertEqual(b"".join(frameAgain(number, train) for number, train in again), vector.octets)
            self.assertEqual(newCodec().decode(vector.octets), Decoded([], [], again), vector.name)
        stream = (
            newCodec(5).encode([Train(1, b"ab")])
            + frameAgain(9, Train(2, b"cdef"))
            + newCodec(7).encode([Train(1, b"g")])
        )
        for place in range(len(stream) + 1):
            codec = newCodec()
            first, second = codec.decode(stream[:place]), codec.decode(stream[place:])
            self.assertEqual(numbered(first.arrivals + second.arrivals), [(5, b"a"), (6, b"b"), (7, b"g")])
            self.assertEqual(numbered(first.again + second.again), [(9, b"cd"), (10, b"ef")])

    def test_lastOfATrainThatIsSentAgainMayBeShorter(self) -> None:
        """
        As any train's, and its segment is not longer than its payload.
        """
        self.assertEqual(newCodec().decode(frameAgain(1, Train(9, b"abc"))).again, [(1, Train(3, b"abc"))])
        self.assertEqual(newCodec().decode(frameAgain(1, Train(0, b""))).again, [(1, Train(0, b""))])
        self.assertEqual(newCodec().decode(frameAgain(1, Train(2, b"abc"))).again, [(1, Train(2, b"abc"))])

    def test_framesAreUnderstoodHoweverTheStreamIsCut(self) -> None:
        for vector, arrivals, controls in FRAMES + FRAMES_UNDERSTOOD:
            octets = vector.octets
            cuts = [[octets[:place], octets[place:]] for place in range(len(octets) + 1)]
            for parts in [*cuts, [bytes([byte]) for byte in octets]]:
                codec = newCodec()
                came = [codec.decode(part) for part in parts]
                datagrams = [datagram for decoded in came for datagram in numbered(decoded.arrivals)]
                self.assertEqual(datagrams, numbered(arrivals), vector.name)
                self.assertEqual([control for decoded in came for control in decoded.controls], controls, vector.name)

    def test_whatIsMissingIsSaidAndUnderstood(self) -> None:
        for vector, _, controls in FRAMES:
            if vector.name == "missing":
                missing = [(7, 1), (0xFFFFFFFE, 4)]
                self.assertEqual(missingFrame(missing), vector.octets)
                self.assertEqual(missingOf(controls[0][1]), missing)

    @given(st.lists(st.tuples(NUMBERS, st.integers(1, 2**32)), min_size=1, max_size=MAX_MISSING))
    def test_whateverIsMissingIsUnderstood(self, missing: list[tuple[int, int]]) -> None:
        [(kind, payload)] = newCodec().decode(missingFrame(missing)).controls
        self.assertEqual((kind, missingOf(payload)), (Kind.MISSING, missing))

    def test_controlsAreWhatTheyAreCalled(self) -> None:
        for vector, _, controls in FRAMES:
            for (kind, _), (expected, _) in zip(newCodec().decode(vector.octets).controls, controls, strict=True):
                self.assertIs(kind, expected)

    def test_whatIsThereOfATrainGoesOnAtOnce(self) -> None:
        """
        With the numbers that its datagrams have; only what is not whole waits.
        """
        octets = bytes.fromhex("000000030008 fffffffe") + b"abcdefgh"
        codec = newCodec()
        steps = [codec.decode(octets[begin:end]).arrivals for begin, end in ((0, 10), (10, 14), (14, 17), (17, 18))]
        self.assertEqual(
            steps, [[], [(0xFFFFFFFE, Train(3, b"abc"))], [(0xFFFFFFFF, Train(3, b"def"))], [(0, Train(3, b"gh"))]]
        )
        self.assertEqual(codec.decode(octets[:16]).arrivals, [(0xFFFFFFFE, Train(3, b"abcdef"))])

    def test_tunnelsDoNotShareWhatIsHalfRead(self) -> None:
        numbering = Numbering()
        one, other = Format2Codec(numbering), Format2Codec(numbering)
        octets = bytes.fromhex("000000020002 00000000 6162")
        self.assertEqual(one.decode(octets[:11]), Decoded([], [], []))
        self.assertEqual(other.decode(octets), Decoded([(0, Train(2, b"ab"))], [], []))
        self.assertEqual(one.decode(octets[11:]), Decoded([(0, Train(2, b"ab"))], [], []))
        self.assertEqual(numbering.next, 0)

    @settings(max_examples=80)
    @given(FRAMES_IN_A_ROW, st.none() | DRAINED, CUTS)
    def test_howeverTheStreamIsCutTheSameArrives(
        self, frames: list[Frame], drained: list[Frame] | None, cuts: list[int]
    ) -> None:
        if drained is not None:
            frames = [*frames, controlOf(Kind.DRAIN, b""), *drained]
        datagrams, controls = eventsOf(frames)
        # A datagram of a train is handed on when it is whole, and what is missing or a status all at once.
        wholes = [frame.header[3 if frame.header[0] else 2] for frame in frames if frame.header[0] in (0, 128, 131)]
        longest = max(wholes, default=0)
        codec = newCodec()
        read = arrived = obeyed = 0
        for piece in pieces(octetsOf(frames), cuts):
            read += len(piece)
            decoded = codec.decode(piece)
            came = numbered(decoded.arrivals)
            expected = [what for end, what in datagrams[arrived:] if end <= read]
            self.assertTrue(came == expected, "datagrams")  # to show how they differ would take minutes
            arrived += len(came)
            self.assertEqual(decoded.controls, [what for end, what in controls[obeyed:] if end <= read])
            obeyed += len(decoded.controls)
            self.assertLess(len(codec._held), max(HEADER_BYTES, longest))
        self.assertEqual((arrived, obeyed, codec._held), (len(datagrams), len(controls), b""))

    @given(st.lists(st.builds(trainFrame, st.integers(1, 100), st.integers(0, 300), NUMBERS), max_size=3))
    def test_byteByByteNothingIsHeldThatIsWhole(self, frames: list[Frame]) -> None:
        datagrams, _ = eventsOf(frames)
        codec = newCodec()
        codec._held = CountingHeld()
        arrived = 0
        for place, byte in enumerate(octetsOf(frames)):
            came = numbered(codec.decode(bytes([byte])).arrivals)
            self.assertEqual(came, [what for end, what in datagrams[arrived:] if end == place + 1])
            arrived += len(came)
            self.assertLess(len(codec._held), 100)
        self.assertEqual((arrived, codec._held), (len(datagrams), b""))


class EffortTests(SynchronousTestCase):
    """
    Count what it costs to read, whatever a peer sends.
    """

    def test_noMoreThanOneDatagramIsKept(self) -> None:
        codec = newCodec()
        train = trainFrame(20000, 65535, 7).octets
        self.assertEqual(countOf(one for _, one in codec.decode(train * 2 + train[:-1]).arrivals), 11)
        self.assertEqual(len(codec._held), 5534)
        self.assertEqual(numbered(codec.decode(train[-1:]).arrivals), [(10, filling(65535, 7)[60000:])])
        self.assertEqual(codec._held, b"")
        codec.decode(trainFrame(65535, 65535, 7).octets[:-1])
        self.assertEqual(len(codec._held), 65534)

    def test_nothingIsKeptOfWhatIsSkipped(self) -> None:
        for frame in (controlOf(Kind.PADDING, bytes(65535)), skippedFrame(200, 1, 2, 65535, 3)):
            codec = newCodec()
            octets = frame.octets
            for begin in range(HEADER_BYTES, len(octets), 7000):
                start = 0 if begin == HEADER_BYTES else begin
                self.assertEqual(codec.decode(octets[start : begin + 7000]), Decoded([], [], []))
                self.assertEqual(codec._held, b"")
            self.assertEqual(codec.decode(Frame((4, 0, 0, 0, 0), b"").octets).controls, [(Kind.BYE, b"")])

    def test_longDatagramInCrumbsIsNotCopiedAgainForEachOfThem(self) -> None:
        """
        A peer that dribbles would otherwise cost us gigabytes of copying.
        """
        codec = newCodec()
        held = codec._held = CountingHeld()
        octets = trainFrame(65535, 65535, 5).octets
        for place in range(len(octets) - 1):
            self.assertEqual(codec.decode(octets[place : place + 1]), Decoded([], [], []))
            self.assertEqual(
                len(held), (place + 1) % HEADER_BYTES if place < HEADER_BYTES else place + 1 - HEADER_BYTES
            )
        self.assertIs(codec._held, held)
        self.assertEqual(held.cleared, 1)
        self.assertTrue(codec.decode(octets[-1:]).arrivals == [(5, Train(65535, octets[HEADER_BYTES:]))])

    def test_longTrainInCrumbsIsJoinedOnceForEachDatagram(self) -> None:
        for crumb in (1, 3, 77):
            codec = newCodec()
            held = codec._held = CountingHeld()
            octets = trainFrame(100, 10000, 5).octets
            came = [codec.decode(octets[begin : begin + crumb]) for begin in range(0, len(octets), crumb)]
            self.assertEqual(
                numbered(one for step in came for one in step.arrivals), numbered([(5, Train(100, octets[10:]))])
            )
            self.assertLessEqual(held.cleared, 101)

    def test_workIsInProportionToTheDataWhateverItsPattern(self) -> None:
        """
        However small or many the frames are, each byte is copied once, and a train
        of many datagrams is one piece of work.
        """
        for frame, least in (
            (trainFrame(0, 0, 1), 10),
            (trainFrame(1, 1, 1), 11),
            (trainFrame(1, 60000, 1), 60000),
            (trainFrame(65535, 65535, 1), 60000),
            (controlOf(Kind.PING, bytes(8)), 18),
            (controlOf(Kind.PADDING, bytes(1)), 11),
            (controlOf(Kind.PADDING, bytes(60000)), 60000),
            (skippedFrame(255, 0, 0, 1, 0), 11),
        ):
            octets = frame.octets
            data = CountingBytes(octets * max(65536 // len(octets), 3) + octets[:-1])
            codec = newCodec()
            codec.decode(data)
            self.assertLessEqual(data.looks, len(data) // least + 3, frame.header)
            self.assertLessEqual(data.seen, len(data), frame.header)


class RefusalTests(SynchronousTestCase):
    """
    Send what the format does not allow.
    """

    def test_malformedFramesAreRefusedWithTheByteThatGivesThemAway(self) -> None:
        """
        Each with its own reason, in one line, however the stream is cut; before any of the payload is there.
        """
        for text, reason in MALFORMED_FRAMES:
            octets = bytes.fromhex(text)
            for place in range(len(octets)):
                codec = newCodec()
                codec.decode(octets[:place])
                error = self.assertRaises(PeerError, codec.decode, octets[place:] + bytes(30))
                self.assertIn(reason, str(error), text)
                self.assertNotIn("\n", str(error))
            codec = newCodec()
            for byte in octets[:-1]:
                codec.decode(bytes([byte]))
            self.assertRaises(PeerError, codec.decode, octets[-1:])

    def test_everyHeaderIsEitherTakenOrRefused(self) -> None:
        """
        All kinds, with flags and without, and lengths around those that are allowed.
        """
        lengths = {1: {8}, 2: {8}, 3: {0}, 4: {0}, 128: {8, 16, 128}, 130: {0}, 131: {21}}
        for kind in range(256):
            for flags in (0, 1, 128):
                for segment, size in (
                    (0, 0),
                    (0, 1),
                    (1, 0),
                    (1, 1),
                    (0, 7),
                    (0, 8),
                    (8, 8),
                    (0, 9),
                    (0, 16),
                    (0, 21),
                    (0, 128),
                    (0, 129),
                    (0, 136),
                    (0, 65535),
                    (9, 65535),
                ):
                    isKnown = kind <= 5 or kind in {128, 130, 131}
                    isRight = size in lengths.get(kind, {size}) and (kind > 0 or segment > 0 or size == 0)
                    octets = Frame((kind, flags, segment, size, 1), b"").octets
                    if (kind > 128 and not isKnown) or (isKnown and flags <= (kind == Kind.TRAIN) and isRight):
                        newCodec().decode(octets)
                    else:
                        self.assertRaises(PeerError, newCodec().decode, octets)

    def test_noTrainFollowsADrain(self) -> None:
        """
        Neither at once nor later, neither a long one nor an empty one; everything else may.
        """
        drain = controlFrame(Kind.DRAIN)
        self.assertRaises(PeerError, newCodec().decode, drain + frameAgain(0, Train(1, b"a")))
        for train in (trainFrame(3, 3, 0), trainFrame(3, 9, 0), trainFrame(0, 0, 0)):
            self.assertRaises(PeerError, newCodec().decode, drain + train.octets)
            codec = newCodec()
            self.assertEqual(codec.decode(train.octets + drain).controls, [(Kind.DRAIN, b"")])
            for other in (
                controlOf(Kind.PING, bytes(8)),
                controlOf(Kind.PADDING, bytes(9)),
                skippedFrame(129, 0, 0, 9, 0),
            ):
                codec.decode(other.octets)
            self.assertRaises(PeerError, codec.decode, train.octets[:HEADER_BYTES])

    def test_whatIsSentAfterADrainIsNotBoundByThatOfThePeer(self) -> None:
        """
        What is under way from here still goes: it is the tunnel that decides.
        """
        codec = newCodec()
        codec.decode(controlFrame(Kind.DRAIN))
        self.assertEqual(codec.encode([Train(1, b"a")]), bytes.fromhex("000000010001 00000000 61"))

    def test_randomAndDamagedStreamsRaiseNothingElse(self) -> None:
        """
        Whoever it is that connects; and how the stream is cut changes neither what
        arrives nor whether and why it is refused.
        """
        seed = str(Random().getrandbits(32))  # noqa: S311 - no secret
        streams = Streams(seed)
        refused = 0
        for number in range(STREAMS):
            place, parts = streams.next()
            found = [readAll(place, cuts) for cuts in (parts, [b"".join(parts)])]
            refused += isinstance(found[0], str)
            self.assertEqual(found[0], found[1], f"seed {seed}, stream {number}: {parts}")
        self.assertTrue(0.2 * STREAMS < refused < 0.8 * STREAMS, f"{refused} of {STREAMS}, seed {seed}")


def readAll(place: int, parts: Sequence[bytes]) -> object:
    """
    @param place: which of the L{READERS} reads.
    @return: what has arrived, or why it was refused.
    """
    reader = READERS[place]()
    try:
        for part in parts:
            reader.read(part)
    except PeerError as error:
        return str(error)
    return reader.hello, reader.arrived, reader.controls
