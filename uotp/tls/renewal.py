"""
How the credentials of either end are read anew, in two steps: first they are prepared, which reads
and checks everything and may be refused, then adopted, which cannot fail.  So several processes
change to new ones together, or none does.  They need not all be able to read the files: what one
has read is handed to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from shlex import quote

from cryptography import x509
from OpenSSL import SSL

from uotp.errors import ConfigurationError
from uotp.telemetry import Logger
from uotp.tls import contexts
from uotp.tls.dates import outOfDate
from uotp.tls.expiry import Expiring, Ours, endings, expiring
from uotp.tls.files import Contents, CopiedFiles, CredentialFiles, FilesReadOnce
from uotp.tls.pem import readIdentity
from uotp.tls.revocation import Revocations
from uotp.tls.verification import publicKeyPin


@dataclass(frozen=True, slots=True)
class Shown:
    """
    Holds what we show to peers.

    @ivar certificate: our own, and its file.
    @ivar keyFile: the file with its key.
    """

    certificate: Ours
    keyFile: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """
    Holds what the files of one end have led to.

    @ivar context: OpenSSL's.
    @ivar shown: what we show, if anything.
    @ivar trusted: whom we trust by a file.
    """

    context: SSL.Context
    shown: Shown | None
    trusted: contexts.Trusted

    @property
    def ours(self) -> Ours | None:
        """
        The certificate that we show.
        """
        return None if self.shown is None else self.shown.certificate


@dataclass(frozen=True, slots=True)
class Prepared:
    """
    Holds credentials that were read and found to be good, and are not in use yet.

    @ivar contents: what was read, by path, for processes that are to use the same.
    @ivar files: where it was read.
    @ivar loaded: what it has led to.
    @ivar exposed: the file of a key that everybody may read.
    @ivar endings: what is out of date or soon will be, and when, in words.
    """

    contents: Contents
    files: CredentialFiles
    loaded: Loaded
    exposed: str | None
    endings: tuple[tuple[str, str], ...]


class RenewableCredentials:
    """
    Reads and renews the credentials of either end, and warns of certificates that end.
    """

    _log = Logger()

    def __init__(self, files: CredentialFiles, now: Callable[[], datetime], *, keepsContents: bool) -> None:
        """
        @param files: where the files are.
        @param now: the wall clock.
        @param keepsContents: whether somebody will ask for the L{contents}; a private key is among them.
        """
        self._keepsContents = keepsContents
        self._files = files
        self._now = now
        self._ours: Ours | None = None
        self.reload()

    def _load(self, files: CredentialFiles) -> Loaded:
        raise NotImplementedError

    def reload(self) -> None:
        """
        Read the files again.  New connections use what they say.

        @raise ConfigurationError: see L{prepare}; what was read before stays in use.
        """
        self.adopt(self.prepare())

    def prepare(self, contents: Mapping[str, bytes] | None = None) -> Prepared:
        """
        Read the files again, and check what they say, but do not use it yet.

        @param contents: what they hold, where another process has read them.
        @return: what L{adopt} takes.
        @raise ConfigurationError: when they have become unusable, or hold a certificate that
            is out of date while the one in use is not.
        """
        files = self._files if contents is None else CopiedFiles(contents)
        reading = FilesReadOnce(files)
        loaded = self._load(reading)
        if loaded.ours is not None:
            self._refuseWorse(*loaded.ours)
        keyFile = None if loaded.shown is None else loaded.shown.keyFile
        exposed = files.onDisk(keyFile) if keyFile is not None and files.isOpenToAll(keyFile) else None
        found = tuple(endings(loaded.ours, loaded.trusted, self._now()))
        return Prepared(reading.contents, files, loaded, exposed, found)

    def adopt(self, prepared: Prepared) -> None:
        """
        Use for new connections what was prepared.  Where it was read, it is read again from now on.
        """
        self._files = prepared.files
        self._contents = prepared.contents if self._keepsContents else Contents()
        loaded = prepared.loaded
        self._context, self._ours, self._trusted = loaded.context, loaded.ours, loaded.trusted
        if prepared.exposed is not None:
            words = "the private key in {file} may be read by every user who can reach the file: chmod 600 {quoted}"
            self._log.warn(words, file=prepared.exposed, quoted=quote(prepared.exposed))
        self._warn(prepared.endings)

    def _refuseWorse(self, file: str, certificate: x509.Certificate) -> None:
        """
        Do not give up a certificate that is good for one that is not.  When none is good, the
        new one may be what the administrator wants: a peer that has a pin takes it.
        """
        if self._ours is None or outOfDate(self._ours[1], self._now()) is not None:
            return
        reason = outOfDate(certificate, self._now())
        if reason is not None:
            message = f"the certificate in {file} {reason}"
            raise ConfigurationError(message)

    def revokes(self, certificate: tuple[bytes, int]) -> bool:
        """
        @param certificate: the issuer of a certificate and its serial number.
        @return: whether its CA has revoked it.
        """
        return self._revocations().revokes(*certificate)

    def _revocations(self) -> Revocations:
        return self._trusted.revocations

    @property
    def ownCertificate(self) -> x509.Certificate | None:
        """
        The certificate that we show; L{None} without one.
        """
        return None if self._ours is None else self._ours[1]

    @property
    def ownPin(self) -> bytes | None:
        """
        The L{publicKeyPin} of the certificate that we show; L{None} without one.
        """
        return None if self._ours is None else publicKeyPin(self._ours[1])

    @property
    def contents(self) -> dict[str, bytes]:
        """
        What was read of each file for the credentials in use, by path, if that is kept.  With it another process
        uses the same, also when the files have changed since.
        """
        return Contents(self._contents)

    def expiring(self) -> Iterator[Expiring]:
        """
        @return: what ends some day: the certificate that we show, the CAs of a short file, revocation lists.
        """
        return expiring(self._ours, self._trusted)

    def warnOfDates(self) -> None:
        """
        Log a warning when the certificate that we show is out of date, or soon will be, and for
        each CA of our own file and each revocation list alike.  Who has copies leaves that to others.
        """
        self._warn(endings(self._ours, self._trusted, self._now()))

    def _warn(self, found: Iterable[tuple[str, str]]) -> None:
        if self._files.isOriginal:
            for what, reason in found:
                self._log.warn("{what} {reason}", what=what, reason=reason)


def identify(context: SSL.Context, certificateFile: str, keyFile: str | None, files: CredentialFiles) -> Shown:
    """
    Show a certificate to peers.

    @param context: a new context.
    @param certificateFile: see L{readIdentity}, as for the key.
    @param files: where both are.
    @return: what is shown.
    @raise ConfigurationError: when it cannot be used.
    """
    identity = readIdentity(certificateFile, keyFile, files)
    contexts.present(context, identity, certificateFile)
    return Shown((certificateFile, identity.chain[0]), certificateFile if keyFile is None else keyFile)
