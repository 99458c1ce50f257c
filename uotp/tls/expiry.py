"""
What of the files of one end is out of date, or soon will be: the certificate that we show, the
CAs that we trust, and their revocation lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from cryptography import x509

from uotp.tls.contexts import Trusted
from uotp.tls.dates import Ending, outOfDate
from uotp.tls.reasons import plainName

EXPIRY_WARNING = timedelta(days=14)
"""The log warns so long before a certificate ends: time enough to renew it by hand."""

FEW_AUTHORITIES = 10
"""
Of so many CAs the log says when one ends.  A longer file is a collection in which there always is one,
and nobody knows which of them counts.
"""

Ours = tuple[str, x509.Certificate]
"""The file of the certificate that we show, and the certificate."""


class Expiring(NamedTuple):
    """
    Tells of something that ends some day.

    @ivar kind: C{"own"}, C{"ca"} or C{"crl"}.
    @ivar name: whose it is.
    @ivar file: where it was read.
    @ivar expires: when it ends, in seconds since 1970.
    """

    kind: str
    name: str
    file: str
    expires: float


def expiring(ours: Ours | None, trusted: Trusted) -> Iterator[Expiring]:
    """
    @return: the certificate that we show, the CAs of a short file, and their revocation lists, as many.
    """
    if ours is not None:
        file, own = ours
        yield Expiring("own", plainName(own.subject), file, own.not_valid_after_utc.timestamp())
    if len(trusted.authorities) <= FEW_AUTHORITIES:
        for each in trusted.authorities:
            yield Expiring("ca", plainName(each.subject), str(trusted.file), each.not_valid_after_utc.timestamp())
    for issuer, ends in islice(trusted.revocations.ends.items(), FEW_AUTHORITIES):
        if ends is not None:
            yield Expiring("crl", plainName(issuer), trusted.revocations.files[issuer], ends.timestamp())


def endings(ours: Ours | None, trusted: Trusted, now: datetime) -> Iterator[Ending]:
    """
    @return: what is out of date or soon will be.
    """
    yield from trusted.revocations.overdue(now)
    watched = [("ca", plainName(each.subject), trusted.file, each) for each in _lastOfTheirName(trusted, now)]
    if ours is not None:
        watched.append(("own", "", *ours))
    for kind, authority, file, certificate in watched:
        reason, ends = outOfDate(certificate, now), certificate.not_valid_after_utc
        if reason is None and ends - now <= EXPIRY_WARNING:
            reason = f"expires on {ends:%Y-%m-%d}"
        if reason is not None:
            yield Ending(kind, authority, file, reason)


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
