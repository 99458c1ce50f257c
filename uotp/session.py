"""
One remote UDP endpoint and the tunnels that carry for it, on either end.

Outwards, trains from UDP go to the tunnel that the schedule names, a portion at a
time, or wait in the backlog; the backlog holds something only while no tunnel is
free, so nothing overtakes but what is small.  Inwards, trains from any tunnel go
to UDP by way of the L{Delivery}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uotp.backlog import MAX_AGE_SECONDS, Backlog, sift
from uotp.boundaries import Carrier
from uotp.delivery import Delivery
from uotp.drops import Drops
from uotp.schedule import LOOK_SECONDS, Schedule
from uotp.stay import Stay
from uotp.train import Train, bytesOf, portions
from uotp.width import Width
from uotp.wire.format2 import Arrival, Numbering

MAX_PORTION_BYTES = 64 * 1024
MIN_PORTION_BYTES = 16 * 1024
PORTION_SECONDS = 0.0005
"""
What a tunnel is given at one go, at most: as much as the path has lately carried in so
many seconds, for it stands before everything else on that tunnel; no more than a
whole train, and no less than a record of TLS, with which every path begins.
"""

WAIT_SECONDS = 0.3
"""
How long a train may wait while there are tunnels: longer than most connections need
to repair a loss, and not so long that a program would have asked again.
"""

JUDGE_SECONDS = 0.2
"""How often it is judged how many tunnels shall carry: a few round trips."""

STANDSTILL_SECONDS = 0.25
"""
When trains wait and no tunnel has taken any for so long, all tunnels are tried, before
the trains have waited too long.
"""

FAR_SECONDS = 0.01
FAR = 1.5
"""
A tunnel is far when its round trip is so much longer, and so many times as long, as the
shortest of the session: less may be chance.
"""

BYTES_PER_SECOND_FAR = 2_500_000
"""
What it costs that a tunnel is far, in bytes that stand before the next train: as many
as a tunnel of 20 Mbit/s sends in the time.
"""


class Session:
    """
    What both ends of a session have in common.

    @ivar lastActive: when a train came last, from either side, by the clock
        that was handed in.
    @ivar answered: whether the other end has ever sent a train.
    @ivar bytesOut: payload that came from UDP.
    @ivar bytesIn: payload that came from the tunnels.
    @ivar numbering: of what its tunnels send.
    """

    def __init__(
        self,
        deliver: Callable[[list[Train]], None],
        drops: Drops,
        clock: Any,
        whenAnswered: Callable[[], None] | None = None,
        reorder: float | None = None,
    ) -> None:
        """
        @param deliver: sends trains to the remote UDP endpoint.
        @param drops: where what is dropped is counted.
        @param clock: C{IReactorTime}.
        @param whenAnswered: called once, when the other end sends its first train.
        @param reorder: see L{Delivery}.
        """
        self._delivery = Delivery(deliver, clock, reorder)
        self.numbering = Numbering()
        self._whenAnswered = whenAnswered
        self._clock: Callable[[], float] = clock.seconds
        self._backlog = Backlog(drops)
        self._schedule: Schedule[Carrier] = Schedule(self._costOf)
        self._nearest = 0.0  # the shortest round trip of any tunnel
        self.lastActive = self._clock()
        self._lookAt = self.lastActive + LOOK_SECONDS
        self._stay = Stay(self.lastActive)
        self._width = Width(self.lastActive)
        self._schedule.narrow(self._width.width)
        self._standsSince = self.lastActive
        self._portion = MIN_PORTION_BYTES
        self._given = 0  # bytes given to tunnels since it was judged last
        self._judgedAt = self.lastActive
        self._waited = False  # since it was judged last
        self.answered = False
        self.bytesOut = 0
        self.bytesIn = 0

    def trainsFromUdp(self, trains: list[Train]) -> None:
        """
        The remote UDP endpoint sent trains.
        """
        size = bytesOf(trains)
        self.bytesOut += size
        self.lastActive = now = self._clock()
        if now >= self._lookAt:
            self._look(now)
        tunnel = self._schedule.current
        if tunnel is None:
            self._wait(trains, now)
        elif size <= self._portion:
            self._given += size
            tunnel.send(trains)
        else:
            self._sendPortions(trains, now)

    def _look(self, now: float) -> None:
        self._lookAt = now + LOOK_SECONDS
        if self._schedule.leaveTrouble(loaded=self._stay.loaded):
            self._stay.leftTrouble = True
        if now >= self._stay.endsAt:
            current, tunnels = self._schedule.current, len(self._schedule)
            if self._stay.isOver(current, tunnels, self.bytesOut, now) and self._schedule.moveOn():
                self._stay.moved(now)
        if self._waited and now >= self._judgedAt + JUDGE_SECONDS:
            self._judge(now)

    def _judge(self, now: float) -> None:
        """
        Find out how many tunnels shall carry at once, and how much each time.
        """
        elapsed, self._judgedAt = now - self._judgedAt, now
        given, self._given = self._given, 0
        if elapsed < 2 * JUDGE_SECONDS:  # otherwise there was a time without load
            carried = int(given / elapsed * PORTION_SECONDS)
            self._portion = min(max(carried, MIN_PORTION_BYTES), MAX_PORTION_BYTES)
        self._waited = False
        if self._backlog and now - self._standsSince > STANDSTILL_SECONDS:
            self._schedule.narrow(self._width.reset())
        else:
            standings = {tunnel: standing for tunnel in self._schedule if (standing := tunnel.standing()) is not None}
            self._schedule.narrow(self._width.judge(standings, now))
        self._sendWaiting(now)

    def _sendPortions(self, trains: list[Train], now: float) -> None:
        for portion in portions(trains, self._portion):
            tunnel = self._schedule.current
            if tunnel is None:
                self._wait(portion, now)
            else:
                self._given += bytesOf(portion)
                tunnel.send(portion)

    def _wait(self, trains: list[Train], now: float) -> None:
        if not self._backlog:
            self._standsSince = now
        self._waited = self._stay.loaded = True
        spare = self._schedule.spare()
        if spare is not None:
            small, trains = sift(trains)
            if small:
                spare.send(small)
        self._backlog.put(trains, now)

    def _costOf(self, tunnel: Carrier) -> int:
        further = tunnel.roundTrip - self._nearest
        if further > FAR_SECONDS and tunnel.roundTrip > FAR * self._nearest:
            return tunnel.cost() + int(further * BYTES_PER_SECOND_FAR)
        return tunnel.cost()

    def roundTripSeen(self) -> None:
        """
        A tunnel knows better how far the other end is.
        """
        roundTrips = [tunnel.roundTrip for tunnel in self._schedule if tunnel.roundTrip]
        self._nearest = min(roundTrips, default=0.0)
        if roundTrips:
            self._delivery.roundTripIs(max(roundTrips))

    def trainsFromTunnel(self, trains: list[Train]) -> None:
        """
        The other end sent trains, in a format that does not number them.
        """
        self.bytesIn += bytesOf(trains)
        self._delivery.unnumbered(trains, self._heard())

    def numberedFromTunnel(self, arrivals: list[Arrival]) -> None:
        """
        The other end sent trains, each with the number of its first datagram.
        """
        for _, train in arrivals:
            self.bytesIn += len(train.payload)
        self._delivery.numbered(arrivals, self._heard())

    def _heard(self) -> float:
        """
        @return: what time it is.
        """
        self.lastActive = now = self._clock()
        self._stay.answers += 1
        if not self.answered:
            self.answered = True
            if self._whenAnswered is not None:
                self._whenAnswered()
        return now

    def restartOfPeer(self) -> None:
        """
        The other end did not know the session any more, and counts anew.
        """
        self._delivery.restart()

    @property
    def waits(self) -> bool:
        """
        Whether trains wait, and a tunnel will take them before they have waited too
        long.
        """
        return bool(self._backlog and len(self._schedule))

    @property
    def late(self) -> int:
        """
        How many datagrams came too late to be put in order.
        """
        return self._delivery.late

    def tunnelFree(self, tunnel: Carrier) -> None:
        """
        A tunnel takes trains: what waits goes first.
        """
        now = self._clock()
        self._schedule.offer(tunnel)
        self._sendWaiting(now)
        self._backlog.maxAge = WAIT_SECONDS  # not for what has waited for the first tunnel

    def _sendWaiting(self, now: float) -> None:
        while self._backlog and (current := self._schedule.current) is not None:
            trains = self._backlog.take(now, self._portion)
            if trains:
                self._standsSince = now
                self._given += bytesOf(trains)
                current.send(trains)

    def tunnelFull(self, tunnel: Carrier) -> None:
        """
        A tunnel takes no more trains until it is free again.
        """
        self._schedule.withdraw(tunnel)

    def tunnelGone(self, tunnel: Carrier) -> None:
        """
        A tunnel carries no more, for now or for ever.
        """
        self._schedule.remove(tunnel)
        self._width.forget(tunnel)
        self.roundTripSeen()
        if len(self._schedule):
            self._sendWaiting(self._clock())  # another may carry in its place
        else:
            self._backlog.maxAge = MAX_AGE_SECONDS

    def finish(self, done: Callable[[], None]) -> None:
        """
        Hand on what has come for UDP, and nothing after it.

        @param done: called when that is done; maybe at once.
        """
        self._delivery.finish(done)

    def close(self) -> None:
        """
        Hand nothing on to UDP any more.
        """
        self._delivery.close()


def wordsForLate(datagrams: int) -> str:
    """
    @return: how many datagrams came late, as words for the end of a line.
    """
    return f"; {datagrams} came late" if datagrams else ""
