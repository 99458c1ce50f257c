"""
Certificates and the clock: whether one is valid now, and when to doubt the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from cryptography import x509

LONG_EXPIRED = timedelta(days=30)
"""Hardly anybody lets a certificate be out of date for so long: then it may be the clock that is wrong."""


@dataclass(frozen=True, slots=True)
class Ending:
    """
    Tells of something that is out of date, or soon will be.

    @ivar kind: C{"own"}, C{"ca"} or C{"crl"}.
    @ivar authority: which CA it is, or whose list; empty for our own certificate.
    @ivar file: where it was read.
    @ivar reason: when it ends, and what to do about it, in words.
    """

    kind: str
    authority: str
    file: str
    reason: str


def utcNow() -> datetime:
    """
    @return: what this machine's clock says.
    """
    return datetime.now(timezone.utc)


def clockText(now: datetime) -> str:
    """
    @return: the time as the log tells it.
    """
    return f"{now:%Y-%m-%d %H:%M} UTC"


def clockDoubt(now: datetime) -> str:
    """
    @return: the question whether the clock is right.
    """
    return f"this machine's clock says {clockText(now)}: is it right?"


def outOfDate(certificate: x509.Certificate, now: datetime) -> str | None:
    """
    @return: why a certificate is not valid now, in words, or L{None} when it is.
    """
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > ends:
        words = f"expired on {ends:%Y-%m-%d}"
        return f"{words}; {clockDoubt(now)}" if now - ends > LONG_EXPIRED else words
    if now < begins:
        return f"is not valid before {begins:%Y-%m-%d %H:%M} UTC; {clockDoubt(now)}"
    return None
