"""
Frames of WebSocket: byte for byte, however the stream is cut, and against another implementation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Pong
from wsproto.frame_protocol import FrameProtocol
from wsproto.frame_protocol import Opcode as TheirOpcode

from tests.transport.websocket.vectors import FORBIDDEN, MASK, SHOWN, UNDERSTOOD, WRITTEN
from tests.wire.streams import pieces
from uotp.errors import PeerError
from uotp.transport.websocket.decoder import FrameDecoder, unmasked
from uotp.transport.websocket.frames import Opcode, closeMessage, controlMessage, frameHeader

CUTS = st.lists(st.integers(0, 1 << 16), max_size=8)
"""Where a stream is cut."""

DRAIN = b"\3" + bytes(9)
"""A frame of format 2."""

ALL = 1 << 30
"""More frames than there are."""


def decoded(decoder: FrameDecoder, parts: Sequence[bytes], most: int = ALL) -> bytes:
    """
    @param most: frames that are decoded at one go.
    @return: the payload of all messages.
    """
    found: list[bytes | memoryview] = []
    for part in parts:
        decoder.feed(part)
        while decoder.take(most, found) == most:
            pass
    return b"".join(found)


def singles(octets: bytes) -> list[bytes]:
    """
    @return: each byte alone.
    """
    return [octets[at : at + 1] for at in range(len(octets))]


class WrittenFrameTests(SynchronousTestCase):
    """
    Write frames.
    """

    def test_vectors(self) -> None:
        for vector in WRITTEN:
            header = frameHeader(Opcode.BINARY, len(vector.payload), masks=vector.isMasked)
            self.assertEqual(header + vector.payload, vector.octets, vector.text)

    def test_examplesOfTheDocument(self) -> None:
        """
        Each is what we write.
        """
        for vector, payload, masks in zip(SHOWN, (DRAIN + b"\0", DRAIN, bytes(128)), (False, True, False), strict=True):
            self.assertEqual(frameHeader(Opcode.BINARY, len(payload), masks=masks) + payload, vector.octets)

    def test_controlMessages(self) -> None:
        self.assertEqual(controlMessage(Opcode.PING, b"?", masks=False), b"\x89\x01?")
        self.assertEqual(controlMessage(Opcode.PONG, b"?", masks=True), b"\x8a\x81\0\0\0\0?")
        self.assertEqual(closeMessage(1000, masks=False), b"\x88\x02\x03\xe8")
        self.assertEqual(closeMessage(None, masks=True), b"\x88\x80\0\0\0\0")


class FrameDecoderTests(SynchronousTestCase):
    """
    Take frames apart.
    """

    def test_vectorsHoweverTheyAreCut(self) -> None:
        """
        Whole, in two pieces with any border near the ends, byte by byte, and one behind another.
        """
        for vector in UNDERSTOOD:
            octets = vector.octets
            ways = [[octets], [octets[:5], octets[5:]]]
            if len(octets) < 200:
                ways += [singles(octets), *([octets[:at], octets[at:]] for at in range(len(octets)))]
            for parts in ways:
                decoder = FrameDecoder(isMasked=vector.isMasked)
                self.assertEqual(decoded(decoder, parts), vector.payload, vector.text)
                self.assertTrue(decoder.isAtRest, vector.text)
        for isMasked in (False, True):
            chosen = [vector for vector in UNDERSTOOD if vector.isMasked is isMasked]
            decoder = FrameDecoder(isMasked=isMasked)
            stream = b"".join(vector.octets for vector in chosen)
            self.assertEqual(decoded(decoder, [stream]), b"".join(vector.payload for vector in chosen))

    def test_payloadIsHandedOnBeforeTheFrameEnds(self) -> None:
        decoder = FrameDecoder(isMasked=True)
        self.assertEqual(decoded(decoder, [b"\x82\xff" + (1 << 40).to_bytes(8, "big") + MASK]), b"")
        for _ in range(3):
            self.assertEqual(decoded(decoder, [unmasked(b"some", MASK, 0)]), b"some")
        self.assertFalse(decoder.isAtRest)

    def test_whatIsForbiddenIsRefusedAtOnce(self) -> None:
        """
        With the byte that shows it, however the stream is cut; the reason is one line.
        """
        for forbidden in FORBIDDEN:
            octets = forbidden.octets
            for parts in ([octets[:-1], octets[-1:] + b"more"], [*singles(octets[:-1]), octets[-1:]]):
                decoder = FrameDecoder(isMasked=forbidden.isMasked)
                decoded(decoder, parts[:-1])
                error = self.assertRaises(PeerError, decoded, decoder, parts[-1:])
                self.assertIn(forbidden.reason, str(error), forbidden.text)
                self.assertNotIn("\n", str(error))

    def test_nothingIsKeptOfWhatWasCarried(self) -> None:
        """
        A server has thousands of connections at rest.
        """
        decoder = FrameDecoder(isMasked=False)
        for octets in (b"\x82\x7e\x40\0" + bytes(16384), b"\x82\x7e\x40\0" + bytes(384)):
            decoded(decoder, [octets])
            self.assertEqual(decoder._data, b"")

    def test_lastPingIsKept(self) -> None:
        decoder = FrameDecoder(isMasked=False)
        decoded(decoder, [b"\x89\x01a\x89\x01b"])
        self.assertEqual(decoder.ping, b"b")
        decoder = FrameDecoder(isMasked=True)
        decoded(decoder, [b"\x89\x81\1\1\1\1" + b"`"])
        self.assertEqual(decoder.ping, b"a")

    def test_nothingIsHeardBehindAClose(self) -> None:
        for close, code in ((b"\x88\0", None), (b"\x88\x02\x03\xe8", 1000), (b"\x88\x04\x0b\xb8ok", 3000)):
            decoder = FrameDecoder(isMasked=False)
            self.assertEqual(decoded(decoder, [b"\x82\x01a" + close + b"\x82\x01b\xff", b"\x82\x01c"]), b"a")
            self.assertEqual((decoder.hasClosed, decoder.closeCode, decoder.isAtRest), (True, code, False))

    def test_portionsAreBounded(self) -> None:
        """
        What is too much waits until somebody asks again.
        """
        decoder, found = FrameDecoder(isMasked=False), list[bytes | memoryview]()
        decoder.feed(b"\x82\x01a" * 10)
        self.assertEqual((decoder.take(4, found), found, decoder.isAtRest), (4, [b"a"] * 4, False))
        decoder.feed(b"\x82\x01b")
        self.assertEqual((decoder.take(100, found), found[-2:], decoder.isAtRest), (7, [b"a", b"b"], True))

    @given(st.binary(max_size=70), st.binary(min_size=4, max_size=4), st.integers(0, 3))
    def test_maskIsUndone(self, data: bytes, mask: bytes, at: int) -> None:
        """
        Byte by byte it is the same.
        """
        expected = bytes(byte ^ mask[(number + at) % 4] for number, byte in enumerate(data))
        self.assertEqual(unmasked(data, mask, at), expected)

    @given(st.binary(max_size=300), CUTS, st.booleans(), st.integers(1, 5))
    def test_anythingIsDecodedOrRefused(self, stream: bytes, cuts: list[int], isMasked: bool, most: int) -> None:  # noqa: FBT001
        """
        And the same however it is cut, and in whatever portions.
        """

        def outcome(parts: Sequence[bytes], most: int) -> tuple[Any, ...]:
            decoder, found = FrameDecoder(isMasked=isMasked), list[bytes | memoryview]()
            try:
                for part in parts:
                    decoder.feed(part)
                    while decoder.take(most, found) == most:
                        pass
            except PeerError as error:
                return b"".join(found), str(error)
            return b"".join(found), decoder.ping, decoder.hasClosed, decoder.closeCode

        self.assertEqual(outcome([stream], ALL), outcome(pieces(stream, cuts), most))


MESSAGES = st.lists(
    st.tuples(st.sampled_from(["data", "part", "ping", "pong"]), st.binary(max_size=300).filter(bool)), max_size=8
)


class OtherImplementationTests(SynchronousTestCase):
    """
    Speak with C{wsproto}, which others have written.
    """

    @given(sent=MESSAGES, cuts=CUTS, isClient=st.booleans())
    def test_whatTheyWriteIsUnderstood(self, sent: list[tuple[str, bytes]], cuts: list[int], *, isClient: bool) -> None:
        """
        They mask at random, fragment, and put control frames between.
        """
        theirs = FrameProtocol(client=isClient, extensions=[])
        stream, expected, ping = b"", b"", None
        for kind, payload in sent:
            if kind in ("data", "part"):
                stream += theirs.send_data(payload, fin=kind == "data")
                expected += payload
            elif kind == "ping":
                stream, ping = stream + theirs.ping(payload[:125]), payload[:125]
            else:
                stream += theirs.pong(payload[:125])
        stream += theirs.close(1000, "over")
        decoder = FrameDecoder(isMasked=isClient)
        self.assertEqual(decoded(decoder, pieces(stream, cuts)), expected)
        self.assertEqual((decoder.ping, decoder.hasClosed, decoder.closeCode), (ping, True, 1000))

    @given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), CUTS, st.booleans())
    def test_whatWeWriteTheyUnderstand(self, writes: list[bytes], cuts: list[int], masks: bool) -> None:  # noqa: FBT001
        stream = b"".join(frameHeader(Opcode.BINARY, len(data), masks=masks) + data for data in writes)
        stream += controlMessage(Opcode.PONG, b"?", masks=masks) + closeMessage(1000, masks=masks)
        theirs = Connection(ConnectionType.SERVER if masks else ConnectionType.CLIENT)
        events: list[Any] = []
        for part in pieces(stream, cuts):
            if part:
                theirs.receive_data(part)
                events += theirs.events()
        heard = [event.data for event in events if isinstance(event, BytesMessage)]
        self.assertEqual(b"".join(heard), b"".join(writes))
        self.assertEqual([event.payload for event in events if isinstance(event, Pong)], [b"?"])
        self.assertIsInstance(events[-1], CloseConnection)

    def test_ourKindsAreTheirs(self) -> None:
        self.assertEqual({kind.name: kind.value for kind in Opcode}, {kind.name: kind.value for kind in TheirOpcode})
