"""
Looks the certificates of one peer's chain up in the revocation lists, as OpenSSL verifies one after another.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from uotp.tls.names import KnownChain, nameDigest
from uotp.tls.pins import readablePin
from uotp.tls.reasons import isOfDates
from uotp.tls.revocation import Revocations

MOST_ROOTS = 256
"""Of so many certificates that stand above all others it is remembered whether they are roots; few files have more."""

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
        self._above: list[x509.Certificate] = []  # what has come, the last one first
        self._next = -1  # the depth of the next certificate; none has come yet
        self._found: list[tuple[bytes, bytes, int]] = []

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
        @return: see L{Revocations.errorOf}.  Against a root nothing is ever found: who does not trust it takes it
            out of the file, and its number may be that of another one.
        """
        if depth != self._next:
            self._above.clear()
            self._found.clear()
        self._next = depth - 1
        above = self._above.copy()
        self._above.insert(0, certificate)
        if not above and isRoot(certificate):
            if depth:
                return 0
            above = [certificate]
        try:
            name = nameDigest(certificate.issuer)
        except ValueError:
            # Some old CAs have names that the library cannot read.  Without lists that does no harm.
            if depth == 0 or self._revocations.areThere:
                raise
            name = UNREADABLE
        self._found.append((name, readablePin(above[0]) if above else b"", certificate.serial_number))
        return self._revocations.errorOf(name, certificate, above, mayTry=self._isSound)

    @property
    def chain(self) -> KnownChain:
        """
        The certificates that have come, when the peer's own is among them; not more than OpenSSL walks along
        (L{uotp.tls.contexts.MAX_ISSUERS}).
        """
        return tuple(reversed(self._found)) if self._next == -1 else ()


@lru_cache(maxsize=MOST_ROOTS)
def isRoot(certificate: x509.Certificate) -> bool:
    """
    @return: whether a certificate is signed by its own key.  That is verified once for each, and not in each
        handshake.
    """
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
