"""
Throw-away certificates in memory, sound by default and with a defect on demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from uotp.tls.names import KnownChain, nameDigest
from uotp.tls.pins import publicKeyPin

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAY = timedelta(days=1)
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)


def makeKey() -> ec.EllipticCurvePrivateKey:
    """
    @return: a new P-256 key: making one takes some tens of microseconds.
    """
    return ec.generate_private_key(ec.SECP256R1())


def generalName(text: str) -> x509.GeneralName:
    """
    @param text: an IP address, or what is to stand as a DNS name as it is;
        after C{DNS:} an address is a DNS name too.
    @return: an entry for a subjectAltName.
    """
    if text.startswith("DNS:"):
        return x509.DNSName(text.removeprefix("DNS:"))
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@dataclass(frozen=True)
class Issued:
    """
    Holds a certificate with its key and whatever stands between it and its root.
    """

    certificate: x509.Certificate
    key: Key
    intermediates: tuple[x509.Certificate, ...] = ()

    def certificatePem(self) -> bytes:
        """
        @return: the certificate, then the intermediate ones.
        """
        return pem(self.certificate, *self.intermediates)

    def keyPem(self, passPhrase: bytes | None = None) -> bytes:
        """
        @param passPhrase: encrypts the key.
        @return: the key as PKCS #8.
        """
        protection = NoEncryption() if passPhrase is None else BestAvailableEncryption(passPhrase)
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)

    def known(self, root: x509.Certificate | None = None) -> KnownChain:
        """
        @param root: what stands above, if it was shown.
        @return: the chain below it, as it is remembered by which it may be revoked.
        """
        chain = (self.certificate, *self.intermediates)
        keys = [*(publicKeyPin(each) for each in self.intermediates), b"" if root is None else publicKeyPin(root)]
        return tuple((nameDigest(each.issuer), key, each.serial_number) for each, key in zip(chain, keys, strict=True))

    def write(self, path: Path) -> str:
        """
        @param path: the file that gets chain and key.
        @return: its name.
        """
        path.touch(mode=0o600)
        path.write_bytes(self.certificatePem() + self.keyPem())
        return str(path)


@dataclass(frozen=True)
class Authority:
    """
    Issues certificates, as a root unless it has an issuer.
    """

    name: str
    issuer: Authority | None = None
    begins: datetime = NOW - DAY
    ends: datetime = NOW + 100 * DAY
    isAuthority: bool = True
    permitted: str | None = None
    mayRevoke: bool | None = None
    namesKey: bool = False
    key: ec.EllipticCurvePrivateKey = field(default_factory=makeKey)
    certificate: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        issuer = self.issuer or self
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=self.isAuthority, path_length=None), True)
        ]
        if self.permitted is not None:
            extensions.append((x509.NameConstraints([x509.DNSName(self.permitted)], None), True))
        if self.namesKey:
            extensions.append((x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False))
            by = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
            extensions.append((by, False))
        if self.mayRevoke is not None:
            extensions.append((_usage(mayRevoke=self.mayRevoke), True))
        certificate = _sign(self.name, issuer.name, self.key, issuer.key, (self.begins, self.ends), extensions)
        object.__setattr__(self, "certificate", certificate)

    def issue(
        self,
        *names: str,
        subject: str = "leaf",
        usages: Sequence[x509.ObjectIdentifier] = SERVER,
        begins: datetime = NOW - DAY,
        ends: datetime = NOW + 50 * DAY,
        key: Key | None = None,
        listedAt: str | None = None,
    ) -> Issued:
        """
        @param names: what L{generalName} makes alternative names of; without any there is no such extension.
        @param subject: the common name, empty for none.
        @param usages: the extended key usages; without any there is no such extension.
        @param begins: when it becomes valid.
        @param ends: when it expires.
        @param key: the key of an earlier one, to renew it.
        @param listedAt: where it says that it would be listed if it was revoked.
        @return: a certificate of this CA.
        """
        own = key or makeKey()
        extensions: list[tuple[x509.ExtensionType, bool]] = []
        if names:
            extensions.append((x509.SubjectAlternativeName([generalName(name) for name in names]), False))
        if usages:
            extensions.append((x509.ExtendedKeyUsage(usages), False))
        if self.namesKey:
            extensions.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False))
        if listedAt is not None:
            point = x509.DistributionPoint([x509.UniformResourceIdentifier(listedAt)], None, None, None)
            extensions.append((x509.CRLDistributionPoints([point]), False))
        certificate = _sign(subject, self.name, own, self.key, (begins, ends), extensions)
        between = []
        authority = self
        while authority.issuer is not None:
            between.append(authority.certificate)
            authority = authority.issuer
        return Issued(certificate, own, tuple(between))

    def revocationList(
        self,
        *revoked: x509.Certificate,
        begins: datetime = NOW - DAY,
        ends: datetime = NOW + DAY,
        signer: Key | None = None,
        extension: x509.ExtensionType | None = None,
        name: x509.Name | None = None,
        ofEntries: x509.ExtensionType | None = None,
    ) -> bytes:
        """
        @param revoked: what is good no more.
        @param begins: when the list was made.
        @param ends: when another is to come.
        @param signer: whose key signs it, if not ours.
        @param extension: what else it says.
        @param name: the name of the CA as it stands there, if not as elsewhere.
        @param ofEntries: what else is said of each.
        @return: a file with the list.
        """
        called = name or x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        builder = x509.CertificateRevocationListBuilder().issuer_name(called).last_update(begins).next_update(ends)
        if extension is not None:
            builder = builder.add_extension(extension, critical=True)
        for each in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(each.serial_number).revocation_date(begins)
            if ofEntries is not None:
                entry = entry.add_extension(ofEntries, critical=True)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(signer or self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def selfSigned(*names: str) -> Issued:
    """
    @param names: the alternative names.
    @return: a certificate that nobody else vouches for.
    """
    key = makeKey()
    alternatives = x509.SubjectAlternativeName([generalName(name) for name in names])
    return Issued(_sign("alone", "alone", key, key, (NOW - DAY, NOW + DAY * 50), [(alternatives, False)]), key)


def pem(*certificates: x509.Certificate) -> bytes:
    """
    @param certificates: some certificates.
    @return: a file of them.
    """
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def _usage(*, mayRevoke: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=mayRevoke,
        encipher_only=False,
        decipher_only=False,
    )


def _sign(
    subject: str,
    issuer: str,
    key: Key,
    signer: ec.EllipticCurvePrivateKey,
    validity: tuple[datetime, datetime],
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else []))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, hashes.SHA256())
