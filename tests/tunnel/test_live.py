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
from uotp.tunnel.dialled import DialledTunnel
from uotp.tunnel.live import EMPTY_SECONDS, MAX_UNSENT_BYTES, STALL_SECONDS, LiveTunnels, LiveTunnelsStatistics
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
        Its peer has read nothing for half a minute; the others stay, and one that reads in the end stays too.
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
        self.assertIn("31 s", line)
        stalled.settle()
        self.assertEqual(len(self.liveTunnels), 2)

    def test_statisticsCountTunnelsAndWhatTheyHold(self) -> None:
        self.assertEqual(self.liveTunnels.statistics(), LiveTunnelsStatistics(tunnels=0, full=0, queuedBytes=0))
        fine, full, other = self.open(), self.open(), self.open()
        new = DialledTunnel(self.clock, self.owner, b"")
        self.liveTunnels.add(new)
        fine.write(bytes(100))
        full.write(bytes(TRANSPORT_BYTES + 1000))
        other.write(bytes(TRANSPORT_BYTES + 500))
        self.assertEqual(self.liveTunnels.statistics(), LiveTunnelsStatistics(tunnels=4, full=2, queuedBytes=1500))
        full.getOutBuffer()
        other.lose()
        self.liveTunnels.discard(new)
        self.assertEqual(self.liveTunnels.statistics(), LiveTunnelsStatistics(tunnels=2, full=0, queuedBytes=0))

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
