"""
What of the files of one end is out of date, or soon will be: the certificate that we show, the
CAs that we trust, and their revocation lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509

from uotp.tls.contexts import Trusted
from uotp.tls.dates import outOfDate
from uotp.tls.reasons import nameText

EXPIRY_WARNING = timedelta(days=14)
"""The log warns so long before a certificate ends: time enough to renew it by hand."""

FEW_AUTHORITIES = 10
"""
Of so many CAs the log says when one ends.  A longer file is a collection in which there always is one,
and nobody knows which of them counts.
"""

Ours = tuple[str, x509.Certificate]
"""The file of the certificate that we show, and the certificate."""


def endings(ours: Ours | None, trusted: Trusted, now: datetime) -> Iterator[tuple[str, str]]:
    """
    @return: what is out of date or soon will be, and when, in words.
    """
    yield from trusted.revocations.overdue(now)
    watched = [(f"the CA {nameText(each.subject)} in {trusted.file}", each) for each in _lastOfTheirName(trusted, now)]
    if ours is not None:
        watched.append((f"the certificate in {ours[0]}", ours[1]))
    for what, certificate in watched:
        reason, ends = outOfDate(certificate, now), certificate.not_valid_after_utc
        if reason is None and ends - now <= EXPIRY_WARNING:
            reason = f"expires on {ends:%Y-%m-%d}"
        if reason is not None:
            yield what, reason


def _lastOfTheirName(trusted: Trusted, now: datetime) -> list[x509.Certificate]:
    """
    @return: the CAs of a short file that have no successor in it.
    """
    authorities = trusted.authorities
    if len(authorities) > FEW_AUTHORITIES:
        return []
    good = {
        each.subject
        for each in authorities
        if outOfDate(each, now) is None and each.not_valid_after_utc - now > EXPIRY_WARNING
    }
    return [each for each in authorities if each.subject not in good]
