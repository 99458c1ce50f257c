"""
How fast a program has carried in the last minutes.  It is kept only where somebody may look at it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from uotp.monitoring.report import Report
from uotp.telemetry import Logger, orLog

SAMPLE_SECONDS = 5.0
"""How often a report is taken."""

MOST_SAMPLES = 60
"""So many are kept: five minutes."""

LEAST_RATE_SECONDS = 0.5
"""A rate over less than this would say nothing."""


@dataclass(frozen=True, slots=True)
class HistorySample:
    """
    Says how a program was for some seconds.

    @ivar out: bytes of payload each second that came from UDP.
    @ivar back: bytes of payload each second that came from tunnels.
    @ivar dropped: datagrams dropped each second.
    @ivar roundTrip: the longest of all sessions, in seconds.
    @ivar queuedBytes: what waited.
    """

    out: float
    back: float
    dropped: float
    roundTrip: float
    queuedBytes: int


@dataclass(frozen=True, slots=True)
class SessionRate:
    """
    Says how fast a session carries.

    @ivar out: bytes of payload each second that came from UDP.
    @ivar back: bytes of payload each second that came from tunnels.
    """

    out: float = 0.0
    back: float = 0.0


STILL = SessionRate()
"""Of a session that is not known yet."""


class History:
    """
    Takes a report every few seconds, and keeps what has changed.

    @ivar samples: the oldest first.
    """

    _log = Logger()

    def __init__(self, report: Callable[[], Deferred[Report]], clock: Any) -> None:
        """
        @param report: makes one.
        @param clock: C{IReactorTime}.
        """
        self._report = report
        self._clock = clock
        self._call: IDelayedCall | None = None
        self._before: Report | None = None
        self._rates: dict[tuple[int, str], SessionRate] = {}
        self.samples: deque[HistorySample] = deque(maxlen=MOST_SAMPLES)

    def start(self) -> None:
        """
        Begin; nothing when that is so.
        """
        if self._call is None:
            self._call = self._clock.callLater(0, self._take)

    def stop(self) -> None:
        """
        Take nothing more, and forget.
        """
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        self._before = None
        self._rates.clear()
        self.samples.clear()

    def rate(self, worker: int, name: str) -> SessionRate:
        """
        @return: how fast a session has carried lately.
        """
        return self._rates.get((worker, name), STILL)

    def _take(self) -> None:
        self._call = self._clock.callLater(SAMPLE_SECONDS, self._take)
        orLog(self._report().addCallback(self._add), self._log, "how the program does was not noted")

    def _add(self, report: Report) -> None:
        before = self._before
        if self._call is None or (before is not None and report.seconds - before.seconds < LEAST_RATE_SECONDS):
            return
        self._before = report
        if before is None:
            return
        seconds = report.seconds - before.seconds  # nobody can set this clock
        self.samples.append(
            HistorySample(
                out=(report.out.bytes - before.out.bytes) / seconds,
                back=(report.back.bytes - before.back.bytes) / seconds,
                dropped=(sum(report.drops.values()) - sum(before.drops.values())) / seconds,
                roundTrip=max((each.roundTrip for each in report.sessions), default=0.0),
                queuedBytes=report.queuedBytes,
            )
        )
        known = {(each.worker, each.name): each for each in before.sessions}
        self._rates = {
            (each.worker, each.name): SessionRate(
                max(each.out.bytes - known[each.worker, each.name].out.bytes, 0) / seconds,
                max(each.back.bytes - known[each.worker, each.name].back.bytes, 0) / seconds,
            )
            for each in report.sessions
            if (each.worker, each.name) in known
        }
