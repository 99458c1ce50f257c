"""
A private PKI in a directory, in one go: six files, all of them or none.  What
stands in the certificates is settled elsewhere.  It knows no command line, no
reactor and no connection.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from uotp.errors import ConfigurationError
from uotp.pki.issue import defaultHosts, issueAuthority, issueClient, issueServer, normalHost
from uotp.tls import publicKeyPin

KEY_MODE = 0o600
CERTIFICATE_MODE = 0o644
DIRECTORY_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Pki:
    """
    Names the files of a private PKI on disk.

    @ivar directory: where its files are, as an absolute path.
    @ivar hosts: the names and addresses in the server's certificate.
    @ivar pin: the SHA-256 of the server's public key, 64 hexadecimal digits.
    """

    directory: str
    hosts: tuple[str, ...]
    pin: str

    @property
    def caCertificate(self) -> str:
        """
        What both ends verify the other one's certificate with.
        """
        return os.path.join(self.directory, "ca.pem")

    @property
    def caKey(self) -> str:
        """
        What further certificates could be made with; neither end needs it.
        """
        return os.path.join(self.directory, "ca.key")

    @property
    def serverCertificate(self) -> str:
        """
        What the server shows.
        """
        return os.path.join(self.directory, "server.pem")

    @property
    def serverKey(self) -> str:
        """
        The server's secret.
        """
        return os.path.join(self.directory, "server.key")

    @property
    def clientCertificate(self) -> str:
        """
        What a client shows.
        """
        return os.path.join(self.directory, "client.pem")

    @property
    def clientKey(self) -> str:
        """
        A client's secret.
        """
        return os.path.join(self.directory, "client.key")

    @property
    def paths(self) -> tuple[str, ...]:
        """
        All six, each certificate before its key.
        """
        return (
            self.caCertificate,
            self.caKey,
            self.serverCertificate,
            self.serverKey,
            self.clientCertificate,
            self.clientKey,
        )


def makePki(
    directory: str,
    hosts: Sequence[str] = (),
    *,
    now: datetime | None = None,
    machine: str | None = None,
) -> Pki:
    """
    Make a private PKI in a directory, which is made as well when it is missing.

    @param hosts: names and addresses of the server; those of this machine when
        there is none.
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
    client = issueClient(authority, moment)
    pki = Pki(os.path.abspath(directory), names, publicKeyPin(server.certificate).hex())
    contents = [text for one in (authority, server, client) for text in (one.certificatePem(), one.keyPem())]
    secret = {pki.caKey, pki.serverKey, pki.clientKey}
    _writeNew(pki.directory, dict(zip(pki.paths, contents, strict=True)), secret)
    return pki


def _writeNew(directory: str, contents: dict[str, bytes], secret: set[str]) -> None:
    """
    Write files that are not there yet: all of them or none.

    @param secret: those that nobody else may read, not for an instant.
    """
    present = [os.path.basename(path) for path in contents if os.path.lexists(path)]
    if present:
        reason = f"{directory} holds {', '.join(present)} already: nothing was written, choose another directory"
        raise ConfigurationError(reason)
    made: list[str] = []
    try:
        _makeDirectories(directory, made)
        for path, content in contents.items():
            mode = KEY_MODE if path in secret else CERTIFICATE_MODE
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            made.append(path)
            with open(descriptor, "wb") as file:
                file.write(content)
    except BaseException as error:
        _remove(made)
        if isinstance(error, OSError):
            reason = f"cannot write {error.filename or directory}: {error.strerror}"
            raise ConfigurationError(reason) from error
        raise


def _makeDirectories(directory: str, made: list[str]) -> None:
    """
    Make a directory and what is missing above it, and note what was made.
    """
    missing = []
    while not os.path.lexists(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    for path in reversed(missing):
        os.mkdir(path, DIRECTORY_MODE)
        made.append(path)


def _remove(made: list[str]) -> None:
    """
    Take away what was made, newest first, as far as that can be done.
    """
    for path in reversed(made):
        with contextlib.suppress(OSError):
            if os.path.isdir(path):
                os.rmdir(path)
            else:
                os.remove(path)
