"""
Certificates in memory: names and a moment go in, a CA and one certificate for
each end come out.  It knows no file, no command line and no connection.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from uotp.errors import ConfigurationError
from uotp.net import Host, dnsName

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
"""What a server is called by the machine that it runs on."""

VALIDITY = timedelta(days=3652)
"""Ten years: nobody remembers to renew a PKI that was made by one command."""

CLOCK_SKEW = timedelta(days=1)
"""How far the clock of the other machine may be behind ours."""

MAX_COMMON_NAME = 64
"""Characters that X.520 allows in a common name."""


@dataclass(frozen=True, slots=True)
class Issued:
    """
    Holds a certificate and the key that belongs to it, in memory.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

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


def normalHost(host: str) -> str:
    """
    Bring a host name or an IP address into the form that a certificate holds.

    @param host: a name, also an international one or C{*.example.com}, or an
        address of either family.
    @return: the name in lower case, as A-labels; the address in its shortest form.
    @raise ConfigurationError: when it is neither.
    """
    found = Host.parse(host).withoutZone.asOneAddress
    if found.address is not None:
        return found.text
    star, name = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    try:
        name = dnsName(name)
    except ValueError as error:
        reason = f"{host!r} is neither a host name (also *.example.com) nor an IP address: {error}"
        raise ConfigurationError(reason) from error
    if star and "." not in name:
        reason = f"{host!r} covers too much: clients refuse it"
        raise ConfigurationError(reason)
    return star + name


def defaultHosts(machine: str) -> tuple[str, ...]:
    """
    @param machine: the name of this machine; left out when it cannot be one in DNS.
    @return: what a certificate is made for when nobody said what for.
    """
    with contextlib.suppress(ConfigurationError):
        return tuple(dict.fromkeys((normalHost(machine), *LOCAL_HOSTS)))
    return LOCAL_HOSTS


def issueAuthority(now: datetime) -> Issued:
    """
    Make a CA.

    @param now: the moment of making, with its time zone.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # The number in its name tells two CAs apart in the words of an error.
    name = _commonName(f"uotp private CA {serial % 2**32:08x}")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _common(name, key.public_key(), serial, now)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_keyUsage(signsCertificates=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return Issued(builder.sign(key, hashes.SHA256()), key)


def issueServer(authority: Issued, hosts: Sequence[str], now: datetime) -> Issued:
    """
    Make a server's certificate.

    @param hosts: what clients call it, as L{normalHost} returns them.
    """
    name = next((host for host in hosts if len(host) <= MAX_COMMON_NAME), "uotp server")
    return _issueLeaf(authority, name, hosts, ExtendedKeyUsageOID.SERVER_AUTH, now)


def issueClient(authority: Issued, now: datetime) -> Issued:
    """
    Make a client's certificate.
    """
    return _issueLeaf(authority, "uotp-client", ("uotp-client",), ExtendedKeyUsageOID.CLIENT_AUTH, now)


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


def _common(name: x509.Name, key: ec.EllipticCurvePublicKey, serial: int, now: datetime) -> x509.CertificateBuilder:
    """
    What all our certificates have in common.
    """
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _issueLeaf(
    authority: Issued, name: str, hosts: Sequence[str], purpose: x509.ObjectIdentifier, now: datetime
) -> Issued:
    """
    Make a certificate that can sign no other one and serves one purpose.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _common(_commonName(name), key.public_key(), x509.random_serial_number(), now)
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_keyUsage(signsCertificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_subjectName(host) for host in hosts]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return Issued(builder.sign(authority.key, hashes.SHA256()), key)
