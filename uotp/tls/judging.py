"""
Looks the certificates of one peer's chain up in the revocation lists, as OpenSSL verifies one after another.
"""

from __future__ import annotations

from cryptography import x509

from uotp.tls.names import KnownChain, nameDigest
from uotp.tls.reasons import isOfDates
from uotp.tls.revocation import Revocations

UNREADABLE = b""
"""What stands for a name that cannot be read.  No list has it."""


class JudgedChain:
    """
    Goes along one chain, from the CA down.

    @param revocations: what CAs have revoked.
    """

    __slots__ = ("_above", "_found", "_isSound", "_next", "_revocations")

    def __init__(self, revocations: Revocations) -> None:
        self._revocations = revocations
        self._isSound = True
        self._above: x509.Certificate | None = None
        self._next = -1  # the depth of the next certificate; none has come yet
        self._found: list[tuple[bytes, int]] = []

    def doubt(self, error: int) -> None:
        """
        OpenSSL has something against this chain.  If the walk goes on in spite of that, no list is verified by a key
        in it: the key may be anybody's.

        @param error: its number.  A date says nothing against a key.
        """
        self._isSound = self._isSound and isOfDates(error)

    def errorOf(self, certificate: x509.Certificate, depth: int) -> int:
        """
        @param certificate: what OpenSSL has verified.
        @param depth: its place; 0 is the last.
        @return: see L{Revocations.errorOf}.
        """
        issuer = self._above if depth == self._next else None
        if issuer is None:
            self._found.clear()
        try:
            name = nameDigest(certificate.issuer)
            if issuer is None and nameDigest(certificate.subject) == name:
                issuer = certificate
        except ValueError:
            # Some old CAs have names that the library cannot read.  Without lists that does no harm.
            if depth == 0 or self._revocations.current:
                raise
            name = UNREADABLE
        self._found.append((name, certificate.serial_number))
        self._above, self._next = certificate, depth - 1
        return self._revocations.errorOf(name, certificate, issuer, mayTry=self._isSound)

    @property
    def chain(self) -> KnownChain:
        """
        The certificates that have come, when the peer's own is among them; not more than OpenSSL walks along
        (L{uotp.tls.contexts.MAX_ISSUERS}).
        """
        return tuple(reversed(self._found)) if self._next == -1 else ()
