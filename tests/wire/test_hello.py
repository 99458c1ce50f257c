"""
How a tunnel begins, in both formats: byte for byte, and however the stream is cut.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.wire.streams import LONGEST_HELLO_BYTES, pieces
from tests.wire.vectors import (
    CLIENT_HELLOS,
    CLIENT_HELLOS_UNDERSTOOD,
    MALFORMED_CLIENT_HELLOS,
    MALFORMED_SERVER_HELLOS,
    SERVER_HELLOS,
    SERVER_HELLOS_UNDERSTOOD,
    SESSION_ID,
    ClientHelloVector,
    Malformed,
    ServerHelloVector,
)
from uotp.errors import PeerError
from uotp.order import MAX_REORDER_SECONDS, MIN_REORDER_SECONDS, Order, OrderMode
from uotp.wire.foreign import FOREIGN
from uotp.wire.hello import (
    INSTANCE_BYTES,
    MAGIC,
    MAX_EXTENSIONS_BYTES,
    NO_SESSION_ID,
    OPENING,
    TELLING_BYTES,
    ClientHello,
    ClientHelloDecoder,
    ServerHello,
    ServerHelloDecoder,
    WireFormat,
    crossedOut,
    encodeClientHello,
    encodeServerHello,
    newSessionId,
    sessionName,
)

FOLLOWING = b"frames, or what else is sent at once"

CUTS = st.lists(st.integers(0, 1 << 16), max_size=8)
"""Where a stream is cut."""

UUIDS = st.uuids(version=4).map(lambda sessionId: sessionId.bytes)

LONGEST_EXTENSION = b"\x7f" + (MAX_EXTENSIONS_BYTES - 3).to_bytes(2, "big") + bytes(MAX_EXTENSIONS_BYTES - 3)

Decoder = ClientHelloDecoder | ServerHelloDecoder


def opening(extensions: bytes, flags: int = 0) -> bytes:
    """
    @return: what both hellos of format 2 begin with.
    """
    return b"uotp\x02" + bytes([flags]) + len(extensions).to_bytes(2, "big")


class HelloTestCase(SynchronousTestCase):
    """
    Asks the same of both decoders.
    """

    def assertTaken(self, decoder: Decoder, parts: Sequence[bytes], size: int, hello: object) -> None:
        """
        The hello is there with its last byte, with all of the rest of its piece.

        @param size: how long the hello is.
        """
        read = 0
        for number, part in enumerate(parts):
            read += len(part)
            taken = decoder.feed(part)
            if read < size:
                self.assertIsNone(taken)
                self.assertLess(len(decoder._held), LONGEST_HELLO_BYTES)
            else:
                self.assertEqual(taken, (hello, b"".join(parts[: number + 1])[size:]))
                self.assertEqual(decoder._held, b"")
                return
        self.fail("it was never complete")

    def assertTakenHoweverCut(self, makeDecoder: Callable[[], Decoder], octets: bytes, hello: object) -> None:
        """
        In two pieces with any border, in none, and byte by byte.
        """
        stream = octets + FOLLOWING
        for place in range(len(octets) + 2):
            self.assertTaken(makeDecoder(), [stream[:place], stream[place:]], len(octets), hello)
        self.assertTaken(makeDecoder(), [bytes([byte]) for byte in stream], len(octets), hello)

    def assertRefused(self, makeDecoder: Callable[[], Decoder], malformed: Malformed) -> None:
        """
        The last byte is refused, and none before it, however the stream is cut; the reason is one line.
        """
        octets = malformed.octets
        for place in range(len(octets)):
            decoder = makeDecoder()
            self.assertIsNone(decoder.feed(octets[:place]), malformed.text)
            self.assertLess(len(decoder._held), LONGEST_HELLO_BYTES)
            error = self.assertRaises(PeerError, decoder.feed, octets[place:] + FOLLOWING)
            self.assertIn(malformed.reason, str(error), malformed.text)
            self.assertNotIn("\n", str(error))
        decoder = makeDecoder()
        for byte in octets[:-1]:
            self.assertIsNone(decoder.feed(bytes([byte])), malformed.text)
        self.assertRaises(PeerError, decoder.feed, octets[-1:])


class SessionIdTests(SynchronousTestCase):
    """
    Make the id that a client shows.
    """

    def test_anIdIsARandomUuid(self) -> None:
        ids = {newSessionId() for _ in range(100)}
        self.assertEqual(len(ids), 100)
        for sessionId in ids:
            self.assertEqual(uuid.UUID(bytes=sessionId).version, 4)
            self.assertEqual(uuid.UUID(bytes=sessionId).variant, uuid.RFC_4122)

    def test_theNameForTheLogLetsNobodyJoin(self) -> None:
        self.assertEqual(sessionName(SESSION_ID), "5f0c9e21")


class ClientHelloTests(HelloTestCase):
    """
    Say what a client says first, in either format.
    """

    def test_hellosAreSaidAsTheyAreWrittenDown(self) -> None:
        for vector, hello in CLIENT_HELLOS:
            self.assertEqual(encodeClientHello(hello), vector.octets, vector.name)

    def test_hellosAreUnderstoodHoweverTheStreamIsCut(self) -> None:
        """
        All that stands behind a hello is handed on, none of it is lost; extensions that nobody knows are skipped.
        """
        vectors: list[ClientHelloVector] = CLIENT_HELLOS + CLIENT_HELLOS_UNDERSTOOD
        for vector, hello in vectors:
            self.assertTakenHoweverCut(ClientHelloDecoder, vector.octets, hello)

    def test_malformedHellosAreRefusedWithTheByteThatGivesThemAway(self) -> None:
        for malformed in MALFORMED_CLIENT_HELLOS:
            self.assertRefused(ClientHelloDecoder, malformed)

    def test_anyFormatButTheSecondIsRefused(self) -> None:
        """
        Whoever has our magic and another number is of another time.
        """
        for wireFormat in {*range(256)} - {2}:
            octets = b"uotp" + bytes([wireFormat, 0, 0, 0])
            error = self.assertRaises(PeerError, ClientHelloDecoder().feed, octets)
            self.assertIn(f"format {wireFormat}", str(error))

    def test_anyFlagIsRefused(self) -> None:
        """
        There is none yet, and one that is not understood may change all that follows.
        """
        for flags in range(1, 256):
            error = self.assertRaises(PeerError, ClientHelloDecoder().feed, opening(b"", flags))
            self.assertIn(f"flags that there are not: {flags:#x}", str(error))

    def test_extensionsMayBeAsLongAsTheLimitAndNoLonger(self) -> None:
        """
        All lengths below the limit are waited for, all above it are refused, save where
        a UUID of version 4 has its version.
        """
        hello = opening(LONGEST_EXTENSION) + SESSION_ID + LONGEST_EXTENSION
        self.assertEqual(len(hello), LONGEST_HELLO_BYTES)
        self.assertTaken(ClientHelloDecoder(), [hello], len(hello), ClientHello(WireFormat.TWO, SESSION_ID))
        for size in range(0, 1 << 16, 5):
            feed = ClientHelloDecoder().feed
            octets = b"uotp\x02\0" + size.to_bytes(2, "big")
            if size > MAX_EXTENSIONS_BYTES and size >> 12 != 4:
                error = self.assertRaises(PeerError, feed, octets)
                self.assertIn(f"{size} bytes of extensions", str(error))
            else:
                self.assertIsNone(feed(octets))

    def test_longHelloInCrumbsIsNeverHeldTwice(self) -> None:
        hello = opening(LONGEST_EXTENSION) + SESSION_ID + LONGEST_EXTENSION
        decoder = ClientHelloDecoder()
        for place in range(len(hello) - 1):
            self.assertIsNone(decoder.feed(hello[place : place + 1]))
            self.assertEqual(len(decoder._held), place + 1)
        self.assertEqual(decoder.feed(hello[-1:] + b"!"), (ClientHello(WireFormat.TWO, SESSION_ID), b"!"))

    @given(UUIDS, CUTS)
    @example(uuid.UUID(bytes=b"uotp\x02\0\0\0".ljust(16, b"\0"), version=4).bytes, [])
    @example(uuid.UUID(bytes=b"uotp\x02\0\x0f\xff".ljust(16, b"\xff"), version=4).bytes, [7, 8])
    @example(uuid.UUID(bytes=b"GET / HTTP/1.1\r\n", version=4).bytes, [])
    def test_noUuidOfFormat1IsTakenForAnythingElse(self, sessionId: bytes, cuts: list[int]) -> None:
        """
        Not even one that begins with our magic, or as another protocol.
        """
        parts = pieces(sessionId + FOLLOWING, cuts)
        self.assertTaken(ClientHelloDecoder(), parts, len(sessionId), ClientHello(WireFormat.ONE, sessionId))

    @given(
        UUIDS,
        st.lists(st.tuples(st.sampled_from(sorted({*range(256)} - {3, 4, 7})), st.binary(max_size=300)), max_size=12),
        CUTS,
    )
    def test_anyOtherExtensionsAreSkipped(
        self, sessionId: bytes, extensions: list[tuple[int, bytes]], cuts: list[int]
    ) -> None:
        octets = b"".join(bytes([kind]) + len(value).to_bytes(2, "big") + value for kind, value in extensions)
        hello = opening(octets) + sessionId + octets
        parts = pieces(hello + FOLLOWING, cuts)
        self.assertTaken(ClientHelloDecoder(), parts, len(hello), ClientHello(WireFormat.TWO, sessionId))

    @given(
        st.sampled_from([vector.octets for vector, _ in [*CLIENT_HELLOS, *CLIENT_HELLOS_UNDERSTOOD]]),
        st.integers(0, 99),
    )
    def test_whatIsSecretInAHelloIsCrossedOut(self, hello: bytes, cut: int) -> None:
        """
        However much of it has come.  What is no hello of format 2, or comes behind it, is left as it is.
        """
        shown = (hello + FOLLOWING)[:cut]
        isFormat2 = hello.startswith(MAGIC) and cut >= OPENING.size
        secret = range(OPENING.size, len(hello)) if isFormat2 else ()
        expected = bytes(ord("x") if at in secret else octet for at, octet in enumerate(shown))
        missing = max(len(hello) - cut, 0) if isFormat2 else 0
        self.assertEqual(crossedOut(shown), (expected, missing))

    def test_whoHasChosenNoOrderSaysNothingOfIt(self) -> None:
        """
        So that its hello is that of a client which does not know the extension.
        """
        hello = encodeClientHello(ClientHello(WireFormat.TWO, SESSION_ID, Order()))
        self.assertEqual(hello, opening(b"") + SESSION_ID)
        self.assertEqual(encodeClientHello(ClientHello(WireFormat.ONE, SESSION_ID, Order(OrderMode.OFF))), SESSION_ID)

    def test_everyWayThatIsNotKnownIsAsIfNoneWasChosen(self) -> None:
        """
        Whatever belongs to it: later clients may know more ways.
        """
        for mode in {*range(256)} - {0, 1, 2, 3}:
            for more in (b"", b"\0", b"more"):
                extension = b"\3" + (1 + len(more)).to_bytes(2, "big") + bytes([mode]) + more
                taken = ClientHelloDecoder().feed(opening(extension) + SESSION_ID + extension)
                self.assertEqual(taken, (ClientHello(WireFormat.TWO, SESSION_ID), b""))

    @given(
        st.sampled_from([Order(), Order(OrderMode.OFF), Order(OrderMode.BULK)])
        | st.integers(1, 5000).map(lambda milliseconds: Order.within(milliseconds / 1000)),
        CUTS,
    )
    @example(Order.within(MIN_REORDER_SECONDS), [])
    @example(Order.within(MAX_REORDER_SECONDS), [])
    def test_orderThatIsAskedForIsUnderstood(self, order: Order, cuts: list[int]) -> None:
        hello = ClientHello(WireFormat.TWO, SESSION_ID, order)
        octets = encodeClientHello(hello)
        self.assertTaken(ClientHelloDecoder(), pieces(octets + FOLLOWING, cuts), len(octets), hello)

    def test_partsOfAMillisecondAreNotSaid(self) -> None:
        for seconds, said in ((0.0014, 0.001), (0.0016, 0.002), (MIN_REORDER_SECONDS, 0.001)):
            octets = encodeClientHello(ClientHello(WireFormat.TWO, SESSION_ID, Order.within(seconds)))
            taken = ClientHelloDecoder().feed(octets)
            self.assertEqual(taken, (ClientHello(WireFormat.TWO, SESSION_ID, Order.within(said)), b""))


class ServerHelloTests(HelloTestCase):
    """
    Say what a server answers, in format 2.
    """

    def test_answersAreSaidAsTheyAreWrittenDown(self) -> None:
        """
        A welcome says what is known; a refusal does not say why.
        """
        for vector, hello in SERVER_HELLOS:
            self.assertEqual(encodeServerHello(hello), vector.octets, vector.name)

    def test_answersAreUnderstoodHoweverTheStreamIsCut(self) -> None:
        vectors: list[ServerHelloVector] = SERVER_HELLOS + SERVER_HELLOS_UNDERSTOOD
        for vector, hello in vectors:
            self.assertTakenHoweverCut(ServerHelloDecoder, vector.octets, hello)

    def test_malformedAnswersAreRefusedWithTheByteThatGivesThemAway(self) -> None:
        for malformed in MALFORMED_SERVER_HELLOS:
            self.assertRefused(ServerHelloDecoder, malformed)

    def test_whatDoesNotBeginAsAnAnswerIsRefusedWithItsFirstByte(self) -> None:
        """
        So that a client need not wait for a server that speaks something else.
        """
        whole = b"uotp\x02"
        for place, byte in enumerate(whole):
            for other in {*range(256)} - {byte}:
                decoder = ServerHelloDecoder()
                self.assertIsNone(decoder.feed(whole[:place]))
                self.assertRaises(PeerError, decoder.feed, bytes([other]))

    def test_everyAnswerButZeroIsARefusal(self) -> None:
        """
        Later servers may have other words for it.
        """
        for answer in range(256):
            taken = ServerHelloDecoder().feed(opening(b"", answer))
            self.assertEqual(taken, (ServerHello(answer == 0), b""))

    def test_everyStateButZeroIsResumed(self) -> None:
        """
        Only who says that the session is new makes its numbers begin anew.
        """
        for state in range(256):
            octets = opening(bytes(4)) + b"\x01\0\x01" + bytes([state])
            self.assertEqual(ServerHelloDecoder().feed(octets), (ServerHello(True, isNew=state == 0), b""))

    def test_extensionsMayBeAsLongAsTheLimitAndNoLonger(self) -> None:
        hello = opening(LONGEST_EXTENSION) + LONGEST_EXTENSION
        self.assertTaken(ServerHelloDecoder(), [hello], len(hello), ServerHello(True))
        for size in range(MAX_EXTENSIONS_BYTES + 1, 1 << 16, 5):
            octets = b"uotp\x02\0" + size.to_bytes(2, "big")
            error = self.assertRaises(PeerError, ServerHelloDecoder().feed, octets)
            self.assertIn(f"{size} bytes of extensions", str(error))

    def test_timesBeyondWhatCanBeSaidAreSaidAsTheLongest(self) -> None:
        """
        A session that is kept for ever is kept for 136 years, as far as a client knows.
        """
        octets = encodeServerHello(ServerHello(True, keptSeconds=1 << 40))
        self.assertEqual(octets.hex(), "756f7470020000070200" + "04ffffffff")

    @given(
        st.builds(
            ServerHello,
            st.booleans(),
            st.none() | st.booleans(),
            st.none() | st.integers(0, 0xFFFFFFFF) | st.sampled_from((0, 1, 150, 0xFFFFFFFF)),
            st.none() | st.binary(min_size=INSTANCE_BYTES, max_size=INSTANCE_BYTES),
        ),
        CUTS,
    )
    def test_whatIsSaidIsUnderstood(self, hello: ServerHello, cuts: list[int]) -> None:
        octets = encodeServerHello(hello)
        self.assertTaken(ServerHelloDecoder(), pieces(octets + FOLLOWING, cuts), len(octets), hello)


class ForeignHelloTests(SynchronousTestCase):
    """
    Recognise who took us for somebody else.
    """

    def test_otherProtocolsAreKnownByTheirFirstBytes(self) -> None:
        """
        So that they open no session, and the log says what to mend.  Each is told at the latest when nine bytes
        have come, and before that nobody knows.
        """
        for hello, word in (
            (b"\x16\x03\x01\x05\xc2\x01\x00\x05\xbe\x03\x03" + bytes(5), "tls=None"),
            (b"PROXY TCP4 192.0", "PROXY protocol"),
            (b"PROXY UNKNOWN\r\n", "PROXY protocol"),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", "PROXY protocol (v2)"),
            (b"GET / HTTP/1.1\r\n", "HTTP"),
            (b"POST / HTTP/1.1\r", "HTTP"),
            (b"HEAD / HTTP/1.1\r", "HTTP"),
            (b"PUT / HTTP/1.1\r\n", "HTTP"),
            (b"DELETE /a HTTP/1", "HTTP"),
            (b"OPTIONS * HTTP/1", "HTTP"),
            (b"CONNECT a:1 HTTP", "HTTP"),
            (b"PRI * HTTP/2.0\r\n", "HTTP"),
            (b"SSH-2.0-x\r\n", "SSH"),
        ):
            for cut in range(TELLING_BYTES + 1):
                decoder = ClientHelloDecoder()
                if cut < TELLING_BYTES:
                    self.assertIsNone(decoder.feed(hello[:cut]))
                    error = self.assertRaises(PeerError, decoder.feed, hello[cut:])
                else:
                    error = self.assertRaises(PeerError, ClientHelloDecoder().feed, hello[:9])
                self.assertIn(word, str(error))
            self.assertIsNone(ClientHelloDecoder().feed(hello[:6]))

    def test_idsOfOtherKindsAreNone(self) -> None:
        """
        Sixteen bytes of anything are no id, nor are UUIDs of another version or variant.
        """
        random = uuid.uuid4().bytes
        for version in {*range(16)} - {4}:
            shown = random[:6] + bytes([version << 4 | 7]) + random[7:]
            self.assertEqual(str(self.assertRaises(PeerError, ClientHelloDecoder().feed, shown)), NO_SESSION_ID)
        for variant in (0, 1, 3):
            shown = random[:8] + bytes([variant << 6 | 7]) + random[9:]
            self.assertEqual(str(self.assertRaises(PeerError, ClientHelloDecoder().feed, shown)), NO_SESSION_ID)
            error = self.assertRaises(PeerError, ClientHelloDecoder().feed, opening(b"") + shown)
            self.assertIn("no random UUID", str(error))

    def test_sessionIdIsNeverTakenForAnotherProtocol(self) -> None:
        """
        Not even one that begins in the same way.
        """
        for hello in FOREIGN:
            sessionId = uuid.UUID(bytes=hello.ljust(16, b"\xab")[:16], version=4).bytes
            taken = ClientHelloDecoder().feed(sessionId)
            self.assertEqual(taken, (ClientHello(WireFormat.ONE, sessionId), b""))
