"""
With C{--pad} the first writes of a tunnel have a few lengths, on the stream and as records of TLS, whatever is in them.
"""

from __future__ import annotations

from random import Random
from typing import Any

from OpenSSL import SSL

from tests.doubles.clienthello import Reader
from tests.doubles.contracts import TimerTestCase
from tests.doubles.sessions import RecordingSession
from tests.doubles.streams import RecordingStream
from tests.doubles.tlspairs import TlsTestCase, shake
from tests.doubles.tunnels import RecordingLinkOwner, RecordingOwner
from uotp.errors import ConfigurationError
from uotp.train import LAST_NUMBER, Numbering, Train
from uotp.transport.tls import RECORD_BYTES
from uotp.tunnel.link2 import Format2Link
from uotp.tunnel.settings import CommonSettings
from uotp.tunnel.tunnel import Tunnel
from uotp.wire.format2 import Format2Codec, Kind, controlFrame
from uotp.wire.negotiation import WireChoice
from uotp.wire.padding import PADDED_SIZES, PADDED_WRITES

RECORD_OVERHEAD = 17
"""Bytes of a record of TLS 1.3 that are no payload: its kind, and what proves it."""

MOST_RANDOM_BYTES = 60000
"""As long as datagrams of these tests are at the most."""


def isPadded(size: int) -> bool:
    """
    @return: whether a write is as long as one that was padded.
    """
    return size in PADDED_SIZES or size % PADDED_SIZES[-1] == 0


class _PaddedTestCase(TimerTestCase):
    """
    Has a link that pads, and random datagrams.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock.advance(1000.0)
        self.random = Random(7)  # noqa: S311 - no secret
        self.stream, self.session = RecordingStream(), RecordingSession()
        self.link = Format2Link(self.stream, RecordingLinkOwner(), self.session, self.clock, pads=True)
        self.addCleanup(self.link.end, isLost=False)

    def randomTrains(self, count: int) -> list[bytes]:
        """
        Send so many datagrams of any length.

        @return: them.
        """
        sent = []
        for _ in range(count):
            size = self.random.randrange(self.random.choice((200, 1500, MOST_RANDOM_BYTES)))
            sent.append(self.random.randbytes(size))
            self.link.send([Train(max(size, 1), sent[-1])], self.clock.seconds())
        return sent


class FirstWritesTests(_PaddedTestCase):
    """
    Write on a link that pads.
    """

    def test_theFirstWritesHaveAFewLengths(self) -> None:
        """
        The first ping among them; and the other end finds in them what was sent.
        """
        self.link.start()
        sent = self.randomTrains(PADDED_WRITES + 20)
        first, later = self.stream.said[:PADDED_WRITES], self.stream.said[PADDED_WRITES:]
        self.assertEqual([len(each) for each in first if not isPadded(len(each))], [])
        self.assertGreater(len({len(each) for each in first}), 1)
        self.assertEqual(len(later), 21)
        self.assertTrue(any(not isPadded(len(each)) for each in later))
        decoded = Format2Codec(Numbering(0)).decode(b"".join(self.stream.said))
        self.assertEqual([train.payload for _, train in decoded.arrivals], sent)
        self.assertEqual([kind for kind, _ in decoded.controls], [Kind.PING])

    def test_whatFollowsIsWrittenToTheStreamItself(self) -> None:
        """
        So it costs nothing to have padded once.
        """
        self.randomTrains(PADDED_WRITES - 1)
        self.assertNotEqual(self.link._write, self.stream.write)
        self.randomTrains(1)
        self.assertEqual(self.link._write, self.stream.write)

    def test_everyWriteCounts(self) -> None:
        """
        Answers, farewells and what is sent again are padded alike.
        """
        self.link.received(controlFrame(Kind.PING, bytes(8)))
        self.link.nudge()
        self.link.report([(7, 1)])
        self.link.sendAgain([(LAST_NUMBER, Train(3, b"abc"))])
        self.link.drain()
        self.link.bye()
        self.assertEqual([len(each) for each in self.stream.said], [PADDED_SIZES[0]] * 6)

    def test_whatIsKeptIsNotMoreForPadding(self) -> None:
        """
        Bytes of frames are counted, and trains that are lost are found as before.
        """
        self.link.send([Train(3, b"abc")], self.clock.seconds())
        self.assertEqual(self.link.statistics().bytesOut, 13)
        self.stream.inFlight = len(self.stream.said[0])
        self.link.forgetAcknowledged()
        self.assertTrue(self.link.holdsUnacked())
        self.assertEqual([train.payload for _, train in self.link.takeUnacked()], [b"abc"])

    def test_aLostLinkLetsGoOfItself(self) -> None:
        self.link.end(isLost=True)
        self.link.release()
        self.assertEqual(self.link._write, self.stream.write)

    def test_withoutPaddingNothingIsPadded(self) -> None:
        link: Any = Format2Link(self.stream, RecordingLinkOwner(), self.session, self.clock)
        self.addCleanup(link.end, isLost=False)
        self.assertEqual(link._write, self.stream.write)
        link.send([Train(3, b"abc")], self.clock.seconds())
        self.assertEqual([len(each) for each in self.stream.said], [13])


class PaddedRecordsTests(_PaddedTestCase, TlsTestCase):
    """
    Write the same through TLS, and measure what goes over the network.
    """

    def test_recordsHaveAFewLengths(self) -> None:
        server, client = self.server().connection(), self.client()(None)
        server.set_accept_state()
        client.set_connect_state()
        shake(server, client)
        self.randomTrains(PADDED_WRITES)
        lengths = []
        for written in self.stream.said:
            for start in range(0, len(written), RECORD_BYTES):
                client.send(written[start : start + RECORD_BYTES])
            lengths.append(self.payloadsOf(client))
        self.assertEqual(len(lengths), PADDED_WRITES)
        self.assertEqual({each for payloads in lengths for each in payloads} - set(PADDED_SIZES), set())

    def payloadsOf(self, connection: SSL.Connection) -> list[int]:
        """
        @return: how much each record carries that was written.
        """
        records = Reader(connection.bio_read(1 << 20))
        sizes = []
        while records.left:
            records.take(3)
            sizes.append(len(records.piece(2)) - RECORD_OVERHEAD)
        return sizes


class PadSettingTests(TimerTestCase):
    """
    Say that there is to be padding.
    """

    def test_format1HasNoPadding(self) -> None:
        error = self.assertRaises(ConfigurationError, CommonSettings, pad=True, wire=WireChoice.ONE)
        self.assertEqual(str(error), "pad needs format 2, and wire 1 was said")
        for wire in (WireChoice.AUTO, WireChoice.TWO):
            self.assertEqual(CommonSettings(pad=True, wire=wire).onlyInFormat2, ["pad"])

    def test_tunnelsHaveNoneUnlessItIsSaid(self) -> None:
        self.assertFalse(Tunnel(self.clock, RecordingOwner())._pads)
