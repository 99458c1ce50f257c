"""
How fast something goes, by the difference of two reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from uotp.monitoring import Report, SessionReport, Traffic


@dataclass(frozen=True, slots=True)
class Rate:
    """
    Says how fast it goes both ways, in bytes per second.

    @ivar out: from UDP into tunnels.
    @ivar back: from tunnels to UDP.
    """

    out: float = 0.0
    back: float = 0.0

    @property
    def both(self) -> float:
        """
        The sum.
        """
        return self.out + self.back


@dataclass(frozen=True, slots=True)
class ProgramRates:
    """
    Says how fast it goes in a program.

    @ivar all: all together.
    @ivar sessions: each session, see L{sessionKey}.
    """

    all: Rate = Rate()
    sessions: Mapping[tuple[int, str], Rate] = field(default_factory=dict)

    def of(self, session: SessionReport) -> Rate:
        """
        @return: how fast it goes in a session; nothing while that is not known.
        """
        return self.sessions.get(sessionKey(session), Rate())


def sessionKey(session: SessionReport) -> tuple[int, str]:
    """
    @return: what tells a session apart in a program.
    """
    return session.worker, session.name


def ratesBetween(before: Report, now: Report) -> ProgramRates:
    """
    @return: how fast it went from one report to the next of the same program; nothing when it has been started again.
    """
    seconds = now.seconds - before.seconds
    if now.pid != before.pid or seconds <= 0:
        return ProgramRates()
    known = {sessionKey(each): each for each in before.sessions}
    sessions = {}
    for each in now.sessions:
        old = known.get(sessionKey(each))
        if old is not None:
            sessions[sessionKey(each)] = _rate(old.out, old.back, each.out, each.back, seconds)
    return ProgramRates(_rate(before.out, before.back, now.out, now.back, seconds), sessions)


def _rate(outBefore: Traffic, backBefore: Traffic, out: Traffic, back: Traffic, seconds: float) -> Rate:
    return Rate(
        max(out.bytes - outBefore.bytes, 0) / seconds,
        max(back.bytes - backBefore.bytes, 0) / seconds,
    )


class Followed:
    """
    Keeps the last report of one program.

    @ivar rates: how fast it goes.
    """

    def __init__(self) -> None:
        self.rates = ProgramRates()
        self._last: Report | None = None

    def follow(self, report: Report) -> bool:
        """
        There is a report.

        @return: whether the program was started again since the last one.
        """
        last, self._last = self._last, report
        if last is None or last.seconds == report.seconds:  # a program tells the same again for a moment
            return False
        self.rates = ratesBetween(last, report)
        return report.pid != last.pid or report.seconds < last.seconds
