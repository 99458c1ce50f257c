"""
The link in format 1: it carries trains, and knows nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

from uotp.boundaries import CarriedSession, Stream
from uotp.train import Train
from uotp.tunnel.link import MUCH_UNDECODED_BYTES, PORTION_UNITS, LinkOwner, TunnelLink
from uotp.wire import SHOWN_BYTES, Format1Codec


class Format1Link(TunnelLink):
    """
    Speaks format 1 on an open tunnel.

    @ivar heard: whether a byte has come.
    @ivar shown: the first bytes that have come.
    """

    def __init__(self, stream: Stream, owner: LinkOwner, session: CarriedSession, clock: Callable[[], float]) -> None:
        """
        See L{TunnelLink}.
        """
        super().__init__(stream, owner, session, clock)
        self._codec = Format1Codec()
        self.heard = False
        self.shown = b""

    def send(self, trains: list[Train], now: float) -> None:
        """
        See L{uotp.boundaries.Link.send}.
        """
        if not self._carries:
            return
        frames = self._codec.encode(trains)
        self._stream.write(frames)
        self.sentAt = now
        self.bytesOut += len(frames)

    def received(self, data: bytes) -> None:
        """
        Hand on the trains that have come.
        """
        if not self.heard:
            self.heard, self.shown = True, data[:SHOWN_BYTES]
        if self._isOver:
            return
        self.bytesIn += len(data)
        codec, allowance = self._codec, self._allowance
        while trains := codec.decode(data, PORTION_UNITS):
            allowance.left -= codec.spent
            if allowance.left < 0:
                allowance.overdraw()
            self._inbound.unnumbered(trains, self._seconds())
            if not codec.rest:
                break
            if allowance.isSpent:
                self._takeTurn()
                break
            data = b""
        else:  # nothing whole has come, which takes its time as well
            allowance.spend(1)
        if codec.rest or codec.inPart > MUCH_UNDECODED_BYTES or self._room is not None:
            self._keepUndecoded(codec.inPart + len(codec.rest))
