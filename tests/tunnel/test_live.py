"""
All the tunnels of a service together.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from tests.doubles.contracts import TimerTestCase
from tests.doubles.sessions import RecordingSession
from tests.doubles.streams import TRANSPORT_BYTES, MemoryStream
from tests.doubles.tunnels import RecordingOwner
from uotp.path import PathStats
from uotp.process.steps import STEPS
from uotp.telemetry.ratelimit import MAX_LINES_PER_QUIET
from uotp.tunnel import live
from uotp.tunnel.dialled import DialledTunnel
from uotp.tunnel.live import (
    EMPTY_SECONDS,
    MAX_UNSENT_BYTES,
    STALL_CHECK_SECONDS,
    STALL_ROUND_TRIPS,
    STALL_SECONDS,
    LiveTunnels,
    LiveTunnelsStatistics,
)
from uotp.tunnel.tunnel import CLOSE_SECONDS, Tunnel


class Owner(RecordingOwner):
    """
    Takes what is lost off the live tunnels, as those who own tunnels do.
    """

    def __init__(self, liveTunnels: LiveTunnels) -> None:
        super().__init__(RecordingSession())
        self._liveTunnels = liveTunnels

    def tunnelLost(self, tunnel: Tunnel, reason: Failure) -> None:
        self._liveTunnels.discard(tunnel)


class LiveTunnelsTests(TimerTestCase):
    """
    Ask things of all tunnels of a service at once.
    """

    def setUp(self) -> None:
        super().setUp()
        self.liveTunnels = LiveTunnels(self.clock)
        self.owner = Owner(self.liveTunnels)
        self.addCleanup(lambda: self.assertEqual(len(self.liveTunnels), 0))

    def end(self) -> Deferred[None]:
        """
        @return: fires when all tunnels, told to drain, are gone.
        """
        self.liveTunnels.drainAll()
        return self.liveTunnels.whenEmpty()

    def open(self) -> MemoryStream:
        """
        @return: the transport of a tunnel that is among the live ones.
        """
        tunnel = DialledTunnel(self.clock, self.owner, b"")
        self.liveTunnels.add(tunnel)
        transport = MemoryStream(tunnel)
        tunnel.makeConnection(transport)
        self.addCleanup(transport.lose)
        return transport

    def test_closingNobodyIsDoneAtOnce(self) -> None:
        self.successResultOf(self.end())

    def test_closingDoesNotWaitForEver(self) -> None:
        """
        A tunnel that has no connection to lose does not keep a program from ending.
        """
        lost = DialledTunnel(self.clock, self.owner, b"")
        self.liveTunnels.add(lost)
        done = self.end()
        self.assertNoResult(done)
        self.clock.advance(EMPTY_SECONDS)
        self.successResultOf(done)
        self.liveTunnels.discard(lost)

    def test_closingIsDoneWhenTheLastTunnelIsGone(self) -> None:
        transports = [self.open() for _ in range(3)]
        closed = self.end()
        for transport in transports:
            self.assertEqual((transport.disconnecting, transport.aborted), (True, False))
            self.assertNoResult(closed)
            transport.settle()
        self.successResultOf(closed)

    def test_closingEndsInTimeWithAPeerThatDoesNotAnswer(self) -> None:
        transport = self.open()
        closed = self.end()
        self.clock.advance(CLOSE_SECONDS)
        self.assertTrue(transport.aborted)
        transport.settle()
        self.successResultOf(closed)

    def test_whoeverAsksForTheEndIsTold(self) -> None:
        transport = self.open()
        answers = [self.end(), self.liveTunnels.whenEmpty()]
        transport.settle()
        for answer in answers:
            self.successResultOf(answer)
        self.open().lose()

    def test_stalledTunnelIsAborted(self) -> None:
        """
        Its peer has read nothing for nine seconds; the others stay, and one that reads in the end stays too.
        """
        stalled, slow, fine = self.open(), self.open(), self.open()
        stalled.protocol.pauseProducing()
        slow.protocol.pauseProducing()
        self.clock.advance(STALL_SECONDS)
        self.liveTunnels.abortStalled()
        self.assertEqual([each.aborted for each in (stalled, slow, fine)], [False] * 3)
        slow.protocol.resumeProducing()
        self.clock.advance(1)
        with capturedLogs() as events:
            self.liveTunnels.abortStalled()
        self.assertEqual([each.aborted for each in (stalled, slow, fine)], [True, False, False])
        (line,) = [formatEvent(event) for event in events]
        self.assertIn("for 10 s", line)
        stalled.settle()
        self.assertEqual(len(self.liveTunnels), 2)

    def test_longPathIsGivenTheTimeOfARepair(self) -> None:
        """
        Behind a queue of six seconds nothing may be acknowledged for longer than elsewhere.
        """
        stalled = self.open()
        stalled.path = PathStats(9, 1, 6.0, 0.1)
        stalled.protocol.pauseProducing()
        self.clock.advance(STALL_ROUND_TRIPS * 6.0)
        self.liveTunnels.abortStalled()
        self.assertFalse(stalled.aborted)
        self.clock.advance(1)
        self.liveTunnels.abortStalled()
        self.assertTrue(stalled.aborted)

    def test_statisticsCountTunnelsAndWhatTheyHold(self) -> None:
        self.assertEqual(
            self.liveTunnels.statistics(), LiveTunnelsStatistics(tunnels=0, full=0, queuedBytes=0, retransmissions=0)
        )
        fine, full, other = self.open(), self.open(), self.open()
        new = DialledTunnel(self.clock, self.owner, b"")
        self.liveTunnels.add(new)
        fine.write(bytes(100))
        full.write(bytes(TRANSPORT_BYTES + 1000))
        other.write(bytes(TRANSPORT_BYTES + 500))
        self.assertEqual(
            self.liveTunnels.statistics(), LiveTunnelsStatistics(tunnels=4, full=2, queuedBytes=1500, retransmissions=0)
        )
        full.getOutBuffer()
        other.lose()
        self.liveTunnels.discard(new)
        self.assertEqual(
            self.liveTunnels.statistics(), LiveTunnelsStatistics(tunnels=2, full=0, queuedBytes=0, retransmissions=0)
        )

    def test_slowLinkIsNoStalledPeer(self) -> None:
        """
        A tunnel that is always full, but whose bytes go out little by little, is of use: at 4 KB/s what it holds
        takes longer than the patience with a peer that reads nothing.
        """
        slow, stalled = self.open(), self.open()
        for transport in (slow, stalled):
            transport.held = TRANSPORT_BYTES + 192 * 1024
            transport.protocol.pauseProducing()
        for _ in range(9):
            self.clock.advance(5)
            slow.held -= 20 * 1024
            self.liveTunnels.abortStalled()
        self.assertEqual([each.aborted for each in (slow, stalled)], [False, True])

    def test_whoReadsAgainIsForgotten(self) -> None:
        """
        What is kept of tunnels that are full is of these alone.
        """
        tunnel = self.open()
        tunnel.held = TRANSPORT_BYTES
        tunnel.protocol.pauseProducing()
        self.liveTunnels.abortStalled()
        self.assertEqual(len(self.liveTunnels._stuck), 1)
        tunnel.protocol.resumeProducing()
        self.liveTunnels.abortStalled()
        self.assertEqual((len(self.liveTunnels._stuck), tunnel.aborted), (0, False))

    def test_modemIsNoStalledPeer(self) -> None:
        """
        At 8 kbit/s a segment is acknowledged every 1.5 s, and the kernel holds so much that its tunnel takes
        nothing for a minute.  A deaf peer acknowledges nothing, and is gone within 10 s.
        """
        modem, deaf = self.open(), self.open()
        for transport in (modem, deaf):
            transport.held = TRANSPORT_BYTES
            transport.protocol.pauseProducing()
        for half in range(1, 121):
            self.clock.advance(STALL_CHECK_SECONDS)
            if half % 3 == 0:
                modem.held -= 1448
            self.liveTunnels.abortStalled()
            self.assertEqual(deaf.aborted, half > STALL_SECONDS / STALL_CHECK_SECONDS)
        self.assertFalse(modem.aborted)
        self.assertLess(STALL_SECONDS + 2 * STALL_CHECK_SECONDS, 10)

    def test_manyTunnelsAreLookedAtInManyTurns(self) -> None:
        """
        And are drained in many.
        """
        transports = [self.open() for _ in range(2 * STEPS)]
        for transport in transports:
            transport.protocol.pauseProducing()
        self.clock.advance(STALL_SECONDS + 1)
        self.patch(live, "CHECKED_AT_ONCE", 1)
        self.liveTunnels.abortStalled()
        self.liveTunnels.abortStalled()  # which changes nothing as long as the first is not done
        self.assertEqual(sum(transport.aborted for transport in transports), STEPS)
        self.clock.turn()
        self.assertEqual(sum(transport.aborted for transport in transports), 2 * STEPS)
        self.clock.advance(1)
        others = [self.open() for _ in range(2 * STEPS)]
        self.liveTunnels.drainAll()
        self.assertLessEqual(sum(transport.disconnecting for transport in others), STEPS)
        self.clock.pump([0] * 10)
        self.assertEqual(sum(transport.disconnecting for transport in others), 2 * STEPS)
        self.clock.advance(CLOSE_SECONDS)

    def test_deafPeersDoNotFillTheLog(self) -> None:
        """
        One client can have thousands of tunnels, and read none of them.
        """
        transports = [self.open() for _ in range(2 * MAX_LINES_PER_QUIET)]
        for transport in transports:
            transport.protocol.pauseProducing()
        self.clock.advance(STALL_SECONDS + 1)
        with capturedLogs() as events:
            self.liveTunnels.abortStalled()
        self.assertTrue(all(transport.aborted for transport in transports))
        self.assertEqual(len(events), MAX_LINES_PER_QUIET)

    def test_tunnelThatPilesUpWhatItDidNotWriteIsAborted(self) -> None:
        """
        A peer asks TLS for answers and does not read them; less than that, or as
        much in a tunnel whose transport still takes, is no such thing.
        """
        piling, modest, reading = self.open(), self.open(), self.open()
        for transport, held in ((piling, MAX_UNSENT_BYTES + 1), (modest, MAX_UNSENT_BYTES), (reading, 1 << 30)):
            transport.held = TRANSPORT_BYTES + held
            if transport is not reading:
                transport.protocol.pauseProducing()
        self.liveTunnels.abortStalled()
        self.assertEqual([each.aborted for each in (piling, modest, reading)], [True, False, False])
