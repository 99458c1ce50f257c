"""
A private PKI in a directory: where its files are, and how all of them are made in one go, or
none.  What stands in the certificates is settled elsewhere.  It knows no command line, no reactor
and no connection.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from cryptography import x509

from uotp.errors import ConfigurationError
from uotp.pki.files import Content, writeNew
from uotp.pki.issue import issueAuthority, issueClient, issueServer
from uotp.pki.names import THE_SERVER, defaultHosts, normalHost
from uotp.pki.revocations import Revoked
from uotp.tls import publicKeyPin

FIRST_CLIENT = "client"
"""What the client is called that is made with the PKI."""

ISSUED = "issued"
"""The directory of what was issued, which stays here when the files themselves are moved away."""


@dataclass(frozen=True, slots=True)
class PkiFiles:
    """
    Names the files of a private PKI on disk.

    @ivar directory: where its files are, as an absolute path.
    @ivar authorityKey: where the CA's key is, when it is elsewhere.
    """

    directory: str
    authorityKey: str | None = field(default=None, kw_only=True)

    @property
    def caCertificate(self) -> str:
        """
        What both ends verify the other one's certificate with.
        """
        return os.path.join(self.directory, "ca.pem")

    @property
    def caKey(self) -> str:
        """
        What further certificates are made with; neither end needs it.
        """
        return os.path.join(self.directory, "ca.key") if self.authorityKey is None else self.authorityKey

    @property
    def serverCertificate(self) -> str:
        """
        What the server shows.
        """
        return self.certificateOf(THE_SERVER)

    @property
    def serverKey(self) -> str:
        """
        The server's secret.
        """
        return self.keyOf(THE_SERVER)

    @property
    def clientCertificate(self) -> str:
        """
        What the first client shows.
        """
        return self.certificateOf(FIRST_CLIENT)

    @property
    def clientKey(self) -> str:
        """
        The first client's secret.
        """
        return self.keyOf(FIRST_CLIENT)

    @property
    def revocationList(self) -> str:
        """
        What tells the server which certificates hold no longer.
        """
        return os.path.join(self.directory, "crl.pem")

    @property
    def revocationRecord(self) -> str:
        """
        The same list again: nothing is forgotten when the other one is moved to the server.
        """
        return os.path.join(self.issued, "crl.pem")

    @property
    def issued(self) -> str:
        """
        The directory of all certificates that were issued.
        """
        return os.path.join(self.directory, ISSUED)

    @property
    def paths(self) -> tuple[str, ...]:
        """
        What is made first, each certificate before its key.
        """
        return (
            self.caCertificate,
            self.caKey,
            self.serverCertificate,
            self.serverKey,
            self.clientCertificate,
            self.clientKey,
        )

    def certificateOf(self, name: str) -> str:
        """
        @param name: what a client is called, or C{server}.
        @return: the file with its certificate.
        """
        return os.path.join(self.directory, f"{name}.pem")

    def keyOf(self, name: str) -> str:
        """
        @param name: what a client is called, or C{server}.
        @return: the file with its key.
        """
        return os.path.join(self.directory, f"{name}.key")

    def bundleOf(self, name: str) -> str:
        """
        @param name: what a client is called.
        @return: the one file with all that it needs.
        """
        return os.path.join(self.directory, f"{name}.uotp")

    def recordOf(self, name: str, certificate: x509.Certificate) -> str:
        """
        @param name: whom a certificate was issued to.
        @return: where it is kept.
        """
        return os.path.join(self.issued, f"{name}.{certificate.serial_number:040x}.pem")


@dataclass(frozen=True, slots=True)
class Pki(PkiFiles):
    """
    Holds what was made.

    @ivar hosts: the names and addresses in the server's certificate.
    @ivar pin: the SHA-256 of the server's public key, 64 hexadecimal digits.
    @ivar made: all files, in the order in which they were written.
    """

    hosts: tuple[str, ...]
    pin: str
    made: tuple[str, ...] = ()


def makePki(
    directory: str,
    hosts: Sequence[str] = (),
    *,
    authorityKey: str | None = None,
    now: datetime | None = None,
    machine: str | None = None,
) -> Pki:
    """
    Make a private PKI in a directory, which is made as well when it is missing.

    @param hosts: names and addresses of the server; those of this machine when
        there is none.
    @param authorityKey: where the CA's key is put; in the directory when left out.
    @param now: the moment of making, with its time zone; this one when left out.
    @param machine: the name of this machine; asked of the system when left out.
    @raise ConfigurationError: when a host is unusable, when one of the files is
        there already, or when one cannot be written.  Nothing is left behind then.
    """
    if not directory:
        reason = "a directory is needed for the certificates"
        raise ConfigurationError(reason)
    names = tuple(dict.fromkeys(map(normalHost, hosts)))
    if not names:
        names = defaultHosts(socket.gethostname() if machine is None else machine)
    moment = datetime.now(timezone.utc) if now is None else now
    authority = issueAuthority(moment)
    server = issueServer(authority, names, moment)
    client = issueClient(authority, FIRST_CLIENT, moment)
    files = PkiFiles(os.path.abspath(directory), authorityKey=authorityKey)
    pairs = ((one.certificatePem(), one.keyPem()) for one in (authority, server, client))
    texts = [content for certificate, key in pairs for content in (Content(certificate), Content(key, isSecret=True))]
    nobody = Content(Revoked().listPem(authority, moment))
    contents = {
        **dict(zip(files.paths, texts, strict=True)),
        files.revocationList: nobody,
        files.recordOf(THE_SERVER, server.certificate): Content(server.certificatePem()),
        files.recordOf(FIRST_CLIENT, client.certificate): Content(client.certificatePem()),
        files.revocationRecord: nobody,
    }
    writeNew(files.directory, contents)
    pin = publicKeyPin(server.certificate).hex()
    return Pki(files.directory, names, pin, tuple(contents), authorityKey=authorityKey)
