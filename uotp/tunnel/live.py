"""
The tunnels of one service that are alive, whoever they carry for: what is asked
of all of them at once is asked here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall

from uotp.errors import PeerError
from uotp.process import Round, Steps
from uotp.telemetry import BudgetedLogger, LineBudget, Logger, orLog
from uotp.tunnel.states import TunnelState
from uotp.tunnel.tunnel import Tunnel
from uotp.tunnel.tunnellog import TunnelLog

STALL_SECONDS = 8.5
"""
A full tunnel of which nothing was acknowledged for so long is aborted, and is gone within 10 s:
L{STALL_CHECK_SECONDS} come on top at its beginning and its end.  Its peer answers the kernel's
probes and reads nothing.  A peer that the kernel cannot reach it gives up after 8 s itself.
A modem of 8 kbit/s has a segment acknowledged every 1.5 s.
"""

STALL_ROUND_TRIPS = 2.5
"""Where so many round trips take longer, nothing may be acknowledged for as long: a repair takes two."""

STALL_CHECK_SECONDS = 0.5
"""How often tunnels are looked at whose peer may have stopped to read."""

CHECKED_AT_ONCE = 128
"""So many tunnels are looked at in one step: one that is not full takes a tenth of a microsecond."""


MAX_UNSENT_BYTES = 4 * 1024 * 1024
"""
A tunnel is full long before, with the first byte that waits, and is given no more than
a train then: this is for a mistake of ours.
"""


EMPTY_SECONDS = 4.5
"""
After this a stop no longer waits for tunnels.  Each aborts itself in four seconds; this
is for one that an error has left without a connection to lose.
"""


@dataclass(frozen=True, slots=True)
class LiveTunnelsStatistics:
    """
    Says how the tunnels of a service stand at one moment.

    @ivar tunnels: how many live, whatever their state.
    @ivar full: how many of them take no trains, since their stream holds something.
    @ivar queuedBytes: what their streams hold and have not given to the kernel.
    @ivar retransmissions: TCP segments that were sent again, of the tunnels that are gone.
    """

    tunnels: int
    full: int
    queuedBytes: int
    retransmissions: int


class LiveTunnels:
    """
    Keeps the tunnels of a service from when they are made until they are lost.

    @ivar log: what is said of each.
    @ivar retransmissions: TCP segments that were sent again, of those that are gone.
    """

    _log = Logger()

    def __init__(self, clock: Any) -> None:
        """
        @param clock: C{IReactorTime}.
        """
        self._clock = clock
        self.log = TunnelLog(clock)
        self._stallLog = BudgetedLogger(self._log, LineBudget(clock.seconds))
        self._tunnels: set[Tunnel] = set()
        self._numbers = count(1)
        self.retransmissions = 0
        self._deadline: IDelayedCall | None = None
        self._emptied: list[Deferred[None]] = []
        self._stuck: dict[Tunnel, tuple[float, int]] = {}  # full: since when nothing was acknowledged, and of how much
        self._steps = Steps(clock)
        self._check = Round(self._steps)

    def __len__(self) -> int:
        """
        How many tunnels live.
        """
        return len(self._tunnels)

    def add(self, tunnel: Tunnel) -> None:
        """
        A tunnel has been made.
        """
        tunnel.number = next(self._numbers)
        self._tunnels.add(tunnel)

    def discard(self, tunnel: Tunnel) -> None:
        """
        A tunnel is lost.
        """
        if tunnel.link is not None and tunnel in self._tunnels:
            self.retransmissions += tunnel.transport.retransmissions()
        self._tunnels.discard(tunnel)
        self._stuck.pop(tunnel, None)
        if not self._tunnels:
            self._tellEmptied()

    def statistics(self) -> LiveTunnelsStatistics:
        """
        @return: how the tunnels stand.
        """
        full = [tunnel for tunnel in self._tunnels if tunnel.fullSince is not None]  # the others hold nothing
        return LiveTunnelsStatistics(
            tunnels=len(self._tunnels),
            full=len(full),
            queuedBytes=sum(tunnel.transport.queuedBytes() for tunnel in full),
            retransmissions=self.retransmissions,
        )

    def all(self) -> list[Tunnel]:
        """
        @return: those that live now.
        """
        return list(self._tunnels)

    def endEach(self, objection: Callable[[Tunnel], PeerError | None]) -> None:
        """
        Look at all tunnels, and end those to whose peer there is an objection.

        @param objection: says what it is, or L{None}.
        """

        def look(tunnel: Tunnel) -> None:
            error = objection(tunnel) if tunnel in self._tunnels and tunnel.state is not TunnelState.NEW else None
            if error is not None:
                tunnel.misbehaved(error)

        orLog(self._steps.each(list(self._tunnels), look), self._log, "not all tunnels were looked at")

    def drainAll(self) -> None:
        """
        Let what is under way arrive on every tunnel, and close it.
        """
        orLog(self._steps.each(list(self._tunnels), drainTunnel), self._log, "not all tunnels were drained")

    def whenEmpty(self) -> Deferred[None]:
        """
        To be asked when all tunnels have been told to drain or to close.

        @return: fires when all are gone, or after L{EMPTY_SECONDS} at the latest.
        """
        if not self._tunnels:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._emptied.append(done)
        if self._deadline is None:
            self._deadline = self._clock.callLater(EMPTY_SECONDS, self._tellEmptied)
        return done

    def _tellEmptied(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        waiting, self._emptied = self._emptied, []
        for done in waiting:
            done.callback(None)

    def tellPaths(self) -> None:
        """
        Say at C{debug} how the paths of some tunnels are.
        """
        self.log.tellPaths(self._tunnels)

    def abortStalled(self) -> None:
        """
        Abort the tunnels whose peer has stopped to read.  Of those that are full a few are looked at in each turn.
        """
        tunnels = [tunnel for tunnel in self._tunnels if tunnel.fullSince is not None]
        self._stuck = {tunnel: self._stuck[tunnel] for tunnel in tunnels if tunnel in self._stuck}
        parts = (tunnels[start : start + CHECKED_AT_ONCE] for start in range(0, len(tunnels), CHECKED_AT_ONCE))
        self._check.begin(parts, self._abortStalled)

    def _abortStalled(self, tunnels: list[Tunnel]) -> None:
        now = self._clock.seconds()
        for tunnel in tunnels:
            if tunnel.fullSince is not None and tunnel in self._tunnels:
                self._abortIfStalled(tunnel, now)

    def _abortIfStalled(self, tunnel: Tunnel, now: float) -> None:
        assert tunnel.fullSince is not None
        if tunnel.link is not None:
            tunnel.link.forgetAcknowledged()
        queued = tunnel.transport.queuedBytes()
        unacknowledged = tunnel.transport.unacknowledged()
        left = queued if unacknowledged is None else unacknowledged
        since, before = self._stuck.get(tunnel, (tunnel.fullSince, left))
        since = now if left < before else max(since, tunnel.fullSince)
        self._stuck[tunnel] = (since, left)
        path = tunnel.transport.pathStats()
        longest = STALL_SECONDS if path is None else max(STALL_SECONDS, STALL_ROUND_TRIPS * path.roundTrip)
        if now - since > longest or queued > MAX_UNSENT_BYTES:
            self._stallLog.info(
                "a tunnel is aborted: {unsent} bytes wait in it, and none was acknowledged for {seconds:.0f} s",
                unsent=queued,
                seconds=now - since,
            )
            tunnel.abort()


def drainTunnel(tunnel: Tunnel) -> None:
    """
    Let what is under way arrive on a tunnel, and close it.
    """
    tunnel.drain()
