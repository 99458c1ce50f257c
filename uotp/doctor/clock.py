"""
Judges the clock of this machine, by all that is known of the time: what the server says, the dates of
certificates, and when this program was released.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import uotp
from uotp.doctor.encounter import Encounter
from uotp.doctor.findings import ExamStep, Finding, doubtful, faulty, notReached, well
from uotp.tls.inspection import Against

TOLERATED = timedelta(seconds=30)
"""Clocks that nobody keeps right are off by seconds a week."""

REMEDY = (
    "set the clock right, and let it be kept right: `timedatectl set-ntp true` as root, or `date -s 'YYYY-MM-DD HH:MM'`"
)


LEAD = timedelta(days=31)
"""A program may be installed so long before the month after which its version is called."""


def existsSince() -> datetime:
    """
    @return: when this program cannot have been there yet, as its version says, which is called after a month.
    """
    year, month = uotp.__version__.split(".")[:2]
    return datetime(2000 + int(year), int(month), 1, tzinfo=timezone.utc) - LEAD


def judgeClock(found: Encounter, now: datetime, *, isSynchronized: bool | None) -> Finding:
    """
    @param now: what the clock says.
    @param isSynchronized: whether somebody keeps it right, if that is known.
    @return: the finding.
    """
    here = f"{now:%Y-%m-%d %H:%M:%S} UTC here"
    there = timeThere(found)
    isDateWrong = found.isWrongIn(Against.EXPIRED, Against.NOT_YET) is not None
    if there is not None:
        away = now - there
        words = f"{here}, {there:%Y-%m-%d %H:%M:%S} UTC at the server"
        if abs(away) <= TOLERATED:
            return well(ExamStep.CLOCK, f"{here}, and {abs(away).total_seconds():.1f} s away at the server")
        facts = f"{words}: this clock is {awayWords(away)}"
        blame = "" if not isSynchronized else "; this one is kept right by somebody, so it may be the server's"
        return (faulty if isDateWrong else doubtful)(ExamStep.CLOCK, facts, f"{REMEDY}{blame}")
    return withoutServer(found, now, here, isSynchronized=isSynchronized)


def withoutServer(found: Encounter, now: datetime, here: str, *, isSynchronized: bool | None) -> Finding:
    """
    @return: the finding where the server does not tell what time it is there.
    """
    if now < existsSince():
        return faulty(ExamStep.CLOCK, f"{here}, when this program was not there yet", REMEDY)
    kept = {True: ", and the clock is kept right", False: ", and nobody keeps the clock right", None: ""}[
        isSynchronized
    ]
    notYet = found.isWrongIn(Against.NOT_YET)
    if notYet is not None and not isSynchronized:
        return faulty(ExamStep.CLOCK, f"{here}{kept}; the server's certificate is not valid yet by that", REMEDY)
    if found.isWrongIn(Against.EXPIRED, Against.NOT_YET) is not None and not isSynchronized:
        facts = f"{here}{kept}; the server's certificate is out of date by that"
        return doubtful(ExamStep.CLOCK, facts, f"if that is not the time, {REMEDY}")
    if found.ours is not None and not found.ours.begins <= now:
        return faulty(ExamStep.CLOCK, f"{here}{kept}; our own certificate is not valid yet by that", REMEDY)
    return byEvidence(found, now, here, isSynchronized=isSynchronized)


def byEvidence(found: Encounter, now: datetime, here: str, *, isSynchronized: bool | None) -> Finding:
    """
    @return: the finding where nothing is known against the clock, with what speaks for it.
    """
    untold = "the server does not tell what time it is there"
    if isSynchronized:
        return well(ExamStep.CLOCK, f"{here}, and the system says that it is kept right; {untold}")
    shown = found.shown if found.isTrusted else None
    for whose, each in (("the server's certificate", shown), ("our own certificate", found.ours)):
        if each is not None and each.begins <= now <= each.ends:
            dates = f"{each.begins:%Y-%m-%d} and {each.ends:%Y-%m-%d}"
            facts = f"{here}, which is between the dates of {whose}, {dates}; {untold}, so no more is known"
            return well(ExamStep.CLOCK, facts)
    return notReached(ExamStep.CLOCK, f"there is nothing to compare {here} with: {untold}")


def timeThere(found: Encounter) -> datetime | None:
    """
    @return: what time it is at the server, as far as it has told.
    """
    if found.status is None:
        return found.date
    try:
        return datetime.fromtimestamp(found.status.milliseconds / 1000, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return None


def awayWords(away: timedelta) -> str:
    """
    @return: by how much a clock is fast or slow.
    """
    seconds = abs(away.total_seconds())
    amount = next(
        f"{seconds / unit:.0f} {name}"
        for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes"), (0.001, "ms"))
        if seconds >= 2 * unit
    )
    return f"{amount} {'fast' if away > timedelta() else 'slow'}"
