"""
One remote UDP endpoint and the tunnels that carry for it, on either end.

Outwards, a train from UDP goes to the tunnel that the schedule names, or waits
in the backlog; the backlog holds something only while no tunnel is free, so
nothing overtakes.  Inwards, a train from any tunnel goes straight to UDP.
"""

from __future__ import annotations

from collections.abc import Callable

from uotp.backlog import Backlog
from uotp.boundaries import Carrier
from uotp.drops import Drops
from uotp.schedule import STAY_SECONDS, Schedule
from uotp.train import Train


class Session:
    """
    What both ends of a session have in common.

    @ivar lastActive: when a train came last, from either side, by the clock
        that was handed in.
    @ivar answered: whether the other end has ever sent a train.
    @ivar bytesOut: payload that came from UDP.
    @ivar bytesIn: payload that came from the tunnels.
    """

    def __init__(
        self,
        deliver: Callable[[Train], None],
        drops: Drops,
        clock: Callable[[], float],
        whenAnswered: Callable[[], None] | None = None,
    ) -> None:
        """
        @param deliver: sends a train to the remote UDP endpoint.
        @param drops: where what is dropped is counted.
        @param clock: monotonic seconds.
        @param whenAnswered: called once, when the other end sends its first train.
        """
        self._deliver = deliver
        self._whenAnswered = whenAnswered
        self._clock = clock
        self._backlog = Backlog(drops)
        self._schedule: Schedule[Carrier] = Schedule()
        self.lastActive = clock()
        self._moveOnAt = self.lastActive + STAY_SECONDS
        self.answered = False
        self.bytesOut = 0
        self.bytesIn = 0

    def trainFromUdp(self, train: Train) -> None:
        """
        The remote UDP endpoint sent a train.
        """
        self.bytesOut += len(train.payload)
        self.lastActive = now = self._clock()
        if now >= self._moveOnAt:
            self._moveOnAt = now + STAY_SECONDS
            self._schedule.moveOn()
        tunnel = self._schedule.current
        if tunnel is None:
            self._backlog.put(train, now)
        else:
            tunnel.send(train)

    def trainFromTunnel(self, train: Train) -> None:
        """
        The other end sent a train.
        """
        self.bytesIn += len(train.payload)
        self.lastActive = self._clock()
        if not self.answered:
            self.answered = True
            if self._whenAnswered is not None:
                self._whenAnswered()
        self._deliver(train)

    def tunnelFree(self, tunnel: Carrier) -> None:
        """
        A tunnel takes trains: what waits goes first.
        """
        self._schedule.offer(tunnel)
        while self._backlog and (current := self._schedule.current) is not None:
            train = self._backlog.take(self._clock())
            if train is not None:
                current.send(train)

    def tunnelFull(self, tunnel: Carrier) -> None:
        """
        A tunnel takes no more trains until it is free again, or is gone.
        """
        self._schedule.withdraw(tunnel)
