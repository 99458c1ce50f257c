"""
How large the TCP segments of tunnels may be.  Somewhere on the path may be a link that carries
only smaller packets than the others, and the message of the router that says so may be lost:
then connections are made, and whatever is small passes, but a full segment never arrives, however
often it is sent again.  Whoever says at the beginning of a connection that his segments are
small gets through, both ways.

It is decided here from evidence, without sockets.  There are two kinds.  A handshake of TLS
stalls after TCP was connected, and another one to the same address with smaller segments is done
meanwhile.  Or open tunnels stall, one after another, each soon after its handshake.  A server that
stands still or a path that is broken for a while can look alike.  So where no segment is known to
be lost, a full handshake is tried once more; and one tunnel that stalls is not enough.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

SMALL_SIZES = (1200, 536)
"""
Sizes to fall back to.  The first passes where IPv6 passes at all, which wants packets of 1280
bytes, and through most tunnels; the second passes everywhere (RFC 9293).
"""

FRESH_SECONDS = 15.0
"""An open tunnel that stalls later than this after its opening is no second evidence: much may happen in that time."""


class SizeState(Enum):
    """
    Names what is known of the path.  CHECK: a smaller handshake was done while a larger one
    stalled, which has to be seen again.  SMALL: larger segments do not pass.
    """

    FULL = auto()
    CHECK = auto()
    SMALL = auto()


class SegmentSizes:
    """
    Decides for one client how large the segments of its tunnels are.

    @ivar state: what is known.
    """

    def __init__(self, fixed: int | None, found: Callable[[int], None]) -> None:
        """
        @param fixed: the size that the user wants, or L{None} to find it out.
        @param found: called with the size when it is known that larger ones do not pass.
        """
        self._fixed = fixed
        self._found = found
        self.forget()

    def forget(self) -> None:
        """
        The path may have changed: begin with full segments again.
        """
        self.state = SizeState.FULL
        self._small = SMALL_SIZES[0]
        self._stalledAt: float | None = None
        self._checkedAt = 0.0  # in the state CHECK: since when

    def forDial(self) -> int | None:
        """
        @return: the size for the next connection; L{None} for as large as the system likes.
        """
        if self._fixed is not None:
            return self._fixed
        return self._small if self.state is SizeState.SMALL else None

    def smallerThan(self, size: int | None) -> int | None:
        """
        @param size: of a connection, as L{forDial} has said.
        @return: the size that may pass where that one does not, or L{None} when there is none.
        """
        if self._fixed is not None:
            return None
        return next((small for small in SMALL_SIZES if size is None or small < size), None)

    def isTooLarge(self, size: int | None) -> bool:
        """
        @param size: of a connection, as L{forDial} has said.
        @return: whether it is known now that its segments do not pass.
        """
        return self.state is SizeState.SMALL and (size is None or size > self._small)

    # Handshakes.

    def handshakeDone(self, size: int | None) -> None:
        """
        A handshake was done.

        @param size: of its segments, as L{forDial} has said.
        """
        if self.state is SizeState.CHECK and (size is None or size > self._small):
            self.forget()

    def smallerPassed(self, size: int, largerAt: float, now: float, *, sawLoss: bool) -> None:
        """
        A handshake was done while another one with larger segments to the same address stalled.

        @param size: of the smaller segments.
        @param largerAt: when the one that stalled was begun.  What stalled already at the first
            sign is no second one: a server that stood still answers many at the same moment.
        @param now: in seconds, by the same clock.
        @param sawLoss: whether segments of the one that stalled were lost, as the kernel knows.
        """
        known = self.forDial()
        if known is not None and known <= size:
            return
        isChecked = self.state is SizeState.CHECK
        isSecond = isChecked and size <= self._small and largerAt >= self._checkedAt
        self._small = size
        if sawLoss or isSecond:
            self._know()
        elif not isChecked:
            self.state = SizeState.CHECK
            self._checkedAt = now

    # Open tunnels.

    def tunnelStalled(self, size: int | None, openedAt: float, now: float) -> None:
        """
        The oldest segment of an open tunnel was sent again and again, and it may be large.

        @param size: of its segments, as L{forDial} has said.
        @param openedAt: when it was opened.
        @param now: in seconds, by the same clock.
        """
        smaller = self.smallerThan(size)
        if smaller is None or self.isTooLarge(size):
            return
        before = self._stalledAt
        if before is None or now - before > 2 * FRESH_SECONDS:
            self._stalledAt = now
        elif openedAt > before:  # a tunnel was opened since, and so small segments pass
            if now - openedAt > FRESH_SECONDS:
                self._stalledAt = now
                return
            self._small = smaller
            self._know()

    def _know(self) -> None:
        self.state = SizeState.SMALL
        self._stalledAt = None
        self._found(self._small)
