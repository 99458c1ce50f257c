"""
What came through a session's tunnels, on its way to UDP: put in order again where it
is numbered, and handed on at a pace that its reader can be expected to keep up with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from uotp.session.pacer import Pacer
from uotp.session.resequencer import Hold, Resequencer
from uotp.train import Arrival, Train


class Inbound:
    """
    The way out, for one session.
    """

    def __init__(self, deliver: Callable[[list[Train]], None], clock: Any, reorder: float | None) -> None:
        """
        @param deliver: sends trains to UDP.
        @param clock: C{IReactorTime}.
        @param reorder: seconds that a train may wait for those before it: L{None} to
            follow what is seen, 0 to put nothing in order.
        """
        self._clock = clock
        self._pacer = Pacer(deliver, clock)
        self._hold = Hold(clock.seconds(), reorder)
        self._resequencer = None if reorder == 0 else Resequencer(self._hold)
        self._timer: IDelayedCall | None = None
        self._closed = False

    @property
    def late(self) -> int:
        """
        How many datagrams came too late to be put in order.
        """
        return 0 if self._resequencer is None else self._resequencer.late

    def unnumbered(self, trains: list[Train], now: float) -> None:
        """
        Trains came whose order nobody knows.

        @param now: by the clock.
        """
        self._pacer.send(trains, now)

    def numbered(self, arrivals: list[Arrival], now: float) -> None:
        """
        Trains came, each with the number of its first datagram.

        @param now: by the clock.
        """
        resequencer = self._resequencer
        if resequencer is None:
            self._pacer.send([train for _, train in arrivals], now)
            return
        self._pass(resequencer.put(arrivals, now), now)

    def again(self, arrivals: list[Arrival], now: float) -> None:
        """
        Trains came that were sent before, each with the number of its first datagram.
        Where nothing is put in order, nobody knows which of them have come.

        @param now: by the clock.
        """
        if self._resequencer is not None:
            self._pass(self._resequencer.putAgain(arrivals, now), now)

    def _pass(self, trains: list[Train], now: float) -> None:
        if trains:
            self._pacer.send(trains, now)
        if self._timer is None and self._resequencer is not None and self._resequencer.held:
            self._wait(now)

    def _wait(self, now: float) -> None:
        """
        Set the one timer, unless whoever was given trains has done so or has closed.
        What it waits for may have gone when it fires.
        """
        deadline = None if self._resequencer is None else self._resequencer.deadline(now)
        if deadline is not None and self._timer is None and not self._closed:
            self._timer = self._clock.callLater(max(deadline - now, 0), self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        if self._resequencer is not None:
            trains = self._resequencer.expire(now)
            if trains:
                self._pacer.send(trains, now)
            self._wait(now)

    def roundTripIs(self, seconds: float) -> None:
        """
        Know how long the path is.
        """
        self._hold.roundTrip = seconds

    def restart(self) -> None:
        """
        The other end counts anew.
        """
        if self._resequencer is not None:
            trains = self._resequencer.restart()
            if trains:
                self._pacer.send(trains, self._clock.seconds())

    def finish(self, done: Callable[[], None]) -> None:
        """
        Hand on what has come, wait for nothing more, and close.

        @param done: called when that is done; maybe at once.
        """
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.restart()
        self._pacer.finish(done)
