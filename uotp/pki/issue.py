"""
Certificates in memory: names and a moment go in, a CA and certificates that it has
signed come out.  It knows no file, no command line and no connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from uotp.net import Host

VALIDITY = timedelta(days=3652)
"""Ten years: nobody remembers to renew a PKI that was made by one command."""

CLOCK_SKEW = timedelta(days=1)
"""How far the clock of the other machine may be behind ours."""

MAX_COMMON_NAME = 64
"""Characters that X.520 allows in a common name."""

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
"""What signs.  Ours are on P-256; a CA that somebody else has made may have another."""

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
"""What is signed."""


@dataclass(frozen=True, slots=True)
class Issued:
    """
    Holds a certificate and the key that belongs to it, in memory.
    """

    certificate: x509.Certificate
    key: SigningKey

    def certificatePem(self) -> bytes:
        """
        @return: the certificate as it stands in a file.
        """
        return self.certificate.public_bytes(Encoding.PEM)

    def keyPem(self) -> bytes:
        """
        @return: the key as it stands in a file, unencrypted PKCS #8.
        """
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def newKey() -> ec.EllipticCurvePrivateKey:
    """
    @return: a new key, of the kind that all of ours are.
    """
    return ec.generate_private_key(ec.SECP256R1())


def issueAuthority(now: datetime) -> Issued:
    """
    Make a CA.

    @param now: the moment of making, with its time zone.
    """
    key = newKey()
    serial = x509.random_serial_number()
    # The number in its name tells two CAs apart in the words of an error.
    name = _commonName(f"Private CA {serial % 2**32:08x}")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _common(name, key.public_key(), serial, (now - CLOCK_SKEW, now + VALIDITY))
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_keyUsage(signsCertificates=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return Issued(builder.sign(key, hashes.SHA256()), key)


def issueServer(authority: Issued, hosts: Sequence[str], now: datetime) -> Issued:
    """
    Make a server's certificate, and a key for it.

    @param hosts: what clients call it, as L{normalHost<uotp.pki.names.normalHost>} returns them.
    """
    key = newKey()
    return Issued(certifyServer(authority, hosts, key.public_key(), now), key)


def issueClient(authority: Issued, name: str, now: datetime) -> Issued:
    """
    Make a client's certificate, and a key for it.

    @param name: what the client is called, as L{clientName<uotp.pki.names.clientName>} returns it.
    """
    key = newKey()
    return Issued(certifyClient(authority, name, key.public_key(), now), key)


def certifyServer(
    authority: Issued, hosts: Sequence[str], key: PublicKey, now: datetime, validity: timedelta = VALIDITY
) -> x509.Certificate:
    """
    Make a server's certificate.

    @param hosts: what clients call it, as L{normalHost<uotp.pki.names.normalHost>} returns them.
    @param key: the public key of the server.
    @param validity: how long it is valid, unless the CA's own certificate ends before.
    """
    name = next((host for host in hosts if len(host) <= MAX_COMMON_NAME), "server")
    alternatives = x509.SubjectAlternativeName([_subjectName(host) for host in hosts])
    builder = _leaf(authority, name, ExtendedKeyUsageOID.SERVER_AUTH, key, _term(authority, now, validity))
    return builder.add_extension(alternatives, critical=False).sign(authority.key, hashes.SHA256())


def certifyClient(
    authority: Issued, name: str, key: PublicKey, now: datetime, validity: timedelta = VALIDITY
) -> x509.Certificate:
    """
    Make a client's certificate.  Its name is no host's, so it stands in the subject alone.

    @param name: what the client is called.
    @param key: the public key of the client.
    @param validity: how long it is valid, unless the CA's own certificate ends before.
    """
    builder = _leaf(authority, name, ExtendedKeyUsageOID.CLIENT_AUTH, key, _term(authority, now, validity))
    return builder.sign(authority.key, hashes.SHA256())


def _commonName(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _subjectName(host: str) -> x509.GeneralName:
    address = Host.parse(host).address
    return x509.DNSName(host) if address is None else x509.IPAddress(address)


def _keyUsage(*, signsCertificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signsCertificates,
        key_cert_sign=signsCertificates,
        crl_sign=signsCertificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _term(authority: Issued, now: datetime, validity: timedelta) -> tuple[datetime, datetime]:
    """
    @return: from when until when a certificate is valid: no longer than its issuer.
    """
    issuer = authority.certificate
    begins = max(now - CLOCK_SKEW, issuer.not_valid_before_utc)
    return begins, min(now + validity, issuer.not_valid_after_utc)


def _common(name: x509.Name, key: PublicKey, serial: int, term: tuple[datetime, datetime]) -> x509.CertificateBuilder:
    """
    What all our certificates have in common.
    """
    begins, ends = term
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _leaf(
    authority: Issued,
    name: str,
    purpose: x509.ObjectIdentifier,
    key: PublicKey,
    term: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    """
    What has all of a certificate that can sign no other one and serves one purpose.
    """
    issuer = authority.certificate
    return (
        _common(_commonName(name), key, x509.random_serial_number(), term)
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_keyUsage(signsCertificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(issuerIdentifier(issuer), critical=False)
    )


def issuerIdentifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """
    @return: what tells in a certificate or a list which key has signed it.
    """
    try:
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        key = issuer.public_key()
        assert isinstance(key, PublicKey), "a CA has been looked at when it was read"
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
