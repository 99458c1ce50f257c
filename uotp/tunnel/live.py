"""
The tunnels of one service that are alive, whoever they carry for: what is asked
of all of them at once is asked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall

from uotp.telemetry import Logger
from uotp.tunnel.states import TunnelState
from uotp.tunnel.tunnel import Tunnel

STALL_SECONDS = 30.0
"""
A full tunnel whose transport has sent nothing for so long is aborted.  On Linux the
kernel does it sooner; this is for the other systems, and for a peer that answers
the kernel's probes and reads nothing.
"""


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
    """

    tunnels: int
    full: int
    queuedBytes: int


class LiveTunnels:
    """
    Keeps the tunnels of a service from when they are made until they are lost.
    """

    _log = Logger()

    def __init__(self, clock: Any) -> None:
        """
        @param clock: C{IReactorTime}.
        """
        self._clock = clock
        self._tunnels: set[Tunnel] = set()
        self._deadline: IDelayedCall | None = None
        self._emptied: list[Deferred[None]] = []
        self._stuck: dict[Tunnel, tuple[float, int]] = {}  # full: since when nothing was sent, and what waits

    def __len__(self) -> int:
        """
        How many tunnels live.
        """
        return len(self._tunnels)

    def add(self, tunnel: Tunnel) -> None:
        """
        A tunnel has been made.
        """
        self._tunnels.add(tunnel)

    def discard(self, tunnel: Tunnel) -> None:
        """
        A tunnel is lost.
        """
        self._tunnels.discard(tunnel)
        self._stuck.pop(tunnel, None)
        if not self._tunnels:
            self._tellEmptied()

    def statistics(self) -> LiveTunnelsStatistics:
        """
        @return: how the tunnels stand.
        """
        return LiveTunnelsStatistics(
            tunnels=len(self._tunnels),
            full=sum(tunnel.isFull() for tunnel in self._tunnels),
            queuedBytes=sum(
                tunnel.transport.queuedBytes() for tunnel in self._tunnels if tunnel.state is not TunnelState.NEW
            ),
        )

    def drainAll(self) -> None:
        """
        Let what is under way arrive on every tunnel, and close it.
        """
        for tunnel in list(self._tunnels):
            tunnel.drain()

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

    def abortStalled(self) -> None:
        """
        Abort the tunnels whose peer has stopped to read.
        """
        now = self._clock.seconds()
        for tunnel in list(self._tunnels):
            if tunnel.fullSince is None:
                self._stuck.pop(tunnel, None)
                continue
            unsent = tunnel.transport.queuedBytes()
            since, before = self._stuck.get(tunnel, (tunnel.fullSince, unsent))
            since = now if unsent < before else max(since, tunnel.fullSince)
            self._stuck[tunnel] = (since, unsent)
            if now - since > STALL_SECONDS or unsent > MAX_UNSENT_BYTES:
                self._log.info(
                    "a tunnel is aborted: {unsent} bytes wait in it, and none was sent for {seconds:.0f} s",
                    unsent=unsent,
                    seconds=now - since,
                )
                tunnel.abort()
