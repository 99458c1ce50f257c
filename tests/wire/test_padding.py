"""
Padding: what is written has one of a few lengths, and the other end finds in it what was there before.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from uotp.train import Numbering, Train
from uotp.wire.format2 import HEADER_BYTES, Format2Codec, Kind, controlFrame
from uotp.wire.hello import (
    PADDED_HELLO_BYTES,
    ClientHello,
    ClientHelloDecoder,
    ServerHello,
    ServerHelloDecoder,
    Token,
    WireFormat,
    encodeClientHello,
    encodeServerHello,
    newSessionId,
)
from uotp.wire.padding import MOST_PADDING_BYTES, PADDED_SIZES, padded, paddedSize


class PaddingTests(SynchronousTestCase):
    """
    Pad frames.
    """

    def test_lengthsBecomeTheNextOnes(self) -> None:
        for size, expected in (
            (1, 1024),
            (1014, 1024),
            (1015, 4096),
            (1023, 4096),
            (1024, 1024),
            (1025, 4096),
            (4086, 4096),
            (4087, 16384),
            (4096, 4096),
            (16374, 16384),
            (16375, 32768),
            (16384, 16384),
            (16385, 32768),
            (65545, 81920),
            (65563, 81920),
        ):
            self.assertEqual(paddedSize(size), expected, size)

    @given(st.integers(1, 70000))
    def test_everyLengthBecomesOneOfAFew(self, size: int) -> None:
        """
        And grows by no more than a bound.
        """
        becomes = paddedSize(size)
        self.assertTrue(becomes in PADDED_SIZES or becomes % PADDED_SIZES[-1] == 0)
        self.assertTrue(becomes == size or HEADER_BYTES <= becomes - size <= MOST_PADDING_BYTES)

    @given(st.lists(st.binary(max_size=65507), min_size=1, max_size=3))
    def test_theOtherEndFindsWhatWasThere(self, datagrams: list[bytes]) -> None:
        """
        Also when it comes with more behind it.
        """
        ours, theirs = Format2Codec(Numbering(0)), Format2Codec(Numbering(0))
        trains = [Train(max(len(each), 1), each) for each in datagrams]
        written = b"".join(padded(ours.encode([train])) for train in trains)
        decoded = theirs.decode(written + controlFrame(Kind.DRAIN))
        self.assertEqual(b"".join(train.payload for _, train in decoded.arrivals), b"".join(datagrams))
        self.assertEqual((decoded.controls, decoded.again), ([(Kind.DRAIN, b"")], []))


class PaddedHelloTests(SynchronousTestCase):
    """
    Pad hellos by the extension PAD.
    """

    def test_clientsHellosHaveOneLength(self) -> None:
        for token in (None, Token(b"a" * 16), Token(b"b" * 255)):
            hello = ClientHello(WireFormat.TWO, newSessionId(), token=token)
            encoded = encodeClientHello(hello, pads=True)
            self.assertEqual(len(encoded), PADDED_HELLO_BYTES)
            self.assertEqual(ClientHelloDecoder().feed(encoded + b"rest"), (hello, b"rest"))

    def test_serversHellosHaveTheSame(self) -> None:
        """
        A refusal cannot be told from a welcome by its length.
        """
        for hello in (ServerHello(True, True, 150), ServerHello(True), ServerHello(False)):
            encoded = encodeServerHello(hello, pads=True)
            self.assertEqual(len(encoded), PADDED_HELLO_BYTES)
            self.assertEqual(ServerHelloDecoder().feed(encoded + b"rest"), (hello, b"rest"))

    def test_format1HasNoPlaceForIt(self) -> None:
        sessionId = newSessionId()
        self.assertEqual(encodeClientHello(ClientHello(WireFormat.ONE, sessionId), pads=True), sessionId)
