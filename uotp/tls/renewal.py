"""
How the credentials of either end are read anew, in two steps: first they are prepared, which reads
and checks everything and may be refused, then adopted, which cannot fail.  So several processes
change to new ones together, or none does.  They need not all be able to read the files: what one
has read is handed to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from shlex import quote

from cryptography import x509
from OpenSSL import SSL

from uotp.errors import ConfigurationError, PeerError, Refusal
from uotp.process import Pausing, noPause
from uotp.telemetry import Logger
from uotp.tls import contexts
from uotp.tls.dates import Ending, outOfDate
from uotp.tls.expiry import Expiring, Ours, endings, expiring
from uotp.tls.files import Contents, CopiedFiles, CredentialFiles, FilesReadOnce
from uotp.tls.names import KnownChain
from uotp.tls.pem import readIdentity
from uotp.tls.pins import publicKeyPin
from uotp.tls.proxies import LoadedProxy
from uotp.tls.tokens import Tokens

ENDING_WORDS = {
    "own": "the certificate in {file} {reason}",
    "ca": "the CA '{authority}' in {file} {reason}",
    "crl": "the revocation list of '{authority}' in {file} {reason}",
}
"""How each kind of L{Ending} is told."""


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

    @ivar context: OpenSSL's; L{None} for plain TCP.
    @ivar shown: what we show, if anything.
    @ivar trusted: whom we trust by a file.
    @ivar tokens: who shows one may join; L{None} where nobody need.
    @ivar proxy: the proxy on the way to the server; L{None} for none.
    """

    context: SSL.Context | None
    shown: Shown | None
    trusted: contexts.Trusted
    tokens: Tokens | None = None
    proxy: LoadedProxy | None = None

    @property
    def ours(self) -> Ours | None:
        """
        The certificate that we show.
        """
        return None if self.shown is None else self.shown.certificate

    @property
    def trustedOnWay(self) -> contexts.Trusted:
        """
        Whom we trust by a file to be the proxy.
        """
        return contexts.SYSTEM if self.proxy is None else self.proxy.trusted

    def endings(self, now: datetime) -> tuple[Ending, ...]:
        """
        @return: what is out of date or soon will be.
        """
        found = (*endings(self.ours, self.trusted, now), *endings(None, self.trustedOnWay, now))
        return tuple(dict.fromkeys(found))  # one file may be for both

    def expiring(self) -> tuple[Expiring, ...]:
        """
        @return: what ends some day.
        """
        return tuple(dict.fromkeys((*expiring(self.ours, self.trusted), *expiring(None, self.trustedOnWay))))


@dataclass(frozen=True, slots=True)
class Prepared:
    """
    Holds credentials that were read and found to be good, and are not in use yet.

    @ivar contents: what was read, by path, for processes that are to use the same.
    @ivar files: where it was read.
    @ivar loaded: what it has led to.
    @ivar exposed: what everybody may read of what is secret, and its file.
    @ivar endings: what is out of date or soon will be.
    @ivar expiring: what ends some day.
    @ivar changed: the files that hold something else than what is in use.
    @ivar isInUse: whether it says the same as what is in use.
    @ivar digests: see L{FilesReadOnce.digests}.
    """

    contents: Contents
    files: CredentialFiles
    loaded: Loaded
    exposed: tuple[tuple[str, str], ...]
    endings: tuple[Ending, ...]
    expiring: tuple[Expiring, ...]
    changed: tuple[str, ...]
    isInUse: bool
    digests: Mapping[str, bytes]


class RenewableCredentials:
    """
    Reads and renews the credentials of either end, and warns of certificates that end.
    """

    _log = Logger()
    _paths: tuple[str, ...] = ()
    _readsMore = False  # whether there is something to read besides the files, which says nothing of its changes
    _endsWithCa = False  # whether a peer may not go on when its CA is taken out of the file

    def __init__(
        self,
        files: CredentialFiles,
        now: Callable[[], datetime],
        *,
        keepsContents: bool,
        named: Iterable[tuple[str, str | None]] = (),
    ) -> None:
        """
        @param files: where the files are.
        @param now: the wall clock.
        @param keepsContents: whether somebody will ask for the L{contents}; a private key is among them.
        @param named: what each file is, in words, and its path.  One may be several.
        """
        self._names: dict[str, list[str]] = {}
        for what, path in named:
            if path is not None:
                self._names.setdefault(path, []).append(what)
        self._keepsContents = keepsContents
        self._files = files
        self._now = now
        self._ours: Ours | None = None
        self._trusted = contexts.SYSTEM
        self._loaded = Loaded(None, None, contexts.SYSTEM)
        self._digests: Mapping[str, bytes] | None = None
        self._seen: object = None
        self.adopt(self.prepare())

    def _load(self, files: CredentialFiles, pause: Pausing) -> Loaded:
        raise NotImplementedError

    def reload(self) -> None:
        """
        Read the files again.  New connections use what they say.

        @raise ConfigurationError: see L{prepare}; what was read before stays in use.
        """
        self.adopt(self.prepare())

    def prepare(self, contents: Mapping[str, bytes] | None = None, pause: Pausing = noPause) -> Prepared:
        """
        Read the files again, and check what they say, but do not use it yet.  Where all hold what they held, nothing
        is parsed again.  Another thread may do this, one at a time.

        @param contents: what they hold, where another process has read them.
        @param pause: called again and again meanwhile.
        @return: what L{adopt} takes.
        @raise ConfigurationError: when they have become unusable, or hold a certificate that
            is out of date while the one in use is not.
        """
        files = self._files if contents is None else CopiedFiles(contents)
        self._seen = self.stamp()
        reading = FilesReadOnce(files, isReadAgain=self._digests is not None)
        loaded = self._unchanged(reading)
        if loaded is None:
            loaded = self._load(reading, pause)
            self._requireNoWorse(loaded)
        secrets = []
        if loaded.shown is not None:
            secrets.append(("private key", loaded.shown.keyFile))
        if loaded.tokens is not None:
            secrets.append(("token", loaded.tokens.file))
        if loaded.proxy is not None and loaded.proxy.secretFile is not None:
            secrets.append(("password for the proxy", loaded.proxy.secretFile))
        exposed = tuple((what, files.onDisk(file)) for what, file in secrets if files.isOpenToAll(file))
        digests, used = reading.digests, self._digests
        self._paths, self._seen = tuple(reading.contents), tuple(reading.stamps.values())
        return Prepared(
            reading.contents,
            files,
            loaded,
            exposed,
            endings=loaded.endings(self._now()),
            expiring=loaded.expiring(),
            changed=() if used is None else tuple(path for path in digests if digests[path] != used.get(path)),
            isInUse=digests == used,
            digests=digests,
        )

    def stamp(self) -> tuple[object, ...] | None:
        """
        @return: what is another one when a file that is in use has changed; L{None} when none can be looked at, as
            in a chroot.  It costs a look at each.
        """
        found = tuple(self._files.stamp(path) for path in self._paths)
        return None if found and all(each is None for each in found) else found

    @property
    def stampRead(self) -> object:
        """
        The L{stamp} of what was read last, whether it could be used or not.
        """
        return self._seen

    def adopt(self, prepared: Prepared) -> None:
        """
        Use for new connections what was prepared.  Where it was read, it is read again from now on.
        """
        self._files = prepared.files
        self._contents = prepared.contents if self._keepsContents else Contents()
        loaded = self._loaded = prepared.loaded
        self._context, self._ours, self._trusted = loaded.context, loaded.ours, loaded.trusted
        for trusted in (loaded.trusted, loaded.trustedOnWay):
            trusted.revocations.tried.clear()  # which keys are tried is found out anew
        self._tokens, self._expiring = loaded.tokens, prepared.expiring
        self._digests = prepared.digests
        if prepared.files.isOriginal:
            self._sayChanged(prepared.changed)
        for what, file in prepared.exposed:
            words = "the {what} in {file} may be read by every user who can reach the file: chmod 600 {quoted}"
            self._log.warn(words, what=what, file=file, quoted=quote(file))
        self._warn(prepared.endings)

    def _sayChanged(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._log.info(
                "the {what} {file} has changed, and is used from now on",
                what=" and ".join(self._names.get(path, ["file"])),
                file=path,
            )

    def _unchanged(self, reading: FilesReadOnce) -> Loaded | None:
        """
        @return: what is in use, if all files that have led to it hold the same; L{None} when that is to be found out.
        """
        if self._digests is None or self._readsMore:
            return None
        try:
            for path in self._paths:
                reading.read(path)
        except (OSError, ValueError):
            return None  # who parses it says why
        return self._loaded if reading.digests == self._digests else None

    def _requireNoWorse(self, loaded: Loaded) -> None:
        if loaded.ours is not None:
            self._refuseWorse(*loaded.ours)
        old = self._loaded
        for found, before in ((loaded.trusted, old.trusted), (loaded.trustedOnWay, old.trustedOnWay)):
            worse = found.revocations.worse(before.revocations, self._now())
            if worse is not None:
                raise ConfigurationError(worse)

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

    def revokes(self, chain: KnownChain) -> bool:
        """
        @param chain: the certificates by which a peer was let in.
        @return: whether one of them has been revoked by its CA.
        """
        return self._trusted.revocations.revokes(chain)

    def objection(self, key: bytes | None, chain: KnownChain, token: bytes | None) -> PeerError | None:
        """
        Judge a peer once more that was let in, by what the files say now.

        @param key: the L{publicKeyPin} of its certificate, if it has shown one.
        @param chain: see L{revokes}; empty for a peer that has shown none.
        @param token: what L{Tokens.match} has found by which it came in.
        @return: why it may not go on, or L{None}.
        """
        clients = self._trusted.clients
        if self.revokes(chain[:1]):
            return PeerError("its certificate has been revoked since it was let in", Refusal.REVOKED)
        if self.revokes(chain[1:]):
            return PeerError("the CA of its certificate has been revoked since it was let in", Refusal.REVOKED)
        if self._endsWithCa and chain and not self._trusted.holds(chain, key):
            return PeerError("the CA of its certificate has been taken out of the CA file", Refusal.UNKNOWN_ISSUER)
        if clients is not None and key is not None and key not in clients.names:
            return PeerError("its key has been taken out of the list of clients", Refusal.NOT_LISTED)
        if self._tokens is not None and token is not None and not self._tokens.has(token):
            return PeerError("its token has been taken out of the token file", Refusal.WRONG_TOKEN)
        return None

    def _newest(self) -> contexts.Trusted:
        return self._trusted

    @property
    def tokens(self) -> Tokens | None:
        """
        Who shows one of them may join; L{None} where nobody need.
        """
        return self._tokens

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

    def expiring(self) -> tuple[Expiring, ...]:
        """
        @return: what ends some day: the certificate that we show, the CAs of a short file, revocation lists.
        """
        return self._expiring

    def warnOfDates(self) -> None:
        """
        Log a warning when the certificate that we show is out of date, or soon will be, and for
        each CA of our own file and each revocation list alike.  Who has copies leaves that to others.
        """
        self._warn(self._loaded.endings(self._now()))

    def _warn(self, found: Iterable[Ending]) -> None:
        if self._files.isOriginal:
            for ending in found:
                self._log.warn(ENDING_WORDS[ending.kind], **asdict(ending))


def endingWords(ending: Ending) -> str:
    """
    @return: what the log says of it.
    """
    return ENDING_WORDS[ending.kind].format(**asdict(ending))


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
