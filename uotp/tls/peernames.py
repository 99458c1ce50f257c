"""
The name or address that a peer's certificate must be for.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import (
    extract_patterns,
    verify_certificate_hostname,
    verify_certificate_ip_address,
)
from service_identity.hazmat import DNSPattern

from uotp.errors import ConfigurationError
from uotp.net import Host, dnsName
from uotp.telemetry import spelled
from uotp.tls.reasons import alternativeNames, plainText


@dataclass(frozen=True, slots=True)
class PeerName:
    """
    Holds the name or address that the peer's certificate must be for.

    @ivar text: a host name in ASCII and lower case, or an IP address.
    @ivar isAddress: whether it is an address.
    @ivar whose: what the peer is.
    @ivar setting: the setting by which another name is to be found.
    """

    text: str
    isAddress: bool
    whose: str = "server"
    setting: str = "serverName"

    @classmethod
    def parse(cls, host: str) -> PeerName:
        """
        Read what a user typed.

        @param host: a host name in any script, or an IP address; a final dot
            and the zone of an IPv6 address are no part of the name.
        @return: the name as certificates have it.
        @raise ValueError: in words, when it is neither.
        """
        bare = Host.parse(host).withoutZone.asOneAddress
        return cls(bare.text, isAddress=True) if bare.address is not None else cls(dnsName(host), isAddress=False)

    def mismatch(self, certificate: x509.Certificate) -> str | None:
        """
        Compare this name with those that a certificate is for.

        @param certificate: the peer's own certificate.
        @return: why it is not for this name, or L{None} if it is.
        """
        verify = verify_certificate_ip_address if self.isAddress else verify_certificate_hostname
        try:
            if not self._isCoveredByStar(certificate):
                verify(certificate, self.text)
        except (VerificationError, CertificateError) as problem:
            names = alternativeNames(certificate)
            words = f"wrong name: expected {self.text}, certificate has {names or 'no names'}"
            if not names:
                return f"{words}; a common name does not count, it has to be a subjectAltName"
            if isinstance(problem, CertificateError):
                words += f" ({plainText(str(problem))})"
            return f"{words}; if one of them is the {self.whose}, say so by {spelled(self.setting)}"
        return None

    def _isCoveredByStar(self, certificate: x509.Certificate) -> bool:
        """
        @return: whether an international name is one of C{*.example.com}.  A star that stands
            for the whole label covers it (RFC 9525, 6.3), which service-identity denies.
        @raise CertificateError: for a certificate with a name that none may have.
        """
        first, _, rest = self.text.partition(".")
        if self.isAddress or not first.startswith("xn--"):
            return False
        covering = b"*." + rest.encode("ascii")
        found = extract_patterns(certificate)
        return any(isinstance(each, DNSPattern) and each.pattern == covering for each in found)


def peerNameOf(host: str, what: str) -> PeerName:
    """
    @param what: what the host is, for the error.
    @return: see L{PeerName.parse}.
    @raise ConfigurationError: when it is no name that a certificate could have.
    """
    try:
        return PeerName.parse(host)
    except ValueError as problem:
        message = f"{what} {plainText(host)!r}: {problem}"
        raise ConfigurationError(message) from problem
