"""
A connection that lets any server through, and writes down what is wrong with it.  It is for whoever wants to know
who is there; nothing that matters may be sent on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from cryptography import x509
from OpenSSL.crypto import X509
from OpenSSL.SSL import X509VerificationCodes as Codes

from uotp.tls.contexts import isStrong
from uotp.tls.pem import quietly
from uotp.tls.reasons import isUnknown
from uotp.tls.verification import VerifyingConnection, weaknessWords

MOST_FLAWS = 16
"""So many flaws are kept: a chain has a dozen certificates at most."""


class Against(Enum):
    """
    Names what may be wrong with a server's certificate.
    """

    EXPIRED = auto()
    NOT_YET = auto()
    ISSUER = auto()
    REVOKED = auto()
    NAME = auto()
    PIN = auto()
    CIPHER = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Flaw:
    """
    Says one thing that is wrong with a certificate.

    @ivar words: one line.
    @ivar isOfIssuer: whether it is about the certificate of an issuer, not about the server's own.
    """

    against: Against
    words: str
    isOfIssuer: bool = False


class LookingConnection(VerifyingConnection):
    """
    Lets any server through, and writes down what is wrong with it.

    @ivar flaws: that, in the order in which it was found.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.flaws: list[Flaw] = []

    def examine(self, certificate: X509, error: int, depth: int, *, ok: bool) -> bool:
        """
        See L{VerifyingConnection.examine}.

        @return: C{True}, whatever is wrong.
        """
        self._verified = True
        try:
            examined = quietly(certificate.to_cryptography)
            self._judge(examined, error, depth, ok=ok)
            listed, isListed = self._afterLists(examined, error, depth, ok=ok)
            if isListed != ok:
                self._judge(examined, listed, depth, ok=False)
        except Exception as problem:  # noqa: BLE001 - it would be refused for that
            self._add(Flaw(Against.OTHER, f"certificate could not be examined ({type(problem).__name__})"))
        return True

    def _requireStrength(self, cipher: str | None) -> None:
        if not isStrong(cipher):
            self._add(Flaw(Against.CIPHER, weaknessWords(cipher)))

    def _judge(self, certificate: x509.Certificate, error: int, depth: int, *, ok: bool) -> None:
        objection = self._objection(certificate, error, depth, ok=ok)
        if objection is not None:
            self._add(Flaw(self._against(certificate, error, ok=ok), objection.words, isOfIssuer=depth > 0))

    def _add(self, flaw: Flaw) -> None:
        if flaw not in self.flaws and len(self.flaws) < MOST_FLAWS:
            self.flaws.append(flaw)

    def _against(self, certificate: x509.Certificate, error: int, *, ok: bool) -> Against:
        if ok:
            name = None if self._requirements is None else self._requirements.name
            return Against.NAME if name is not None and name.mismatch(certificate) is not None else Against.PIN
        if isUnknown(error):
            return Against.ISSUER
        return {
            Codes.ERR_CERT_HAS_EXPIRED: Against.EXPIRED,
            Codes.ERR_CERT_NOT_YET_VALID: Against.NOT_YET,
            Codes.ERR_CERT_REVOKED: Against.REVOKED,
        }.get(error, Against.OTHER)
