"""
What goes from a session into its tunnels: a train goes to the tunnel that the schedule
names, a portion at a time, or waits in the backlog, which holds something only while no
tunnel is free, so that nothing overtakes but what is small.
"""

from __future__ import annotations

from collections.abc import Callable

from uotp.boundaries import Carrier
from uotp.session.backlog import MAX_AGE_SECONDS, Backlog, sift
from uotp.session.parallelism import Parallelism
from uotp.session.reinjection import Reinjection
from uotp.session.scheduler import LOOK_SECONDS, Scheduler
from uotp.session.stickiness import Stickiness
from uotp.telemetry import Drops
from uotp.train import Train, bytesOf, portions

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


class Outbound:
    """
    The way into the tunnels, for one session.

    @ivar bytes: payload that was to be sent so far.
    @ivar lastActive: when there was something to send last, by the clock that was handed
        in.
    """

    def __init__(self, drops: Drops, clock: Callable[[], float]) -> None:
        """
        @param drops: where what is dropped is counted.
        @param clock: tells monotonic seconds.
        """
        self._clock = clock
        self._backlog = Backlog(drops)
        self._schedule: Scheduler[Carrier] = Scheduler(self._costOf)
        self._nearest = 0.0  # the shortest round trip of any tunnel
        self.lastActive = now = clock()
        self._lookAt = now + LOOK_SECONDS
        self._rescue = Reinjection(now)
        self._stay = Stickiness(now)
        self._width = Parallelism(now)
        self._schedule.narrow(self._width.width)
        self._standsSince = now
        self._portion = MIN_PORTION_BYTES
        self._given = 0  # bytes given to tunnels since it was judged last
        self._judgedAt = now
        self._waited = False  # since it was judged last
        self.bytes = 0

    def send(self, trains: list[Train]) -> None:
        """
        Send trains, now or when a tunnel is free.
        """
        size = bytesOf(trains)
        self.bytes += size
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
            if self._stay.isOver(current, tunnels, self.bytes, now) and self._schedule.moveOn():
                self._stay.moved(now)
        if self._rescue.isTimeToLook(now):
            self._sendAgain(now)
        if self._waited and now >= self._judgedAt + JUDGE_SECONDS:
            self._judge(now)

    def _sendAgain(self, now: float) -> None:
        """
        Send what stands still, and what waits of it, through a tunnel that is well; where
        there is none, it may come yet.
        """
        if self._rescue.isTimeToLook(now):
            for still in self._rescue.findStill(self._schedule, now):
                if self._schedule.sound() is not None:
                    self._rescue.take(still, now)
        self._rescue.dropStale(now)
        while self._rescue and (sound := self._schedule.sound()) is not None:
            sound.sendAgain(self._rescue.next(self._portion))

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

    def measure(self) -> float:
        """
        Know how far the tunnels lead.

        @return: the longest round trip, in seconds; 0 where nothing is known.
        """
        roundTrips = [tunnel.roundTrip for tunnel in self._schedule if tunnel.roundTrip]
        self._nearest = min(roundTrips, default=0.0)
        return max(roundTrips, default=0.0)

    def answered(self) -> None:
        """
        The other end has sent something.
        """
        self._stay.answers += 1

    @property
    def waits(self) -> bool:
        """
        Whether trains wait, and a tunnel will take them before they have waited too
        long.
        """
        return bool((self._backlog or self._rescue) and len(self._schedule))

    def tunnelFree(self, tunnel: Carrier) -> None:
        """
        A tunnel takes trains: what waits goes first.
        """
        now = self._clock()
        self._schedule.offer(tunnel)
        if self._rescue:
            self._sendAgain(now)
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
        self.measure()
        if len(self._schedule):
            now = self._clock()
            self._rescue.take(tunnel, now)
            self._sendAgain(now)
            self._sendWaiting(now)  # another may carry in its place
        else:
            self._rescue.forget()
            self._backlog.maxAge = MAX_AGE_SECONDS
