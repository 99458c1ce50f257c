"""
What is said of each tunnel at C{debug}.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.logger import LogLevel, capturedLogs, formatEvent

from tests.doubles.contracts import TimerTestCase
from tests.doubles.sessions import RecordingSession
from tests.doubles.streams import MemoryStream, streamOf
from tests.doubles.tunnels import RecordingOwner
from uotp.boundaries import Security
from uotp.path import PathStats
from uotp.telemetry.log import Logger
from uotp.tunnel.dialled import DialledTunnel
from uotp.tunnel.live import LiveTunnels
from uotp.tunnel.tunnellog import LINES_PER_MINUTE, MINUTE, PATHS_PER_MINUTE, TunnelLog

ENDS = "192.0.2.1:4000 to 192.0.2.2:8443"


class TunnelLogTests(TimerTestCase):
    """
    Follow tunnels.
    """

    def setUp(self) -> None:
        super().setUp()
        self.patch(Logger, "threshold", LogLevel.debug)
        self.log = TunnelLog(self.clock)
        self.owner = RecordingOwner(RecordingSession())

    def open(self, session: str = "1a2b3c4d") -> DialledTunnel:
        """
        @return: a tunnel that carries.
        """
        tunnel = DialledTunnel(self.clock, self.owner, b"")
        transport = MemoryStream(tunnel)
        tunnel.makeConnection(transport)
        self.addCleanup(transport.lose)
        self.log.opened(tunnel, session, "nothing is answered")
        return tunnel

    def test_theBeginningAndTheEndAreSaid(self) -> None:
        with capturedLogs() as events:
            tunnel = self.open()
            self.clock.advance(2.5)
            self.log.tell(tunnel, "a pong is overdue")
            self.log.lost(tunnel, "connection lost")
            self.log.lost(tunnel, "connection lost")
            self.log.tell(tunnel, "is not there any more")
        self.assertEqual(
            [formatEvent(event) for event in events],
            [
                f"tunnel {ENDS} carries for session 1a2b3c4d: no TLS, no ALPN, format 1; nothing is answered",
                f"tunnel {ENDS} of session 1a2b3c4d: a pong is overdue",
                f"tunnel {ENDS} of session 1a2b3c4d has ended after 2.5 s and 0 bytes: connection lost",
            ],
        )
        self.assertEqual({event["log_level"] for event in events}, {LogLevel.debug})

    def test_whatTlsHasAgreedOnIsSaid(self) -> None:
        tunnel = DialledTunnel(self.clock, self.owner, b"")
        transport = MemoryStream(tunnel, secured=True)
        tunnel.makeConnection(transport)
        self.addCleanup(transport.lose)
        transport.security = Security(b"uotp/2")
        with capturedLogs() as events:
            self.log.opened(tunnel, "s", "well")
        self.assertIn(": TLSv1.3 some cipher, ALPN uotp/2, format 1; well", str(formatEvent(events[0])))

    def test_atOtherLevelsNobodyIsAsked(self) -> None:
        """
        Also not of tunnels that were opened at C{debug}, as nobody can tell those from others.
        """
        Logger.threshold = LogLevel.info

        def facts() -> Any:
            raise AssertionError

        tunnel = DialledTunnel(self.clock, self.owner, b"")
        transport = MemoryStream(tunnel)
        tunnel.makeConnection(transport)
        self.addCleanup(transport.lose)
        self.patch(transport, "facts", facts)
        self.patch(transport, "pathStats", facts)
        with capturedLogs() as events:
            self.log.opened(tunnel, "s", "well")
            self.log.tell(tunnel, "something")
            self.log.tellPaths([tunnel])
            self.log.strangerLost("192.0.2.1", "gone")
            self.log.lost(tunnel, "gone")
        self.assertEqual(events, [])

    def test_aPeerThatOpensAndClosesFillsNoDisk(self) -> None:
        with capturedLogs() as events:
            for _ in range(LINES_PER_MINUTE):
                self.log.lost(self.open(), "gone")
                self.log.strangerLost("192.0.2.1", "gone")
            self.assertEqual(len(events), LINES_PER_MINUTE)
            self.clock.advance(MINUTE)
            self.log.strangerLost("192.0.2.1", "gone")
        words = f"connection from 192.0.2.1 ended: gone (and {2 * LINES_PER_MINUTE} not said before)"
        self.assertEqual(formatEvent(events[-1]), words)

    def test_thePathOfEachIsSaidInItsTurn(self) -> None:
        """
        However many there are, of some in each minute.
        """
        tunnels = [self.open(str(number)) for number in range(PATHS_PER_MINUTE + 10)]
        with capturedLogs() as events:
            self.log.tellPaths(tunnels)
            self.assertEqual(len(events), PATHS_PER_MINUTE)
            self.log.tellPaths(tunnels)
        self.assertEqual([event["session"] for event in events], [str(number) for number in range(len(tunnels))])

    def test_thePathIsRoundTripAndLosses(self) -> None:
        tunnel = self.open()
        path = PathStats(sent=100, repeated=7, roundTrip=0.0123, leastRoundTrip=0.01)
        self.patch(streamOf(tunnel), "pathStats", lambda: path)
        assert tunnel.link is not None
        with capturedLogs() as events:
            self.log.tellPaths([tunnel])
            tunnel.link.roundTrip = 0.025
            self.log.tellPaths([tunnel])
            self.patch(streamOf(tunnel), "pathStats", lambda: None)
            self.log.tellPaths([tunnel])
        start = f"tunnel {ENDS} of session 1a2b3c4d: round trip"
        self.assertEqual(
            [formatEvent(event) for event in events],
            [
                f"{start} not known, the kernel's 12.3 ms, 7 of 100 segments sent again, 0 bytes",
                f"{start} 25.0 ms, the kernel's 12.3 ms, 7 of 100 segments sent again, 0 bytes",
                f"{start} 25.0 ms, 0 bytes",
            ],
        )

    def test_whatIsGoneIsNotKept(self) -> None:
        tunnels = {DialledTunnel(self.clock, self.owner, b"") for _ in range(PATHS_PER_MINUTE + 1)}
        live = LiveTunnels(self.clock)
        for tunnel in tunnels:
            live.add(tunnel)
        live.tellPaths()
        known = [weakref.ref(tunnel) for tunnel in tunnels]
        for tunnel in tunnels:
            live.discard(tunnel)
        tunnels.clear()
        del tunnel
        gc.collect()
        self.assertEqual([reference() for reference in known], [None] * len(known))
