"""
The doctor's end of a tunnel, when the server says what no honest one says.
"""

from __future__ import annotations

import tracemalloc

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.doctor.tunnel import OpenTunnel, TunnelGone
from uotp.path import PathStats
from uotp.wire import Kind, controlFrame


class ScriptedChannel:
    """
    Says what it was told to, a part each second.

    @ivar sent: how often something was sent on it.
    """

    def __init__(self, clock: Clock, *parts: bytes) -> None:
        """
        @param parts: what the server says.
        """
        self._clock = clock
        self._parts = list(parts)
        self.sent = 0

    def send(self, data: bytes, seconds: float) -> None:
        """
        Count it.
        """
        self.sent += 1

    def receive(self, seconds: float) -> bytes:
        """
        @return: the next part.
        """
        self._clock.advance(1.0)
        if seconds <= 0 or not self._parts:
            raise TimeoutError
        return self._parts.pop(0)

    def pathStats(self) -> PathStats | None:
        """
        @return: nothing.
        """

    def close(self) -> None:
        """
        Do nothing.
        """


def pong(number: int) -> bytes:
    """
    @return: the frame that answers a ping.
    """
    return controlFrame(Kind.PONG, number.to_bytes(8, "big"))


class OpenTunnelTests(SynchronousTestCase):
    """
    Know an answer from what was never asked.
    """

    def tunnel(self, *parts: bytes) -> OpenTunnel:
        """
        @return: one whose server says this.
        """
        clock = Clock()
        return OpenTunnel(ScriptedChannel(clock, *parts), clock.seconds)  # type: ignore[arg-type]  # as much as is needed

    def test_onlyThePongOfThePingIsAnAnswer(self) -> None:
        tunnel = self.tunnel(pong(2), pong(1), pong(1) + pong(7), pong(2))
        self.assertEqual((tunnel.ping(9.0), tunnel.ping(9.0)), (2.0, 2.0))

    def test_whoSaysOtherThingsAllTheTimeHasNotAnswered(self) -> None:
        tunnel = self.tunnel(*(pong(7) for _ in range(9)))
        error = self.assertRaises(TunnelGone, tunnel.ping, 5.0)
        self.assertEqual(str(error), "no answer came in time")

    def test_nothingIsKeptOfPongsThatNobodyWaitsFor(self) -> None:
        """
        A server may send a million each second.
        """
        tunnel = self.tunnel()
        tunnel.take(pong(1 << 50))
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for number in range(5000):
            tunnel.take(pong(number))
        self.assertLess(tracemalloc.get_traced_memory()[0], 50_000)

    def test_manyPingsAtOnceHaveOneAnswer(self) -> None:
        """
        A server that sends thousands of them and reads slowly would keep whoever waits for hours.
        """
        clock = Clock()
        channel = ScriptedChannel(clock)
        tunnel = OpenTunnel(channel, clock.seconds)  # type: ignore[arg-type]  # as much as is needed
        tunnel.take(b"".join(controlFrame(Kind.PING, number.to_bytes(8, "big")) for number in range(5000)))
        self.assertEqual(channel.sent, 1)
